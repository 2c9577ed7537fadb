"""Published results of other work, shown with the results of a run; none was measured here.

Each row of `published.csv` is one result with its citation. Its column `dataset` has the value of
this column in the `scores.csv` of a comparable run.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import pandas as pd

SHARED = ["task", "dataset", "metric"]


def read_published() -> pd.DataFrame:
    """All results: encoder, task, dataset, metric, layer, source, value, note, citation."""
    with (files("mirprobe.reporting") / "published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype={"layer": str}, keep_default_na=False)


def published_beside(board: pd.DataFrame) -> pd.DataFrame:
    """The published results whose task, data set and metric occur in a leaderboard.

    Args:
        board: result of `leaderboard`.

    Returns:
        Rows of `read_published` with the column `main` of the board; may be empty.
    """
    shared = board[[*SHARED, "main"]].drop_duplicates()
    return read_published().merge(shared, on=SHARED)


def add_published(board: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard, followed by published results with their citations.

    Columns without a published value, such as rank, interval, splits and probe, are empty.
    """
    if figures.empty:
        return board
    rows = figures.rename(columns={"citation": "published"})
    return pd.concat([board.assign(published="", note=""), rows], ignore_index=True)


def table_of(figures: pd.DataFrame, row: pd.Series) -> Sequence[Sequence[str]]:
    """The published results that are comparable with a row of a leaderboard.

    Args:
        figures: result of `published_beside`.
        row: a row of the leaderboard.

    Returns:
        The headers, followed by the rows; an empty list if there is no comparable result.
    """
    metric = str(row["metric"])
    chosen = figures[(figures[SHARED] == row[SHARED]).all(axis=1)]
    if chosen.empty:
        return []
    headers = ["published, not measured here", metric, "layer", "note", "by"]
    rows = []
    for _, one in chosen.iterrows():
        where = f"{one['layer']} {one['source']}".strip()
        texts = [one["encoder"], f"{one['value']:.3f}", where, one["note"], one["citation"]]
        rows.append([str(text) for text in texts])
    return [headers, *rows]
