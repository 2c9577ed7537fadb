"""Write the table of `README.md` from the reference runs: `python docs/readme_table.py`.

The table stands between the two comments `table` of the page. It shows those of `RUNS` that exist.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from mirprobe.core.markdown import markdown_table
from mirprobe.reporting.leaderboard import leaderboard, read_pairs, read_runs

ROOT = Path(__file__).parents[1]
RUNS = [ROOT / "results" / "reference" / name for name in ("studio", "scores")]
BETWEEN = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- /table -->)", re.DOTALL)


def readme_table() -> str:
    """A table for each data set: main metric and interval of each encoder, sorted by the first."""
    boards = [
        leaderboard(read_runs([run]), None, read_pairs([run])) for run in RUNS if run.is_dir()
    ]
    return "\n".join(_table(board[board["main"]]) for board in boards)


def _table(board: pd.DataFrame) -> str:
    columns = board[["task", "metric"]].drop_duplicates().to_numpy().tolist()
    rows = []
    for encoder in dict.fromkeys(board["encoder"]):
        own = board[board["encoder"] == encoder].set_index("task")
        cells = []
        for task, _ in columns:
            found = own.loc[task]
            value = f"**{found['value']:.3f}**" if found["rank"] == 1 else f"{found['value']:.3f}"
            mark = "" if found["rank"] > 0 else " †"  # trained with labels: no rank
            cells.append(f"{value} ({found['low']:.3f} to {found['high']:.3f}){mark}")
        rows.append([f"`{encoder}`", *cells])
    first = f"{board['dataset'].iloc[0]}, {board['n'].max()} test tracks"
    return markdown_table([first, *(f"{task}, {metric}" for task, metric in columns)], rows)


def with_table(page: str) -> str:
    """The page with the table of today's reference runs."""
    return BETWEEN.sub(lambda _: readme_table(), page)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
