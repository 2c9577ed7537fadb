"""Tables on standard output."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

WIDTH = 100

CONSOLE = Console(width=WIDTH, highlight=False, markup=False, emoji=False)


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    text: Collection[str],
    wrapped: Collection[str],
    title: str | None = None,
) -> None:
    """Print a table of at most `WIDTH` characters, or wider if its columns need it.

    Args:
        headers: names of the columns.
        rows: one cell a column.
        text: columns that are aligned to the left; others hold numbers.
        wrapped: columns whose cells may continue in the next line, between words; none is cut.
        title: above the table.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    cells = list(rows)
    columns = [(header, *(row[index] for row in cells)) for index, header in enumerate(headers)]
    whole = [max(map(len, own)) for own in columns]
    least = [
        max(len(word) for text in own for word in text.split() or [""])
        if own[0] in wrapped
        else size
        for own, size in zip(columns, whole, strict=True)
    ]
    spare = WIDTH - sum(least) - 2 * (len(least) - 1)
    for header, size, smallest in zip(headers, whole, least, strict=True):
        more = max(0, min(spare, size - smallest))
        spare -= more
        justify: Literal["left", "right"] = "left" if header in text else "right"
        table.add_column(header, justify=justify, width=smallest + more)
    for row in cells:
        table.add_row(*row)
    CONSOLE.width = WIDTH + max(0, -spare)
    CONSOLE.print(table)
    CONSOLE.width = WIDTH


def print_board(board: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Print a table of each group of ranked encoders, the mean ranks, and the tables beside it.

    Args:
        board: result of `leaderboard`.
        scores: the rows that it was made from.
    """
    from mirprobe.reporting.extra_tables import tables_beside
    from mirprobe.reporting.ranks import mean_ranks
    from mirprobe.reporting.tables import rows_of

    for title, rows, notes in rows_of(board):
        headers, cells = [name for name, _ in rows[0]], [[text for _, text in row] for row in rows]
        names = ("encoder", "layer")
        print_table(headers, cells, text=(*names, "decoding"), wrapped=names, title=title)
        for note in notes:
            CONSOLE.print(note)
        CONSOLE.print()
    ranks = mean_ranks(board)
    if ranks:
        CONSOLE.print("mean rank: " + ", ".join(f"{name} {rank}" for name, rank in ranks.items()))
    for title, curves in tables_beside(scores):
        print_table(
            [name for name, _ in curves[0]],
            [[text for _, text in row] for row in curves],
            text=("encoder", "perturbation", "trained on"),
            wrapped=("encoder",),
            title=title,
        )


def print_left_out(problems: Mapping[str, str]) -> None:
    """Print why tracks could not be used: a line for each reason.

    Args:
        problems: track -> reason.
    """
    tracks: dict[str, list[str]] = {}
    for track, reason in problems.items():
        tracks.setdefault(reason, []).append(track)
    for reason, (first, *others) in tracks.items():
        count = f"{1 + len(others)} tracks, such as" if others else "track"
        typer.echo(f"left out: {count} '{first}': {reason}")
