"""Leaderboards: for each encoder and task what validation chose, ranked, with its controls.

They are made from the `scores.csv` of runs alone. Encoders are ranked among rows that share data
set, splits, task, probe, preset and conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mirprobe.errors import ConfigError
from mirprobe.registry import nearest
from mirprobe.results import read_scores

ARENA = ["dataset", "splits", "task", "probe", "preset", "conditions"]
ENTRY = [*ARENA, "encoder"]
CONTROLS = ("shuffled", "chance", "ceiling")


def read_runs(runs: Sequence[Path]) -> pd.DataFrame:
    """The scores of several runs; of cells that stand in two, the later run's count.

    Raises:
        StorageError: a folder is not a run's.
    """
    tables = [read_scores(run).assign(run=place) for place, run in enumerate(runs)]
    table = pd.concat(tables, ignore_index=True)
    latest = table.groupby(ENTRY, dropna=False)["run"].transform("max")
    return table[table["run"] == latest].drop(columns="run")


def leaderboard(scores: pd.DataFrame, reference: str | None = None) -> pd.DataFrame:
    """One row an encoder, task and metric, of the layer, source and decoding validation chose.

    Args:
        scores: rows of `scores.csv`.
        reference: an encoder; `difference` is each value minus its value.

    Returns:
        A table sorted by task and rank. `rank` is by the main metric. Values of several seeds are
        averaged.

    Raises:
        ConfigError: `reference` is not among the encoders.
    """
    encoders = scores["encoder"].unique()
    if reference is not None and reference not in encoders:
        raise ConfigError(f"no scores of encoder '{reference}'; {nearest(reference, encoders)}")
    chosen = scores[(scores["kind"] == "probe") & scores["selected"]]
    where = [*ENTRY, "decoding", "layer", "source", "metric", "main", "n", "fingerprint", "cell"]
    numbers = ["value", "low", "high", "validation"]
    board = chosen.groupby(where, dropna=False, sort=False)[numbers].mean().reset_index()
    # the decoding, too, is for validation to choose; the first of equals
    best = board[board["main"]].groupby(ENTRY, sort=False)["validation"].transform("idxmax")
    kept = board.loc[best.unique(), [*ENTRY, "decoding"]]
    board = board.merge(kept, on=[*ENTRY, "decoding"])
    for kind in CONTROLS:
        board = board.merge(_control(scores, kind), how="left", on=[*ENTRY, "decoding", "metric"])
    mains = board[board["main"]]
    ranks = mains.assign(rank=mains.groupby(ARENA)["value"].rank(ascending=False, method="min"))
    board = board.merge(ranks[[*ENTRY, "rank"]], on=ENTRY)
    if reference is not None:
        anchor = board[board["encoder"] == reference][[*ARENA, "metric", "value"]]
        anchor = anchor.rename(columns={"value": "anchor"})
        board = board.merge(anchor, how="left", on=[*ARENA, "metric"])
        board["difference"] = board["value"] - board.pop("anchor")
    order = {task: place for place, task in enumerate(scores["task"].unique())}
    board = board.assign(place=board["task"].map(order), other=~board["main"])
    board = board.sort_values(["dataset", "place", "rank", "encoder", "other"], kind="stable")
    return board.drop(columns=["place", "other"]).reset_index(drop=True)


def _control(scores: pd.DataFrame, kind: str) -> pd.DataFrame:
    rows = scores[scores["kind"] == kind]
    keys = [*ENTRY, "decoding", "metric"]
    return rows.groupby(keys)["value"].mean().rename(kind).reset_index()


def mean_ranks(board: pd.DataFrame) -> pd.Series:
    """Mean over tasks of each encoder's rank, best first."""
    return board[board["main"]].groupby("encoder")["rank"].mean().sort_values(kind="stable")


def to_csv(board: pd.DataFrame) -> str:
    """The whole table."""
    return str(board.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def to_markdown(board: pd.DataFrame) -> str:
    """A table a task with the main metric, and one of the mean ranks."""
    parts = []
    for (dataset, task), rows in board[board["main"]].groupby(["dataset", "task"], sort=False):
        first = rows.iloc[0]
        parts.append(
            f"### {task} on {dataset}\n\n`{first['metric']}` on {first['n']} test tracks, "
            f"{first['probe']} probe, preset {first['preset']}\n"
        )
        parts.append(_markdown([header for header, _ in _cells(first)], rows))
    ranks = mean_ranks(board)
    lines = [f"| {encoder} | {rank:.2f} |" for encoder, rank in ranks.items()]
    parts.append("\n".join(["### mean rank\n\n| encoder | mean rank |\n| --- | --- |", *lines]))
    return "\n".join(parts) + "\n"


def _markdown(headers: Sequence[str], rows: pd.DataFrame) -> str:
    lines = [" | ".join(headers), " | ".join("---" for _ in headers)]
    lines += [" | ".join(text for _, text in _cells(row)) for _, row in rows.iterrows()]
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _cells(row: pd.Series) -> list[tuple[str, str]]:
    """What is shown of a row, with the headers."""
    shown = [
        ("rank", f"{row['rank']:.0f}"),
        ("encoder", str(row["encoder"])),
        (str(row["metric"]), f"{row['value']:.3f}"),
        ("95 %", f"{row['low']:.3f} to {row['high']:.3f}"),
        ("layer", f"{row['layer']} {row['source']}"),
        ("decoding", str(row["decoding"])),
    ]
    shown += [(kind, _number(row[kind])) for kind in CONTROLS]
    if "difference" in row:
        shown.append(("difference", f"{row['difference']:+.3f}"))
    return shown


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.3f}"


def rows_of(board: pd.DataFrame) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Per task, the shown cells of each encoder's main metric, for a printed table."""
    return [
        (f"{task} on {dataset}", [_cells(row) for _, row in rows.iterrows()])
        for (dataset, task), rows in board[board["main"]].groupby(["dataset", "task"], sort=False)
    ]
