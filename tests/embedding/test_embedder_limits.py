"""Batches that outgrow the memory, reduced precision, encoders that change as they work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from helpers.embedded_tracks import embed
from helpers.encoders_for_tests import Oracle
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from torch import Tensor

from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.number_types import Precision
from mirprobe.core.schema import Annotations, Embedding, Level, Tokens, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.determinism import SHARE, TOLERANCE
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.evaluation.config import RunConfig, make_config
from mirprobe.evaluation.device import find_precision
from mirprobe.evaluation.runner import run_name
from mirprobe.probing import probes

BOTH: tuple[Level, Level] = ("clip", "frame")


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    """Two tracks of 25 and 80 windows of a second."""
    tracks = []
    for number, length in enumerate((25_000, 80_000)):
        path = tmp_path / f"{number}.wav"
        samples = np.random.default_rng(number).uniform(-1, 1, length)
        soundfile.write(path, samples, 1000, subtype="FLOAT")
        tracks.append(Track(f"track-{number}", path, "group", Annotations()))
    return tracks


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def embedded(encoder: Any, cache: Cache, tracks: list[Track], **options: Any) -> list[Embedding]:
    embedder = Embedder("my:encoder", encoder, cache, Encoding(layers=encoder.layers, **options))
    found = [embedding for _, embedding in embed(embedder, tracks, BOTH)]
    assert len(found) == len(tracks)
    assert all(isinstance(embedding, Embedding) for embedding in found)
    return found  # type: ignore[return-value]


class Cramped(Oracle):
    """Has memory for so many windows at once."""

    room = 3

    def __call__(self, audio: Tensor) -> Tokens:
        if len(audio) > self.room:
            self.calls.append((len(audio), -1))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().__call__(audio)


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, "mirprobe")
    logging.getLogger("mirprobe").propagate = True
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_batch_is_halved_until_it_fits_and_stays_so(
    tracks: list[Track], cache: Cache, tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    encoder = Cramped()
    found = embedded(encoder, cache, tracks, batch=16)
    assert [call[0] for call in encoder.calls[:4]] == [16, 8, 4, 2]
    assert all(call == (2, 1000) for call in encoder.calls[3:-2])
    assert sum(call[0] for call in encoder.calls[3:-1]) == 105
    assert warnings() == [
        f"encoder 'my:encoder': out of memory with {many} windows per call; "
        f"continues with {many // 2}"
        for many in (16, 8, 4)
    ]
    plain = embedded(Oracle(), Cache(tmp_path / "other"), tracks, batch=16)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(np.asarray(one.clip), np.asarray(other.clip))
        assert one.frames is not None
        assert other.frames is not None
        np.testing.assert_array_equal(one.frames.read(), other.frames.read())


@pytest.mark.parametrize(("window", "seconds"), [(1.0, "1.0"), (None, "25.0")])
def test_a_single_window_that_does_not_fit(
    tracks: list[Track], cache: Cache, window: float | None, seconds: str
) -> None:
    encoder = Cramped(window=window)
    encoder.room = 0
    with pytest.raises(EncoderError) as caught:
        embedded(encoder, cache, tracks, batch=16)
    assert str(caught.value) == (
        f"encoder 'my:encoder' runs out of memory on a single window of {seconds} s (cpu); use "
        "--precision bf16 or --device cpu, or give it a shorter window"
    )
    assert len(encoder.calls) == (1 if window is None else 5)


class Multiplying(Oracle):
    """What torch's autocast acts on: a product of matrices."""

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        assert tokens.class_token is not None
        turn = torch.tensor([[1.0, 0.3], [-0.3, 1.0]])
        return Tokens(tokens.sequence @ turn, tokens.class_token @ turn)


def test_precision_changes_the_numbers_and_the_key(tracks: list[Track], cache: Cache) -> None:
    def clip(precision: Precision) -> Any:
        return embedded(Multiplying(), cache, tracks, dtype="float32", precision=precision)[0].clip

    full, half, brain = clip("32"), clip("fp16"), clip("bf16")
    assert len(list(cache.entries())) == 3 * 2 * len(tracks)
    assert 0 < np.abs(full - half).max() < 0.002
    assert 0.002 < np.abs(full - brain).max() < 0.05


def test_full_precision_keeps_the_keys_that_are_known(tracks: list[Track], cache: Cache) -> None:
    embedder = Embedder("oracle", Oracle(), cache, Encoding(layers=("a",)))
    track = Track("id", tracks[0].audio, "group", Annotations())
    track.audio.write_bytes(b"RIFF")
    assert embedder.key(track, "clip") == "0be7bcf669229d80e45793f264f52411"


def test_what_precision_means_on_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    assert make_config({"precision": 32}).precision == "32"
    assert find_precision(RunConfig().precision, "cuda") == "32"
    auto = make_config({"precision": "auto"}).precision
    assert find_precision(auto, "cpu") == "32"
    for there in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda there=there: there)
        assert find_precision(auto, "cuda:1") == ("bf16" if there else "32")
    with pytest.raises(ConfigError, match=r"^unknown precision 'bf61'; did you mean 'bf16'\?$"):
        make_config({"precision": "bf61"})


def test_a_run_in_another_precision_is_another_run(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    bench = Workbench(tmp_path, tones)
    full = bench.run(Bands(), limit=2)
    half = bench.run(Bands(), limit=2, precision="bf16")
    assert (full.computed, half.computed) == (1, 1)
    assert full.folder.path != half.folder.path
    assert full.scores["cell"][0] != half.scores["cell"][0]
    auto = bench.run(Bands(), limit=2, precision="auto")  # full precision on the CPU
    assert (auto.computed, auto.folder.path) == (0, full.folder.path)


def test_runs_in_full_precision_are_called_what_they_were() -> None:
    assert run_name(RunConfig()).startswith("studio-standard-linear-")
    assert run_name(RunConfig(precision="32")) == run_name(RunConfig())
    assert run_name(RunConfig(precision="fp16")) != run_name(RunConfig())


def grown(factor: float) -> Callable[[int, Tokens], Tokens]:
    """Tokens that grow by a factor after the 20th call."""

    def fault(call: int, tokens: Tokens) -> Tokens:
        assert tokens.sequence is not None
        assert tokens.class_token is not None
        scale = factor if call > 20 else 1.0
        return Tokens(tokens.sequence * scale, tokens.class_token * scale)

    return fault


def test_an_encoder_that_changes_in_a_run_is_noticed_and_not_cached(
    tracks: list[Track], cache: Cache
) -> None:
    kept = embedded(Oracle(fingerprint="kept"), cache, tracks)
    with pytest.raises(EncoderError) as caught:
        embedded(Oracle(fault=grown(1.5)), cache, tracks, batch=4)
    assert str(caught.value).startswith(
        "encoder 'my:encoder' gave two embeddings of the same window, 50 % apart, at the beginning "
        "and the end of 105 windows; put it into evaluation mode"
    )
    assert len(list(cache.entries())) == 2 * len(kept)
    assert len(embedded(Oracle(), cache, tracks)) == 2


def test_what_arithmetic_may_do_is_no_change(tracks: list[Track], cache: Cache) -> None:
    encoder = Oracle(fault=grown(1 + 0.9 * TOLERANCE))
    embedded(encoder, cache, tracks, batch=4)
    assert encoder.calls[-2:] == [(1, 1000), (1, 1000)]  # 105 windows, and the first again
    assert len(encoder.calls) == 105 // 4 + 1 + 1


def test_nothing_is_encoded_again_where_that_would_cost_more_than_a_tenth(
    tracks: list[Track], cache: Cache
) -> None:
    few = Oracle(window=4.0)
    embedded(few, cache, tracks[:1], batch=4)  # 7 windows
    assert len(few.calls) == 2
    long = Oracle(window=None, fingerprint="long")
    embedded(long, cache, tracks)
    assert len(long.calls) == 2
    assert SHARE == 10


class Drifting(Bands):
    """Its weights go on changing."""

    window: float | None = 0.2

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        return Tokens(tokens.sequence * (1 + self.calls))


def test_a_run_goes_on_with_the_other_encoders(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    result = Workbench(tmp_path, tones).run(Drifting(), Bands())
    assert list(result.failures) == ["Drifting"]
    assert result.failures["Drifting"].startswith("encoder 'Drifting' gave two embeddings of the")
    assert set(result.scores["encoder"]) == {"Bands"}
