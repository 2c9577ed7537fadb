from __future__ import annotations

import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from helpers.small_training import (
    INTERVALS,
    make_bank,
    rows,
    run,
)
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def test_tensorboard_has_the_figures_of_the_csv_files(tmp_path: Path) -> None:
    run(tmp_path, make_bank(held_out=3, frames=960), intervals=replace(INTERVALS, validate_every=5))
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    shown = {tag: [(one.step, one.value) for one in board.Scalars(tag)] for tag in _scalars(board)}
    logged: dict[str, list[tuple[int, float]]] = {}
    for kind in ("training", "retrieval"):
        for row in rows(tmp_path / f"{kind}.csv"):
            step, words = int(row.pop("step")), [row.pop("embedding", "")]
            for name, value in row.items():
                tag = "/".join(filter(None, (kind, *words, name)))
                logged.setdefault(tag, []).append((step, float(value)))
    assert {"training/loss", "training/rate", "retrieval/model/mrr"} <= logged.keys()
    assert shown.keys() == logged.keys()
    for tag, points in logged.items():
        assert shown[tag] == [(step, pytest.approx(value, rel=1e-6)) for step, value in points]


def _scalars(board: EventAccumulator) -> list[str]:
    tags = board.Tags()["scalars"]
    assert isinstance(tags, list)
    return tags


class Terminal(StringIO):
    """What is written to it, and that somebody looks."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_a_bar_shows_steps_loss_and_speed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    done = run(tmp_path)
    last = terminal.getvalue().split("\r")[-1]
    assert "training: 100%" in last
    assert "10/10" in last
    assert f"loss={done.loss:.3f}, segments_per_s=" in last


def test_off_a_terminal_it_is_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path)
    assert capfd.readouterr() == ("", "")
