"""The site builds without a warning and asks for nothing from outside."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.paths import ROOT

REQUEST = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^>]*>"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages; a broken link is a warning and ends the build."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(out / "trees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(out / "html")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return out / "html"


def test_no_page_asks_for_anything_from_outside(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    assert [found for page in pages for found in REQUEST.findall(page.read_text("utf-8"))] == []


def test_the_site_has_the_page_of_a_run(site: Path) -> None:
    assert '<a href="example.html">' in (site / "index.html").read_text("utf-8")
    assert "vit1d-random" in (site / "example.html").read_text("utf-8")


def test_every_option_and_every_data_set_has_its_place(site: Path) -> None:
    line = re.sub("<[^>]+>", "", (site / "reference/command-line.html").read_text("utf-8"))
    assert "--resamples" in line
    assert "mirprobe cache prune" in line
    data = (site / "reference/datasets.html").read_text("utf-8")
    assert all(name in data for name in ("studio", "gtzan_genre", "openmic2018"))
