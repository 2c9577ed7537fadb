"""Figures that others have published, to be read beside one's own; none was measured here.

`published.csv` holds one figure a row, with where it comes from. `dataset` says on what data a run
is comparable with it, in the words of the column `dataset` of `scores.csv`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import pandas as pd

SHARED = ["task", "dataset", "metric"]


def read_published() -> pd.DataFrame:
    """All figures: encoder, task, dataset, metric, layer, source, value, note, citation."""
    with (files("mirprobe.reporting") / "published.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype={"layer": str}, keep_default_na=False)


def published_beside(board: pd.DataFrame) -> pd.DataFrame:
    """The figures whose task, data set and metric stand in a leaderboard.

    Args:
        board: of `ranking.leaderboard`.

    Returns:
        Rows of `read_published`, with `main` as the board has it; possibly none.
    """
    shared = board[[*SHARED, "main"]].drop_duplicates()
    return read_published().merge(shared, on=SHARED)


def add_published(board: pd.DataFrame, figures: pd.DataFrame) -> pd.DataFrame:
    """The leaderboard with the figures under it: no rank, no interval, and who published them.

    What a figure does not tell, such as splits and probe, stays empty.
    """
    if figures.empty:
        return board
    rows = figures.rename(columns={"citation": "published"})
    return pd.concat([board.assign(published="", note=""), rows], ignore_index=True)


def table_of(figures: pd.DataFrame, arena: pd.Series) -> Sequence[Sequence[str]]:
    """The figures on an arena's main metric, as texts under headers; none is an empty list.

    Args:
        figures: of `published_beside`.
        arena: a row of the leaderboard.
    """
    chosen = figures[(figures[SHARED] == arena[SHARED]).all(axis=1)]
    if chosen.empty:
        return []
    headers = ["published, not measured here", str(arena["metric"]), "layer", "note", "by"]
    rows = []
    for _, row in chosen.iterrows():
        where = f"{row['layer']} {row['source']}".strip()
        texts = [row["encoder"], f"{row['value']:.3f}", where, row["note"], row["citation"]]
        rows.append([str(text) for text in texts])
    return [headers, *rows]
