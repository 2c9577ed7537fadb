"""Every command and block of the pages is executed, as a reader would."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.pages import FILE, blocks_of, execute, follow
from helpers.paths import ROOT

DOCS = ROOT / "docs"
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")))
    if "_build" not in page.parts and "reference" not in page.parts and blocks_of(page)
]

OWN = ("own-task", "own-dataset")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One working directory, so that the pages share the cache."""
    return tmp_path_factory.mktemp("pages")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_can_be_followed(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    follow(page)


@pytest.mark.parametrize(
    ("page", "most"), [("own-encoder", 15), ("own-task", 15), ("own-dataset", 22)]
)
def test_the_first_class_of_a_page_is_short(page: str, most: int) -> None:
    text = next(b.text for b in blocks_of(DOCS / f"how-to/{page}.md") if "\nclass " in b.text)
    body = text[text.index("\nclass ") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= most


def test_the_task_on_a_field_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for block in (one for page in OWN for one in blocks_of(DOCS / f"how-to/{page}.md")):
        if file := FILE.match(block.text):
            Path(file[1]).write_text(block.text)
    task = ["register.py:Register", "--dataset", "tones.py:Tones"]
    assert " 0 failed" in execute(["mirprobe", "validate-task", *task])


@pytest.mark.parametrize("name", ["ClipClassification", "EventDetection"])
def test_a_declaration_is_short(name: str) -> None:
    [block] = [b for b in blocks_of(DOCS / "how-to/own-task.md") if f"({name}):" in b.text]
    body = block.text[block.text.index("\nclass ") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 15
