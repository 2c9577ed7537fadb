from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.sweeps import HOP, RATE, add, build, logmel, sweep

from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.pretraining.bank_shards import REST, Samples, Shard, stream
from mirprobe.pretraining.merge_shards import known_keys, merge_shards
from mirprobe.pretraining.quantise import DType, Quantiser, level
from mirprobe.vit1d.frontend import LogMel, LogMelConfig

CONFIG = LogMelConfig()


# frames -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [997, 16_000, 40_000, 160_000])
def test_blocks_join_to_the_frames_of_the_whole(size: int) -> None:
    samples = sweep()
    blocks = [samples[start : start + size] for start in range(0, len(samples), size)]
    joined = np.concatenate(list(stream(blocks, LogMel())))
    np.testing.assert_allclose(joined, logmel(samples), atol=1e-5)


@pytest.mark.parametrize("length", [0, 1, 511, 1024, 1025, 2047, 2048, 4097])
def test_short_audio_is_framed_as_the_front_end_does(length: int) -> None:
    samples = sweep(1.0)[:length]
    joined = np.concatenate(list(stream([samples], LogMel())))
    np.testing.assert_allclose(joined, logmel(samples), atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_a_segment_is_what_the_model_hears_away_from_the_edges(
    tmp_path: Path, dtype: DType
) -> None:
    samples = sweep(12.0)
    add(tmp_path, "sweep", samples, dtype=dtype)
    bank = merge_shards(tmp_path)
    assert bank.frames.dtype == np.dtype(dtype)
    assert bank.frames.shape == (12 * RATE // HOP + 1, 128)
    bound = {"uint8": bank.quantiser.scale / 2 + 1e-5, "float16": 2**-10}[dtype]
    for start in (0, 40, 200):
        window = logmel(samples[start * HOP : start * HOP + 4 * RATE])
        segment = bank.quantiser.dequantise(bank.frames[start : start + 126])
        inside = np.abs(segment - window)[2:-2]  # two frames a side hear the mirrored edge
        assert inside.max() <= bound
        assert bank.error.largest <= bound


def test_a_long_track_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    minutes, block = 20, sweep(10.0)
    tracemalloc.start()
    part = add(tmp_path, "long", (block for _ in range(6 * minutes)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert part.frames == minutes * 60 * RATE // HOP + 1
    assert peak < minutes * 60 * RATE * 4 / 3  # the samples alone would be three times that


# quantisation -------------------------------------------------------------------------------------


def test_eight_bits_err_by_half_a_step_at_most() -> None:
    quantiser = Quantiser.make(CONFIG, "uint8")
    top = quantiser.offset + 255 * quantiser.scale
    values = np.linspace(quantiser.offset, top, 100_001, dtype=np.float32)
    errors = np.abs(quantiser.dequantise(quantiser.quantise(values)) - values)
    assert errors.max() == pytest.approx(quantiser.scale / 2, rel=1e-3)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(quantiser.scale / math.sqrt(12), rel=1e-2)
    beyond = quantiser.quantise(np.array([-99.0, 99.0], np.float32))
    assert beyond.tolist() == [0, 255]


def test_the_range_holds_all_audio_between_minus_one_and_one() -> None:
    quantiser = Quantiser.make(CONFIG, "uint8")
    time = np.arange(RATE) / RATE
    square = np.sign(np.sin(2 * np.pi * 125 * time)).astype(np.float32)
    noise = np.sign(np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    for loudest in (square, noise, np.ones(RATE, np.float32)):
        assert quantiser.quantise(logmel(loudest)).max() < 255
    assert (quantiser.quantise(logmel(np.zeros(RATE, np.float32))) == 0).all()
    silence = quantiser.dequantise(np.zeros((1, 128), np.uint8))
    np.testing.assert_allclose(silence, logmel(np.zeros(1, np.float32))[:1], atol=1e-6)


def test_levels_are_those_of_sines() -> None:
    tone = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    assert logmel(tone)[4:-4].max() == pytest.approx(level(CONFIG, -20.0), abs=0.1)


def test_tensors_are_dequantised_as_arrays_are(tmp_path: Path) -> None:
    bank = build(tmp_path, 2)
    rows = bank.frames[:6].reshape(2, 3, 128)
    tensor = bank.quantiser.dequantise(torch.from_numpy(np.array(rows)))
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.numpy(), bank.quantiser.dequantise(rows), atol=1e-6)
    assert torch.equal(bank.load(), torch.from_numpy(np.array(bank.frames)))


@pytest.mark.parametrize("dtype", ["uint8", "float16"])
def test_the_stated_error_is_the_error(tmp_path: Path, dtype: DType) -> None:
    build(tmp_path, 2, dtype=dtype)
    bank = build(tmp_path, 1, first=2, dtype=dtype)  # added to a bank that states its own
    truth = np.concatenate([logmel(sweep(8.5, seed=number)) for number in range(3)])
    errors = np.abs(bank.quantiser.dequantise(bank.frames) - truth)
    assert bank.error.rms == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-3)
    assert bank.error.largest == pytest.approx(errors.max(), rel=1e-3)


# silence and tracks that cannot be used -----------------------------------------------------------


def test_silence_is_cut_to_half_a_second_on_either_side(tmp_path: Path) -> None:
    sound, pause = sweep(10.0), np.zeros(20 * RATE, np.float32)
    part = add(tmp_path, "pauses", np.concatenate((pause, sound, pause, sound, pause)))
    # 313 frames are centred within 10 s; one or two more a side hear its end
    assert part.frames == pytest.approx(2 * (313 + 2 * REST), abs=8)
    assert part.duration == 80.0
    bank = merge_shards(tmp_path)
    quiet = bank.quantiser.dequantise(bank.frames).max(axis=1) < level(CONFIG, -70.0)
    assert quiet.sum() == pytest.approx(4 * REST, abs=2)


def test_a_rest_stays(tmp_path: Path) -> None:
    sound, rest = sweep(5.0), np.zeros(RATE, np.float32)
    part = add(tmp_path, "rest", np.concatenate((sound, rest, sound)))
    assert part.frames == 11 * RATE // HOP + 1


@pytest.mark.parametrize(("decibels", "sounds"), [(-60, True), (-80, False)])
def test_the_threshold_of_silence(tmp_path: Path, decibels: float, sounds: bool) -> None:
    time = np.arange(10 * RATE) / RATE
    tone = 10 ** (decibels / 20) * np.sin(2 * np.pi * 440 * time)
    track = add(tmp_path, "tone", tone.astype(np.float32))
    assert isinstance(track, Shard) == sounds


def test_two_segments_are_enough(tmp_path: Path) -> None:
    assert isinstance(add(tmp_path, "enough", sweep(8.04)), Shard)
    assert add(tmp_path, "short", sweep(8.0)).kind == "too short"


def failing() -> Iterator[Samples]:
    yield sweep(5.0)
    raise TrackError("cannot be decoded (no reason)")


def test_what_cannot_be_used_says_why_and_is_not_tried_again(tmp_path: Path) -> None:
    broken = sweep()
    broken[5000] = np.nan
    bad: list[tuple[str, Any, str]] = [
        ("silent", np.zeros(20 * RATE, np.float32), "silent"),
        ("short", sweep(3.0), "too short"),
        ("empty", np.zeros(0, np.float32), "silent"),
        ("nan", broken, "undecodable"),
        ("broken", failing(), "undecodable"),
    ]
    for name, samples, kind in bad:
        assert add(tmp_path, name, samples).kind == kind
    with pytest.raises(ConfigError) as error:
        merge_shards(tmp_path)
    assert "no track for a bank" in str(error.value)
    bank = build(tmp_path, 1)
    assert {entry.source: entry.kind for entry in bank.skipped} == {
        f"{name}.wav": kind for name, _, kind in bad
    }
    assert {f"key of {name}" for name, _, _ in bad} <= known_keys(tmp_path)


def test_a_part_that_is_there_is_not_computed_again(tmp_path: Path) -> None:
    def never() -> Iterator[Samples]:
        raise AssertionError
        yield sweep()

    first = add(tmp_path, "one", sweep())
    assert add(tmp_path, "one", never()) == first
    with pytest.raises(ValueError, match="mono"):
        add(tmp_path, "stereo", np.zeros((9 * RATE, 2), np.float32))
