"""Tracks that cannot be embedded, and readers that stop early."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.embedded_tracks import BOTH, embed, embed_all, embedder, naive
from helpers.encoders_for_tests import Oracle

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Embedding, Tokens, Track
from mirprobe.data import audio
from mirprobe.embedding.cache import Cache


def test_bad_tracks_are_reported_and_the_others_go_on(
    tracks: list[Track], cache: Cache, tmp_path: Path
) -> None:
    bad = {name: tmp_path / f"{name}.wav" for name in ("missing", "empty", "text", "silent")}
    bad["empty"].touch()
    bad["text"].write_text("no audio")
    soundfile.write(bad["silent"], np.zeros(1000), 1000)
    mixed = list(tracks)
    for place, (name, path) in enumerate(bad.items()):
        mixed.insert(2 * place, Track(name, path, "group", Annotations()))
    results = list(embed(embedder(Oracle(), cache), mixed, BOTH))
    assert sorted(track.id for track, _ in results) == sorted(track.id for track in mixed)
    errors = {track.id: str(found) for track, found in results if isinstance(found, TrackError)}
    assert set(errors) == set(bad)
    for name, path in bad.items():
        assert errors[name].startswith(f"{path}: ")
    for track, found in results:
        if isinstance(found, Embedding):
            np.testing.assert_allclose(
                np.asarray(found.clip), naive(Oracle(), track, ("a", "b", "c"))[0], rtol=1e-5
            )


def test_a_file_that_fails_while_it_is_hashed(
    tracks: list[Track], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = cache.hashes

    def fail(path: Path) -> str:
        if path == tracks[1].audio:
            raise OSError(5, "Input/output error")
        return hashes(path)

    monkeypatch.setitem(cache.__dict__, "hashes", fail)
    results = list(embed(embedder(Oracle(), cache), tracks, BOTH))
    assert [track.id for track, found in results if isinstance(found, TrackError)] == ["track-1"]
    assert len(results) == len(tracks)


def test_a_file_that_goes_while_it_is_encoded(tracks: list[Track], cache: Cache) -> None:
    def remove(call: int, tokens: Tokens) -> Tokens:
        for track in tracks:
            track.audio.unlink(missing_ok=True)
        return tokens

    lengths = tracks[:3]  # fewer than are decoded ahead
    assert len(embed_all(embedder(Oracle(fault=remove), cache, batch=99), lengths)) == 3


def test_a_reader_that_stops_early_waits_for_nothing(
    tracks: list[Track], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, finished, load, before = threading.Event(), list[str](), audio.load, threading.enumerate()

    def slow(track: Track, rate: int) -> Any:
        if track is not tracks[0]:
            gate.wait(10)
        finished.append(track.id)
        return load(track, rate)

    monkeypatch.setattr(audio, "load", slow)
    results = embed(embedder(Oracle(window=None), cache), tracks, BOTH)
    assert next(results)[0] is tracks[0]
    results.close()  # type: ignore[attr-defined]
    assert finished == [tracks[0].id]
    gate.set()
    for thread in set(threading.enumerate()) - set(before):
        thread.join(10)
        assert not thread.is_alive()
    assert len(finished) <= 3  # those that two threads had begun; the others are cancelled
    assert len(list(cache.entries())) == 2  # what was given is kept
