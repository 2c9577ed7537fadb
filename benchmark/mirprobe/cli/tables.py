"""Tables on standard output."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table

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
    """Print a table of at most `WIDTH` characters.

    Args:
        headers: names of the columns.
        rows: one cell a column.
        text: columns that are aligned to the left; others hold numbers.
        wrapped: columns whose cells may continue in the next line; no cell is ever cut.
        title: above the table.
    """
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for header in headers:
        justify = "left" if header in text else "right"
        whole = header not in wrapped
        table.add_column(header, justify=justify, no_wrap=whole, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        table.add_row(*row)
    CONSOLE.print(table)
