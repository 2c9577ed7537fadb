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
    """Main metric and interval of each encoder, a line for each data set, in the first's order."""
    boards = [
        leaderboard(read_runs([run]), None, read_pairs([run])) for run in RUNS if run.is_dir()
    ]
    mains = [board[board["main"]] for board in boards]
    tasks = mains[0][["task", "metric"]].drop_duplicates().to_numpy().tolist()
    data = (f"{board['dataset'].iloc[0]} ({board['n'].max()} test tracks)" for board in mains)
    cells = [
        {(row["encoder"], row["task"]): _score(row) for _, row in own.iterrows()} for own in mains
    ]
    rows = []
    for encoder in dict.fromkeys(mains[0]["encoder"]):
        lines = ([own.get((encoder, task), "") for own in cells] for task, _ in tasks)
        rows.append([f"`{encoder}`", *("<br>".join(filter(None, line)) for line in lines)])
    headers = ["<br>".join(data), *(f"{task}, {metric}" for task, metric in tasks)]
    return markdown_table(headers, rows, markup=True)


def _score(row: pd.Series) -> str:
    """Value and interval; bold if it is the best, † if the encoder was trained with labels."""
    value = f"**{row['value']:.3f}**" if row["rank"] == 1 else f"{row['value']:.3f}"
    mark = "" if row["rank"] > 0 else " †"  # no rank
    return f"{value} ({row['low']:.3f} to {row['high']:.3f}){mark}"


def with_table(page: str) -> str:
    """The page with the table of today's reference runs."""
    return BETWEEN.sub(lambda _: readme_table(), page)


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
