"""Tables in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

_MARKS = re.compile(
    r"[\\`*|~]|\[(?=.*\]\()|<(?=[\w/!?])|&(?=[\w#])"
    r"|(?<![^\W_])_|_(?![^\W_])"  # not between two letters: there it means nothing
)
"""Characters that would mean something else than themselves (GitHub Flavored Markdown, 6)."""


def escaped(text: str) -> str:
    """A text as Markdown shows it."""
    return _MARKS.sub(r"\\\g<0>", text)


def markdown_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], *, markup: bool = False
) -> str:
    """A Markdown table, one line a row.

    Args:
        headers: of the columns.
        rows: their cells.
        markup: whether the texts are Markdown, in which `|` alone is escaped.
    """
    bar = "\\|"
    lines = [
        [cell.replace("|", bar) if markup else escaped(cell) for cell in line]
        for line in [headers, *rows]
    ]
    lines.insert(1, ["---"] * len(headers))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
