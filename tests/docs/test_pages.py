"""Every command and block of the pages is executed, as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.pages import blocks_of, follow
from helpers.paths import ROOT

DOCS = ROOT / "docs"
PAGES = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if "_build" not in page.parts and "reference" not in page.parts and blocks_of(page)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working directory, so that the pages share the cache."""
    return tmp_path_factory.mktemp("pages")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(DOCS).as_posix())
def test_a_page_can_be_followed(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    follow(page)
