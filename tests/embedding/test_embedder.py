from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from helpers.embedded_tracks import LENGTHS, embed_all, embedder, naive
from helpers.encoders_for_tests import Oracle
from torch import Tensor

from mirprobe.core.errors import EncoderError
from mirprobe.core.number_types import Dtype
from mirprobe.core.schema import Level, Tokens, Track
from mirprobe.data import audio
from mirprobe.embedding.cache import Cache
from mirprobe.encoders.windows import layout_windows


@pytest.mark.parametrize(("window", "context"), [(1.0, 0.0), (0.73, 0.0), (0.73, 0.2), (None, 0.0)])
@pytest.mark.parametrize("frame_rate", [25.0, 31.25, 9.9])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_embeddings_equal_a_naive_loop(
    tracks: list[Track],
    cache: Cache,
    window: float | None,
    context: float,
    frame_rate: float,
    dtype: Dtype,
) -> None:
    layers = ("c", "a")
    encoder = Oracle(window=window, frame_rate=frame_rate, context=context)
    first = embed_all(embedder(encoder, cache, layers=layers, dtype=dtype), tracks)
    again = embed_all(embedder(encoder, Cache(cache.root), layers=layers, dtype=dtype), tracks)
    tolerance = 1e-5 if dtype == "float32" else 2e-3
    for track in tracks:
        clip, frames = naive(encoder, track, layers)
        for embedding in (first[track.id], again[track.id]):
            assert embedding.clip is not None
            assert embedding.frames is not None
            assert embedding.clip.dtype == embedding.frames.read().dtype == dtype
            assert embedding.clip.shape == clip.shape
            np.testing.assert_allclose(embedding.clip, clip, rtol=tolerance, atol=tolerance)
            assert embedding.frames.shape == frames.shape
            np.testing.assert_array_equal(embedding.frames.read(), frames.astype(dtype))
            assert embedding.duration == soundfile.info(track.audio).frames / 1000


@pytest.mark.parametrize(
    "sources", [("class",), ("sequence",), ("both",), ("both", "class"), ("sequence", "class")]
)
def test_sources_come_in_the_declared_order(
    tracks: list[Track], cache: Cache, sources: tuple[str, ...]
) -> None:
    encoder = Oracle(sources=sources)
    found = embed_all(embedder(encoder, cache), tracks, ["clip"])
    for track in tracks:
        np.testing.assert_allclose(
            np.asarray(found[track.id].clip), naive(encoder, track, encoder.layers)[0], rtol=1e-5
        )
        assert found[track.id].frames is None


def test_windows_of_all_tracks_share_batches(tracks: list[Track], cache: Cache) -> None:
    encoder = Oracle()
    embed_all(embedder(encoder, cache, batch=4), tracks)
    windows = sum(len(layout_windows(length, encoder).starts) for length in LENGTHS)
    assert encoder.calls == [
        *[(4, 1000)] * (windows // 4),
        (windows % 4, 1000),
        (1, 1000),  # the first again
    ]
    assert windows % 4  # the last one was not full
    alone = Oracle(window=None, fingerprint="alone")
    embed_all(embedder(alone, cache, batch=4), tracks)
    assert alone.calls == [(1, length) for length in LENGTHS]


def test_clips_need_no_frame_rate(tracks: list[Track], cache: Cache) -> None:
    encoder = Oracle(frame_rate=None)
    found = embed_all(embedder(encoder, cache), tracks, ["clip"])
    for track, length in zip(tracks, LENGTHS, strict=True):
        assert np.asarray(found[track.id].clip).shape == (-(-length // 1000), 3, 3, 2)


def test_of_hits_only_the_smallest_is_encoded_again(
    tracks: list[Track], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embed_all(embedder(Oracle(), cache), tracks)
    loaded: list[str] = []
    load = audio.load

    def counted(track: Track, sample_rate: int) -> Any:
        loaded.append(track.id)
        return load(track, sample_rate)

    monkeypatch.setattr(audio, "load", counted)
    choices: list[list[Level]] = [["clip", "frame"], ["clip"], ["frame"]]
    for levels in choices:
        oracle = Oracle()
        warm = embedder(oracle, Cache(cache.root))
        for _ in range(2):
            again = embed_all(warm, tracks, levels)
        assert [sum(call[0] for call in oracle.calls), len(loaded)] == [1, 1]
        assert loaded.pop() in {"track-0", "track-1"}  # of a window each, the shortest
        for name, embedding in again.items():
            assert (embedding.clip is None) == ("clip" not in levels)
            assert (embedding.frames is None) == ("frame" not in levels)
            if embedding.clip is not None:
                np.testing.assert_array_equal(embedding.clip, np.asarray(first[name].clip))


def test_hits_do_not_need_the_weights(
    tracks: list[Track], cache: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    def forbidden(*args: object) -> Any:
        raise OSError("no weights here")

    logging.getLogger("mirprobe").propagate = True
    first = embed_all(embedder(Oracle(), cache), tracks)
    again = embed_all(embedder(Oracle(fault=forbidden), Cache(cache.root)), tracks)
    assert list(again) == list(first)
    said = {one.getMessage() for one in caplog.records if one.levelno == logging.WARNING}
    assert said == {
        "encoder 'oracle': its cached embeddings were not checked, because track 'track-0' could "
        "not be encoded again (raised OSError: no weights here (windows of shape (1, 1000)))"
    }
    with pytest.raises(EncoderError, match="no weights here"):
        embed_all(embedder(Oracle(fingerprint="other", fault=forbidden), cache), tracks)


def test_a_view_that_is_missing_is_computed(tracks: list[Track], cache: Cache) -> None:
    encoder = Oracle()
    embed_all(embedder(encoder, cache), tracks, ["clip"])
    calls = len(encoder.calls)
    embed_all(embedder(encoder, cache), tracks, ["frame"])
    assert len(encoder.calls) == 2 * calls
    embed_all(embedder(encoder, cache), tracks)
    assert len(encoder.calls) == 2 * calls + 1  # one track is compared
    cache.path(embedder(encoder, cache).key(tracks[0], "frame")).write_bytes(b"text")
    found = embed_all(embedder(encoder, Cache(cache.root)), tracks)
    # the clip vectors of this track and the frames of another are compared
    assert len(encoder.calls) == 2 * calls + 4
    assert found[tracks[0].id].frames is not None


def test_the_key_depends_on_all_that_the_numbers_do(tracks: list[Track], cache: Cache) -> None:
    oracle, track = Oracle(), tracks[-1]
    base = embedder(oracle, cache)
    keys = [
        base.key(track, "clip"),
        base.key(track, "frame"),
        base.key(tracks[0], "clip"),
        base.key(replace(track, start=0.5), "clip"),
        base.key(replace(track, stop=1.5), "clip"),
        base.key(replace(track, start=0.5, stop=1.5), "clip"),
        embedder(oracle, cache, layers=("a", "b")).key(track, "clip"),
        embedder(oracle, cache, layers=("b", "a")).key(track, "clip"),
        embedder(oracle, cache, dtype="float16").key(track, "clip"),
        embedder(Oracle(fingerprint="other"), cache).key(track, "clip"),
    ]
    assert len(set(keys)) == len(keys)
    # but not on a track's name, nor on what its file is called
    copy = track.audio.with_name("copy.wav")
    copy.write_bytes(track.audio.read_bytes())
    assert base.key(replace(track, id="other", audio=copy), "clip") == keys[0]
    assert embedder(oracle, cache, batch=1).key(track, "clip") == keys[0]
    copy.write_bytes(track.audio.read_bytes()[:-1] + b"\x00")
    assert base.key(replace(track, audio=copy), "clip") != keys[0]


def test_a_stretch_of_a_file_is_a_track_of_its_own(tracks: list[Track], cache: Cache) -> None:
    whole = tracks[-1]
    half = replace(whole, id="half", start=0.5, stop=2.25)
    found = embed_all(embedder(Oracle(), cache), [whole, half])
    assert found["half"].duration == 1.75
    clip, frames = naive(Oracle(), half, ("a", "b", "c"))
    np.testing.assert_allclose(np.asarray(found["half"].clip), clip, rtol=1e-5)
    assert found["half"].frames is not None
    np.testing.assert_array_equal(found["half"].frames.read(), frames)


def test_modules_are_put_into_evaluation_mode(tracks: list[Track], cache: Cache) -> None:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            vars(self).update({name: getattr(Oracle, name) for name in DECLARED})
            self.drop = torch.nn.Dropout(0.5)
            self.oracle = Oracle()

        def forward(self, audio: Tensor) -> Tokens:
            tokens = self.oracle(audio)
            assert tokens.sequence is not None
            assert not torch.is_grad_enabled()
            return Tokens(self.drop(tokens.sequence), tokens.class_token)

    module = Module()
    assert module.training
    found = embed_all(embedder(module, cache), tracks[-1:])
    clip, _ = naive(Oracle(), tracks[-1], ("a", "b", "c"))
    np.testing.assert_allclose(np.asarray(found[tracks[-1].id].clip), clip, rtol=1e-5)


DECLARED = ("sample_rate", "window", "frame_rate", "layers", "dim", "sources", "fingerprint")
