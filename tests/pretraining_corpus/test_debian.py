"""Fetching packages, with an apt-get and a dpkg of our own on the path."""

from __future__ import annotations

from pathlib import Path

import pytest

from mirprobe.core.errors import ConfigError
from mirprobe_tasks.pretraining_corpus.debian import RECORDINGS, fetch

APT = """#!/bin/sh
echo "$@" >> "{log}"
case "$2" in
  lost-*) echo "W: a warning" >&2; echo "E: Unable to locate package $2" >&2; exit 100 ;;
  empty-*) exit 0 ;;
esac
echo archive > "$2_1.0_all.deb"
"""
DPKG = """#!/bin/sh
case "$2" in
  broken-*) echo "dpkg-deb: error: not a Debian archive" >&2; exit 2 ;;
esac
mkdir -p "$3/usr" && echo music > "$3/usr/song.ogg"
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tools, log = tmp_path / "bin", tmp_path / "log"
    tools.mkdir()
    for name, text in (("apt-get", APT.format(log=log)), ("dpkg", DPKG)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return log


def test_packages_are_unpacked_and_nothing_else_is_left(tmp_path: Path, log: Path) -> None:
    done = fetch(["asc-music", "wizznic-data"], tmp_path / "out")
    assert done.failed == ()
    assert [folder.name for folder in done.folders] == ["asc-music", "wizznic-data"]
    assert (tmp_path / "out/asc-music/usr/song.ogg").read_text() == "music\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "asc-music",
        "wizznic-data",
    ]
    assert log.read_text() == "download asc-music\ndownload wizznic-data\n"


def test_what_is_there_is_not_fetched_again(tmp_path: Path, log: Path) -> None:
    fetch(["asc-music"], tmp_path / "out")
    done = fetch(["asc-music", "wizznic-data"], tmp_path / "out")
    assert len(done.folders) == 2
    assert log.read_text().splitlines().count("download asc-music") == 1


def test_a_lost_package_keeps_no_other(tmp_path: Path, log: Path) -> None:
    packages = ["lost-music", "broken-music", "empty-music", "asc-music"]
    done = fetch(packages, tmp_path / "out")
    assert [folder.name for folder in done.folders] == ["asc-music"]
    reasons = dict(done.failed)
    assert reasons["lost-music"].endswith("E: Unable to locate package lost-music")
    assert "not a Debian archive" in reasons["broken-music"]
    assert "no .deb" in reasons["empty-music"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["asc-music"]


def test_without_the_tools_the_remedy_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"apt-get and dpkg not found.*asc-music"):
        fetch(["asc-music"], tmp_path / "out")


def test_without_the_tools_what_is_there_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "out/asc-music").mkdir(parents=True)
    assert fetch(["asc-music"], tmp_path / "out").folders == (tmp_path / "out/asc-music",)


@pytest.mark.parametrize("package", ["fretsonfire-songs-muldjord", "planetblupi-music-ogg"])
def test_some_are_never_fetched(tmp_path: Path, log: Path, package: str) -> None:
    with pytest.raises(ConfigError, match="never used"):
        fetch([package], tmp_path / "out")
    assert not log.exists()


def test_the_list_is_that_of_the_recipe() -> None:
    assert len(set(RECORDINGS)) == 16
