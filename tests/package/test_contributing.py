"""CONTRIBUTING.md names packages and files that exist, and every package."""

from __future__ import annotations

import re

import pytest
from helpers.paths import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:benchmark|tasks|tests)/[\w./]+)`", TEXT)))


@pytest.mark.parametrize("path", PATHS)
def test_a_named_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("folder", ["benchmark/mirprobe", "tasks/mirprobe_tasks"])
def test_every_package_is_described(folder: str) -> None:
    packages = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")}
    described = set(re.findall(r"^\| `(\w+)/` \|", TEXT, re.MULTILINE))
    assert packages
    assert packages <= described


def test_paths_are_named() -> None:
    assert len(PATHS) > 10
