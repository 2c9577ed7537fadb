"""Encoders that break their promises: each ends in one line that names the encoder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from helpers.embedded_tracks import embed
from helpers.encoders_for_tests import Oracle, only
from torch import Tensor

from mirprobe.core.errors import EncoderError
from mirprobe.core.schema import Annotations, Embedding, Level, Tokens, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.track_encoder import Encoding

Fault = Callable[[int, Tokens], Any]
BOTH: tuple[Level, Level] = ("clip", "frame")


@pytest.fixture
def tracks(tmp_path: Path) -> list[Track]:
    """Ten tracks of one window each."""
    tracks = []
    for number in range(10):
        path = tmp_path / f"{number}.wav"
        samples = np.random.default_rng(number).uniform(-1, 1, 4000)
        soundfile.write(path, samples, 1000, subtype="FLOAT")
        tracks.append(Track(f"track-{number}", path, "group", Annotations()))
    return tracks


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def oracle(fault: Fault | None = None, **options: Any) -> Oracle:
    options = {"window": 4.0, "frame_rate": 100.0, **options}
    return Oracle(**options) if fault is None else Oracle(**options, fault=fault)


def embedder(encoder: Oracle, cache: Cache, **options: Any) -> Embedder:
    options = {"batch": 2, **options}
    return Embedder("my:encoder", encoder, cache, Encoding(layers=encoder.layers, **options))


def failure(
    encoder: Oracle, cache: Cache, tracks: Sequence[Track], levels: Sequence[Level] = BOTH
) -> str:
    """The one line that a run over the tracks ends in, without the encoder's name."""
    with pytest.raises(EncoderError) as caught:
        list(embed(embedder(encoder, cache), tracks, levels))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("encoder 'my:encoder' ")
    return message.removeprefix("encoder 'my:encoder' ")


def on(field: str, change: Callable[[Tensor], Any]) -> Fault:
    """A fault that changes one field of the tokens."""

    def fault(call: int, tokens: Tokens) -> Tokens:
        values = {"sequence": tokens.sequence, "class_token": tokens.class_token}
        changed = values[field]
        assert changed is not None
        return Tokens(**{**values, field: change(changed)})

    return fault


def poked(value: float) -> Callable[[Tensor], Tensor]:
    def poke(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[tensor.numel() // 3] = value
        return tensor

    return poke


def test_an_encoder_that_keeps_its_promises(cache: Cache, tracks: list[Track]) -> None:
    results = list(embed(embedder(oracle(), cache), tracks, BOTH))
    assert [track.id for track, _ in results] == [track.id for track in tracks]
    assert all(isinstance(found, Embedding) for _, found in results)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(("field", "what"), [("sequence", "sequence"), ("class_token", "class to")])
def test_values_that_are_not_finite(
    cache: Cache, tracks: list[Track], field: str, what: str, value: float
) -> None:
    message = failure(oracle(on(field, poked(value))), cache, tracks)
    assert message.startswith(f"returned NaN or infinite values in its {what}")
    assert re.search(r": \d+ of \d+, first in layer '\w+'; correct the encoder", message)
    assert list(cache.entries()) == []


@pytest.mark.parametrize("value", [70_000.0, -70_000.0])
@pytest.mark.parametrize("field", ["sequence", "class_token"])
def test_values_beyond_float16(cache: Cache, tracks: list[Track], field: str, value: float) -> None:
    encoder = oracle(on(field, poked(value)))
    message = failure(encoder, cache, tracks)
    assert message.endswith("beyond float16; use --dtype float32")
    assert "7e+04" in message
    few = tracks[:9]  # so that no window is encoded again, in a batch of another size
    assert len(list(embed(embedder(encoder, cache, dtype="float32"), few, BOTH))) == 9


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[:1],  # batch
        lambda x: x[:, :, :2],  # layers
        lambda x: x[..., :1],  # dim
        lambda x: x.repeat(1, 1, 2, 1),
        lambda x: x[:, :, 0],  # an axis less
        lambda x: x[None],  # an axis more
        lambda x: x.transpose(0, 1),
    ],
)
def test_a_sequence_of_a_wrong_shape(
    cache: Cache, tracks: list[Track], change: Callable[[Tensor], Tensor]
) -> None:
    shape = tuple(change(torch.zeros(2, 401, 3, 2)).shape)
    message = failure(oracle(on("sequence", change)), cache, tracks)
    assert message == (
        f"returned a sequence of shape {shape}; its layers and dim call for (2, time, 3, 2)"
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[:1],
        lambda x: x[:, :2],
        lambda x: x[..., :1],
        lambda x: x[:, 0],
        lambda x: x[:, None],
    ],
)
def test_class_tokens_of_a_wrong_shape(
    cache: Cache, tracks: list[Track], change: Callable[[Tensor], Tensor]
) -> None:
    shape = tuple(change(torch.zeros(2, 3, 2)).shape)
    message = failure(oracle(on("class_token", change)), cache, tracks)
    assert message == (
        f"returned class tokens of shape {shape}; its layers and dim call for (2, 3, 2)"
    )


def resampled(factor: float) -> Callable[[Tensor], Tensor]:
    """As many frames as at another rate."""

    def change(tensor: Tensor) -> Tensor:
        count = round(tensor.shape[1] * factor)
        return tensor[:, torch.arange(count) % tensor.shape[1]]

    return change


