"""Runs of given scores, and the ranks in a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from helpers.score_rows import INFO

from mirprobe.core.schema import Score
from mirprobe.probing.results import Cell
from mirprobe.reporting.run_folder import RunFolder


def save(path: Path, rows: Sequence[Score]) -> Path:
    folder = RunFolder(path)
    cell = folder.write_cell(Cell("k", "e", "key", list(rows)))
    folder.write_scores([cell], {row.encoder: INFO for row in rows})
    return path


def ranks(board: pd.DataFrame) -> dict[str, float]:
    mains = board[board["main"]]
    return dict(zip(mains["encoder"], mains["rank"], strict=True))
