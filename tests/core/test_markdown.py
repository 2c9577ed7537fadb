from __future__ import annotations

from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from mirprobe.core.markdown import escaped, markdown_table

NAMES = [
    "<b>bold</b>",
    "<!-- no comment -->",
    "<https://example.org>",
    "*a* **b**",
    "_private_ __init__ my_own_name",
    "a|b",
    "[text](https://example.org)",
    "![image](x.png)",
    "`code` ``",
    "~~struck~~",
    r"back\slash \* \\",
    "&lt; &#60; a & b",
    "0.812 [0.750, 0.861] < 0.9",
    "# no title",
    "pool(concat(A,B),5) Ours=x.py:Y",
]


class Texts(HTMLParser):
    """The texts of the cells of a page; no other element than those of a table is in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag in ("th", "td"):
            self.found.append("")

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1] += data


def texts(markdown: str) -> Texts:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return Texts(reader.render(markdown))


def test_a_table_shows_names_as_they_are() -> None:
    found = texts(markdown_table(NAMES, [NAMES[::-1]]))
    assert [text.strip() for text in found.found] == [*NAMES, *NAMES[::-1]]
    assert found.tags == {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("name", ["my_own_name", "vit1d-random:seed=1", "0.8 [0.7, 0.9]", "< 0.1"])
def test_what_means_nothing_else_is_not_escaped(name: str) -> None:
    assert escaped(name) == name


def test_markup_stays() -> None:
    table = markdown_table(["`a`"], [["**b|c**"]], markup=True)
    assert table == "| `a` |\n| --- |\n| **b\\|c** |\n"
    assert texts(table).tags >= {"code", "strong"}