@pytest.mark.parametrize("factor", [0.5, 2.0, 0.99, 1.01, 0.0])
def test_a_wrong_frame_rate(cache: Cache, tracks: list[Track], factor: float) -> None:
    message = failure(oracle(on("sequence", resampled(factor))), cache, tracks)
    count = round(401 * factor)
    assert message == (
        f"returned {count} frames for 4.000 s, {count / 4:.2f} a second; it declares frame_rate "
        "100.0, which calls for about 400"
    )


@pytest.mark.parametrize("window", [4.0, None])
def test_a_frame_more_or_less_is_no_fault(
    cache: Cache, tracks: list[Track], window: float | None
) -> None:
    for count in (399, 400, 401):
        fewer = on("sequence", lambda x, count=count: x[:, :count])  # type: ignore[misc]
        encoder = oracle(fewer, window=window, fingerprint=f"{count} of {window}")
        results = [found for _, found in embed(embedder(encoder, cache), tracks, BOTH)]
        assert len(results) == 10
        for found in results:
            assert isinstance(found, Embedding)
            assert found.frames is not None
            assert found.frames.shape == (count, 3, 2)


def test_an_encoder_that_raises_on_its_third_batch(cache: Cache, tracks: list[Track]) -> None:
    def fail(call: int, tokens: Tokens) -> Tokens:
        if call == 3:
            raise RuntimeError("out of memory\n  in layer 7")
        return tokens

    results = embed(embedder(oracle(fail), cache), tracks, BOTH)
    done = [next(results)[0].id for _ in range(4)]
    assert done == [f"track-{number}" for number in range(4)]
    with pytest.raises(EncoderError) as caught:
        next(results)
    assert str(caught.value) == (
        "encoder 'my:encoder' raised RuntimeError: out of memory in layer 7 (windows of shape "
        "(2, 4000))"
    )
    mended = oracle()
    assert len(list(embed(embedder(mended, Cache(cache.root)), tracks, BOTH))) == 10
    # of the four tracks of the first two batches, one is encoded again to compare it
    assert mended.calls == [(1, 4000), *[(2, 4000)] * 3]


@pytest.mark.parametrize(
    ("kept", "sources", "missing"),
    [
        ("sequence", ("class",), "class"),
        ("sequence", ("sequence", "both"), "both"),
        ("class_token", ("class", "sequence"), "sequence"),
        ("class_token", ("both",), "both"),
        ("", ("class",), "class"),
    ],
)
def test_tokens_that_a_declared_source_lacks(
    cache: Cache, tracks: list[Track], kept: str, sources: tuple[str, ...], missing: str
) -> None:
    encoder = oracle(
        lambda call, tokens: only(tokens, kept=[kept] if kept else []), sources=sources
    )
    message = failure(encoder, cache, tracks, ["clip"])
    assert message == (
        f"declares the source '{missing}' but returns no tokens for it; return them, or take it "
        "from `sources`"
    )


def test_sources_that_nobody_knows(cache: Cache, tracks: list[Track]) -> None:
    message = failure(oracle(sources=("class", "median")), cache, tracks, ["clip"])
    assert message.startswith("declares the source 'median' but returns no tokens for it; return")
    assert failure(oracle(sources=()), cache, tracks, ["clip"]).startswith("declares no sources; ")


@pytest.mark.parametrize("levels", [["frame"], ["clip", "frame"]])
def test_frames_that_do_not_come(
    cache: Cache, tracks: list[Track], levels: Sequence[Level]
) -> None:
    def fault(call: int, tokens: Tokens) -> Tokens:
        return only(tokens, kept=["class_token"])

    for encoder in (oracle(fault, sources=("class",)), oracle(frame_rate=None)):
        assert failure(encoder, cache, tracks, levels).startswith("has no frames: they need a fra")
    clip_only = oracle(fault, sources=("class",))
    assert len(list(embed(embedder(clip_only, cache), tracks, ["clip"]))) == 10


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda call, tokens: tokens.sequence, "returned a Tensor; return mirprobe.Tokens"),
        (lambda call, tokens: None, "returned a NoneType; return mirprobe.Tokens"),
        (
            on("sequence", lambda x: x.numpy()),
            "returned a ndarray as tokens, not a tensor",
        ),
        (on("sequence", lambda x: x.to_sparse()), "returned sparse tokens; return dense ones"),
        (on("class_token", lambda x: x.tolist()), "returned a list as tokens, not a tensor"),
    ],
)
def test_what_is_not_tokens(cache: Cache, tracks: list[Track], fault: Fault, message: str) -> None:
    assert failure(oracle(fault), cache, tracks) == message


def test_a_sequence_without_tokens(cache: Cache, tracks: list[Track]) -> None:
    encoder = oracle(on("sequence", lambda x: x[:, :0]), frame_rate=None)
    message = failure(encoder, cache, tracks, ["clip"])
    assert message == "returned an empty sequence of shape (2, 0, 3, 2)"


def test_a_window_that_holds_no_frame(cache: Cache, tracks: list[Track]) -> None:
    message = failure(oracle(window=0.5, frame_rate=1.0), cache, tracks)
    assert message.startswith("window 0.5 s holds no frame")
