"""Critical-difference diagrams: mean ranks of encoders, with bars over those that do not differ.

A secondary view: ranks within groups of test tracks drop the size of differences. Blocks are the
groups of test tracks, values are their jackknife pseudo-values, which are the scores of the groups
if the metric is a mean over tracks. Pairs are tested by Wilcoxon's signed-rank test with Holm's
correction within the task (Demsar, JMLR 7, 2006; Benavoli, Corani & Mangili, JMLR 17, 2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from mirprobe.core.errors import ConfigError
from mirprobe.core.plotting import new_figure, render, require_matplotlib, style
from mirprobe.reporting.compare import Entry, entries
from mirprobe.reporting.paired_differences import common_tracks, estimates
from mirprobe.reporting.ranks import LEVEL
from mirprobe.reporting.stored_run import StoredRun


def block_values(entries: Sequence[Entry]) -> pd.DataFrame:
    """The pseudo-values of encoders in one task: a row for each group, a column for each encoder.

    Raises:
        StorageError: a run is incomplete.
    """
    cells = [entry.cell for entry in entries]
    run, task = entries[0].run, entries[0].run.task(str(entries[0].row["task"]))
    main, ids = task.main_metric, common_tracks(cells)
    parts = {}
    for entry, cell in zip(entries, cells, strict=True):
        estimate, _ = estimates(cell, task, run.dataset.tracks, ids, main)[main]
        parts[entry.name] = estimate.parts.mean(axis=(0, 1, 2, 3))
    return pd.DataFrame(parts).dropna()


def draw(runs: Sequence[StoredRun], ending: str) -> bytes:
    """The content of a figure with one diagram for each task that three or more encoders share.

    Args:
        runs: encoders of one task are compared if their data, probe and preset are equal.
        ending: `.png` or `.svg`.

    Raises:
        ConfigError: no task has three encoders, or a package is missing.
    """
    require_matplotlib()
    try:
        from scikit_posthocs import critical_difference_diagram, posthoc_wilcoxon
    except ImportError as error:
        raise ConfigError(
            "the diagram needs scikit-posthocs; install it with pip install 'mirprobe[figures]'"
        ) from error
    panels: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries(runs):
        key = tuple(str(entry.row[name]) for name in ("task", "dataset", "data", "probe", "preset"))
        panels.setdefault(key, []).append(entry)
    tables = {
        f"{task} on {dataset}": block_values(own)
        for (task, dataset, *_), own in panels.items()
        if len(own) > 2
    }
    if not tables:
        raise ConfigError("a critical-difference diagram needs three encoders with the same data")
    heights = [0.7 + 0.16 * table.shape[1] for table in tables.values()]
    with style():
        figure = new_figure(6.5, sum(heights))
        axes = figure.subplots(len(tables), squeeze=False, height_ratios=heights)[:, 0]
        for axis, (title, table) in zip(axes, tables.items(), strict=True):
            ranks = table.rank(axis=1, ascending=False)
            p = posthoc_wilcoxon(
                table.melt(), "value", "variable", zero_method="zsplit", p_adjust="holm"
            )
            critical_difference_diagram(
                ranks.mean(), p, ax=axis, alpha=LEVEL, label_fmt_left="{label} {rank:.2f}  ",
                label_fmt_right="  {rank:.2f} {label}", label_props={"fontsize": 8},
            )  # fmt: skip
            axis.set_title(f"{title}: mean rank (1 is best), {len(table)} groups of tracks", pad=10)
        return render(figure, ending)
