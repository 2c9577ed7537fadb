from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest
import torch
from helpers.encoders_for_tests import Oracle
from torch import Tensor

from mirprobe.core.schema import Tokens
from mirprobe.embedding import throughput as speed
from mirprobe.embedding.throughput import ThroughputStore, measure_throughput


class Clock:
    """A clock that moves only as encoders say."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(speed, "perf_counter", made)
    return made


def paced(clock: Clock, pace: float, window: float | None) -> Oracle:
    """Takes a second for `pace` seconds of audio, and ten times as long at its first call."""

    def passing(number: int, tokens: Tokens) -> Tokens:
        rows, samples = encoder.calls[-1]
        clock.now += rows * samples / encoder.sample_rate / pace * (10 if number == 1 else 1)
        return tokens

    encoder = Oracle(window=window, fault=passing)
    return encoder


def test_it_is_seconds_of_audio_a_second_without_the_first_call(clock: Clock) -> None:
    encoder = paced(clock, 200.0, window=2.0)
    assert measure_throughput(encoder, batch=4) == pytest.approx(200)
    samples = 2 * encoder.sample_rate
    assert encoder.calls == [(1, samples)] * 2 + [(4, samples)] * speed.CALLS


def test_a_slow_one_is_not_given_whole_batches(clock: Clock) -> None:
    """Of 100 s a window one call is enough, of 4 s two windows fit into a call."""
    encoder = paced(clock, 0.02, window=2.0)
    assert measure_throughput(encoder, batch=64) == pytest.approx(0.02)
    assert [rows for rows, _ in encoder.calls] == [1, 1]
    encoder = paced(clock, 0.5, window=2.0)
    assert measure_throughput(encoder, batch=64) == pytest.approx(0.5)
    assert [rows for rows, _ in encoder.calls] == [1, 1, 2]


def test_of_any_length_one_at_a_time_and_a_slow_one_not_often(clock: Clock) -> None:
    encoder = paced(clock, 4.0, window=None)
    assert measure_throughput(encoder, batch=4) == pytest.approx(4)
    assert encoder.calls == [(1, 10 * encoder.sample_rate)] * 2


def test_it_is_measured_once(tmp_path: Path, clock: Clock) -> None:
    encoder = paced(clock, 8.0, window=2.0)
    speeds = ThroughputStore(tmp_path, "cpu", "32")
    assert isnan(speeds.get(encoder))
    assert speeds.measure("paced", encoder, 4) == pytest.approx(8)
    calls = len(encoder.calls)
    assert speeds.measure("paced", encoder, 4) == speeds.get(encoder) == pytest.approx(8)
    assert len(encoder.calls) == calls
    assert isnan(ThroughputStore(tmp_path, "cpu", "bf16").get(encoder))
    (file,) = (tmp_path / "speeds").iterdir()
    file.write_text('{"speed": ')
    assert isnan(speeds.get(encoder))


def test_one_that_fails_on_noise_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Fussy(Oracle):
        def __call__(self, audio: Tensor) -> Tokens:
            raise RuntimeError("only music")

    with caplog.at_level("WARNING"):
        assert isnan(ThroughputStore(tmp_path, "cpu", "32").measure("fussy", Fussy(), 2))
    assert "encoder 'fussy': its throughput cannot be measured" in caplog.text
    assert "only music" in caplog.text
    assert not list(tmp_path.iterdir())


def test_memory_that_is_not_there_costs_no_run(tmp_path: Path) -> None:
    class Large(Oracle):
        def __call__(self, audio: Tensor) -> Tokens:
            raise torch.OutOfMemoryError("too much")

    assert isnan(ThroughputStore(tmp_path, "cpu", "32").measure("large", Large(), 2))
