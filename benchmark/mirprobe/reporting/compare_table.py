"""The result of `compare` as tables: for the terminal, as Markdown and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from mirprobe.core.confidence_intervals import FEW
from mirprobe.core.markdown import escaped, markdown_table
from mirprobe.reporting.compare import POWER
from mirprobe.reporting.ranks import LEVEL
from mirprobe.reporting.tables import number, p_text, span, spread_note

HEADERS = ("encoder", "value", "difference", "paired 95 %", "p", "tracks", "result")


@dataclass(frozen=True)
class ComparedTask:
    """The comparisons of one task.

    Attributes:
        title: task, data set, metric and reference.
        rows: a cell for each of `HEADERS`.
        notes: sentences below the table.
    """

    title: str
    rows: list[list[str]]
    notes: list[str]


def compared_tasks(table: pd.DataFrame) -> Iterator[ComparedTask]:
    """One table for each task and data set of a result of `compare`, best encoder first."""
    count = int(table["p"].notna().sum())
    for (task, dataset), rows in table.groupby(["task", "dataset"], sort=False):
        first = rows.iloc[0]
        own = rows["reference_value"].dropna()
        values = {number(value) for value in own}
        reference = f"{first['reference']} ({', '.join(sorted(values))})" if values else ""
        yield ComparedTask(
            f"{task} on {dataset}: {first['metric']} minus that of "
            f"{reference or first['reference']}",
            [_texts(row) for _, row in rows.sort_values("value", ascending=False).iterrows()],
            _notes(rows[rows["p"].notna()], count),
        )


def _texts(row: pd.Series) -> list[str]:
    return [
        str(row["encoder"]),
        number(row["value"]),
        number(row["difference"], "+.3f"),
        span(row["low"], row["high"], "+"),
        p_text(row["p_holm"]),
        "" if pd.isna(row["n"]) else str(row["n"]),
        str(row["mark"] or f"not compared: {row['reason']}"),
    ]


def _notes(rows: pd.DataFrame, count: int) -> list[str]:
    """Sentences on the compared rows of one task, of `count` comparisons of the page."""
    if rows.empty:
        return []
    groups, notes = int(rows["groups"].min()), []
    if groups < FEW:
        notes.append(
            f"Warning: there are fewer than {FEW} groups of test tracks ({groups}): the interval "
            "may be too narrow."
        )
    notes += spread_note(rows)
    least = 2.0 ** (1 - groups)
    if least * count >= LEVEL:
        notes.append(
            f"With {groups} groups p is at least {least:.2g}: after the correction for {count} "
            "comparisons no difference can be significant."
        )
    detectable = rows["detectable"].median()
    if detectable > 0:
        notes.append(
            f"With this many tracks a true difference of {detectable:.3f} is found significant "
            f"with probability {POWER:g} (after the correction; median over the rows)."
        )
    return notes


def general_notes(table: pd.DataFrame) -> list[str]:
    """Sentences on all tables."""
    count = int(table["p"].notna().sum())
    left = len(table) - count
    notes = []
    if count:
        notes.append(
            f"p is by randomisation of groups of test tracks, corrected (Holm) for all {count} "
            "comparisons; the interval is not corrected. No significant difference does not mean "
            "that there is none."
        )
    if left:
        notes.append(f"{left} of {len(table)} rows could not be compared; the rows say why.")
    return notes


def to_markdown(table: pd.DataFrame) -> str:
    """All tables as Markdown."""
    parts = []
    for task in compared_tasks(table):
        parts += [f"### {escaped(task.title)}\n", markdown_table(HEADERS, task.rows)]
        parts += [escaped(" ".join(task.notes)) + "\n"] if task.notes else []
    return "\n".join([*parts, " ".join(general_notes(table)) + "\n"])
