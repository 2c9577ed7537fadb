"""Tables beside a leaderboard: few labels, retrieval, online code, disturbed audio."""

from __future__ import annotations

import pandas as pd

from mirprobe.reporting.few_labels import curve_tables
from mirprobe.reporting.perturbed import perturbed_tables
from mirprobe.reporting.ranks import ENTRY

Tables = list[tuple[str, list[list[tuple[str, str]]]]]
READINGS = {
    ("retrieval", "precision_at_10"): "precision at 10",
    ("retrieval", "map"): "mAP",
    ("retrieval-shuffled", "map"): "mAP shuffled",
    ("code", "compression"): "compression",
    ("code-shuffled", "compression"): "compression shuffled",
    ("code", "bits_per_label"): "bits per label",
}
"""Kind and metric -> header."""


def tables_beside(scores: pd.DataFrame) -> Tables:
    """Title and rows of each table; a row is a list of (header, text)."""
    return [*curve_tables(scores), *reading_tables(scores), *perturbed_tables(scores)]


def reading_tables(scores: pd.DataFrame) -> Tables:
    """A table for each task with retrieval or an online code; means over draws and resamples."""
    places = pd.MultiIndex.from_frame(scores[["kind", "metric"]])
    rows = scores[places.isin(list(READINGS))]
    if rows.empty:
        return []
    means = rows.groupby([*ENTRY, "kind", "metric"], dropna=False, sort=False)["value"].mean()
    table = means.unstack(["kind", "metric"]).reset_index()
    columns = [column for column in READINGS if column in table]
    same = [name for name in ENTRY if name != "encoder"]
    found: Tables = []
    for key, own in table.groupby(same, dropna=False, sort=False):
        own = own.sort_values(columns[0], ascending=False, kind="stable")
        where = dict(zip(same, key, strict=True))
        title = f"other readings: {where['task']} on {where['dataset']}, {where['probe']} probe"
        shown = [column for column in columns if own[column].notna().any()]
        found.append(
            (
                title,
                [
                    [("encoder", str(name)), *((READINGS[c], f"{row[c]:.3f}") for c in shown)]
                    for name, (_, row) in zip(own["encoder"], own[shown].iterrows(), strict=True)
                ],
            )
        )
    return found
