"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, one line a row; `|` in a cell is escaped."""
    escaped = "\\|"
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', escaped) for cell in line)} |\n" for line in lines
    )
