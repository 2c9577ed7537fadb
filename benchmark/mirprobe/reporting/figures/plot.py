"""`mirprobe.plot`: the figures of finished runs by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill
from typing import TYPE_CHECKING

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.plotting import fix_layout, require_matplotlib, style
from mirprobe.reporting.figures.common import literal
from mirprobe.reporting.figures.cost import cost
from mirprobe.reporting.figures.errors import confusion
from mirprobe.reporting.figures.few_labels import few_labels
from mirprobe.reporting.figures.layers import layers
from mirprobe.reporting.figures.perturbed import perturbed
from mirprobe.reporting.figures.scores import differences, scores
from mirprobe.reporting.run_collection import AnyRun, collect_runs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[..., Figure | None]] = {
    "layers": layers,
    "scores": scores,
    "differences": differences,
    "confusion": confusion,
    "cost": cost,
    "few-labels": few_labels,
    "perturbed": perturbed,
}
MISSING = {
    "few-labels": "no subsets of training tracks; run again with --train-tracks",
    "perturbed": "no disturbed test audio; run again with --perturb",
}
LINE = 118  # characters of a caption


def plot(
    kind: str,
    runs: Sequence[AnyRun] | AnyRun,
    *,
    tasks: Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    reference: str | None = None,
    caption: bool = True,
) -> Figure:
    """Draw a figure of finished runs, two columns of a paper wide.

    Args:
        kind: `layers` (score by layer and pooling), `scores` (with intervals and controls),
            `differences` (paired, to one encoder), `confusion` (kinds of errors in keys, chords,
            beats and tags), `cost` (score against speed and parameters), `few-labels` (score
            against the number of training tracks) or `perturbed` (score against the strength of an
            effect on the test audio).
        runs: folders of runs or what `mirprobe.open_run` returns; or one of them.
        tasks: the tasks to show, in this order; all if empty.
        rename: encoder -> the name to show.
        reference: the encoder of `differences`, by the name that is shown; None for the best of
            each task.
        caption: whether the caption is in the figure. It is its label too: `figure.get_label()`.

    Returns:
        A matplotlib figure; save it with its `savefig`.

    Raises:
        ConfigError: an unknown figure, task or encoder, matplotlib is missing, or the runs do not
            contain what the figure shows.
        StorageError: a folder is not a run folder.
    """
    if kind not in FIGURES:
        raise ConfigError(f"unknown figure '{kind}'; {nearest(kind, FIGURES)}")
    require_matplotlib()
    shown = collect_runs(runs, tasks, rename)
    with style():
        figure = differences(shown, reference) if kind == "differences" else FIGURES[kind](shown)
        if figure is None:
            raise ConfigError(f"these runs have {MISSING[kind]}")
        if caption:
            _add_caption(figure)
    return figure


def _add_caption(figure: Figure) -> None:
    """Write the label of a figure below it: the figure grows, its layout stays."""
    fix_layout(figure)
    text = literal(fill(str(figure.get_label()), LINE))
    width, height = figure.get_size_inches()
    taller = height + 0.15 * (text.count("\n") + 1) + 0.1
    figure.set_size_inches(width, taller)
    upper = height / taller
    for axes in figure.axes:
        x, y, wide, high = axes.get_position(original=True).bounds
        axes.set_position((x, 1 - upper + y * upper, wide, high * upper))
    for legend in figure.legends:
        legend.set_bbox_to_anchor((0, 1 - upper, 1, upper), figure.transFigure)
    figure.text(0.01, 0.04 / taller, text, va="bottom", fontsize=7.5)
