"""The README is short, its table is that of the reference runs, its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.paths import ROOT
from readme_table import with_table

README = ROOT / "README.md"
PAGES = [README, *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "RELEASING"))]
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")


def test_two_screens() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 110


def test_its_table_is_that_of_the_reference_runs() -> None:
    page = README.read_text(encoding="utf-8")
    assert "| `vit1d` |" in page
    assert with_table(page) == page, "run: python docs/readme_table.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []
