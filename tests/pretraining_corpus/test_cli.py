"""`python -m mirprobe_tasks.pretraining_corpus`: what it says, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.tunes import JACQUES, make_tune
from typer.testing import CliRunner

from mirprobe_tasks.music.sound_fonts import studio_font
from mirprobe_tasks.pretraining_corpus import recipe, timing
from mirprobe_tasks.pretraining_corpus.__main__ import app
from mirprobe_tasks.pretraining_corpus.debian import Fetched
from mirprobe_tasks.pretraining_corpus.tunes import write_tunes


def test_fonts_then_render_then_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Fetched((), (("opl3-soundfont", "no such package"),))
    monkeypatch.setattr(recipe, "fetch", lambda packages, output: failed)
    monkeypatch.setattr(timing, "SHORTEST", 10.0)
    monkeypatch.setattr(timing, "LONGEST", 14.0)
    work, bank = ["--work", str(tmp_path)], ["--bank", str(tmp_path / "bank")]
    done = CliRunner().invoke(app, ["fonts", *work])
    assert done.exit_code == 1  # a package could not be had; the others are there
    assert "cannot be downloaded: opl3-soundfont: no such package" in done.output
    assert "TimGM6mb.sf2 (6 MB)" in done.output
    write_tunes(tmp_path / "tunes.npz", [make_tune(JACQUES)], {})
    done = CliRunner().invoke(app, ["tunes", *work])
    assert done.exit_code == 0, done.output
    assert "tunes.npz: exists" in done.output
    options = ["--hours", "0.001", "--jobs", "1"]
    done = CliRunner().invoke(app, ["render", *work, *bank, *options])
    assert done.exit_code == 0, done.output
    assert "rendered: 1 tracks, 0 existed" in done.output
    done = CliRunner().invoke(app, ["check", *bank])
    assert done.exit_code == 0, done.output
    assert "1 tracks" in done.output


def test_errors_are_one_line(tmp_path: Path) -> None:
    for command in (["render", "--work"], ["recordings", "--work"], ["check", "--bank"]):
        done = CliRunner().invoke(app, [*command, str(tmp_path)])
        assert done.exit_code == 2
        assert done.output.startswith("error: ")
        assert done.output.count("\n") == 1


def test_fonts_that_are_there_need_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "font-packages/mine").mkdir(parents=True)
    (tmp_path / "font-packages/mine/my.sf2").write_bytes(studio_font())
    done = CliRunner().invoke(app, ["fonts", "--work", str(tmp_path), "--package", "mine"])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "fonts/my.sf2").exists()
