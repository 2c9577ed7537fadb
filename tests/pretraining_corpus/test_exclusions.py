"""What the benchmark tests on never gets into a bank."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.bank_shards import write_shard
from mirprobe.pretraining.merge_shards import merge_shards
from mirprobe_tasks.pretraining_corpus.exclusions import (
    begins_alike,
    exclusion_reason,
    is_annotated,
)
from mirprobe_tasks.pretraining_corpus.exclusions import fingerprint as print_of
from mirprobe_tasks.pretraining_corpus.recipe import check
from mirprobe_tasks.pretraining_corpus.tunes import Tune, voice


@pytest.mark.parametrize(
    ("file", "annotated"),
    [
        ("bach/bwv269.mxl", True),
        ("bach/bwv277.krn", True),
        ("bach/bwv17.7.mxl", True),
        ("bach/bwv248.12-2.mxl", True),
        ("bach/bwv145-a.mxl", True),
        ("bach/bwv145.5.mxl", True),
        ("bach/bwv40.8.mxl", True),
        ("monteverdi/madrigal.3.1.mxl", True),
        ("bach/choraleAnalyses/riemenschneider001.rntxt", True),
        ("bach/bwv40.6.mxl", False),
        ("bach/bwv26.6.mxl", False),
        ("bach/bwv248.42-s.mxl", False),
        ("essenFolksong/lot.abc#269", False),
    ],
)
def test_annotated_works_are_known_by_their_file(file: str, annotated: bool) -> None:
    assert is_annotated(file) is annotated


@pytest.mark.parametrize(
    ("id", "source"),
    [
        ("train-0003", "somewhere.flac"),
        ("0a1b", "data/test-0012-9f8e7d6c.flac"),
        ("2.0-train-0003", "somewhere.flac"),
        ("0a1b", "data/2.11-test-10012-9f8e7d6c.flac"),
        ("0a1b", "pack.zip!valid-0001-9f8e7d6c.flac"),
        ("0a1b", "studio/some.flac"),
        ("0a1b", "fretsonfire-songs-sectoid/usr/share/song.ogg"),
        ("0a1b", "planetblupi-music-ogg/usr/share/music/1.ogg"),
        ("render-0-000001", "tune bach/bwv269.mxl band a-01 font a"),
        ("render-0-000001", "tune monteverdi/madrigal.3.1.mxl band a-01 font a"),
        ("render-0-000001", "tune beethoven/opus18no1.mxl band a-01 font a"),
    ],
)
def test_what_is_tested_on_is_objected_to(id: str, source: str) -> None:
    assert exclusion_reason(id, source)


@pytest.mark.parametrize(
    ("id", "source"),
    [
        ("0a1b", "asc-music/usr/share/games/asc/music/frontiers.ogg"),
        ("render-0-000001", "tune essenFolksong/lot.abc#2 band a-01 font a"),
        ("render-0-000001", "tune bach/bwv1.6.mxl band a-01 font a (the sound font of studio)"),
    ],
)
def test_the_rest_is_not(id: str, source: str) -> None:
    assert exclusion_reason(id, source) is None


def test_a_melody_is_known_in_any_key() -> None:
    pitches = [60, 62, 64, 60, 67, 65, 64, 62, 60, 59, 60, 62, 64, 65]
    known = {print_of(voice([(48 * k, 48, pitch) for k, pitch in enumerate(pitches)]))}
    other = voice([(24 * k, 24, pitch) for k, pitch in enumerate(reversed(pitches))])
    moved = voice([(24 * k, 24, pitch + 5) for k, pitch in enumerate(pitches)])
    assert begins_alike(Tune("x", "", "", 0, None, "", (other, moved)), known)
    assert not begins_alike(Tune("x", "", "", 0, None, "", (other,)), known)
    short = voice([(0, 48, 60), (48, 48, 62)])
    assert not begins_alike(Tune("x", "", "", 0, None, "", (short,)), {print_of(short)})


@pytest.mark.parametrize(
    ("source", "message"),
    [("tune bach/bwv269.mxl band a font a", "Roman"), ("studio/test-0001.flac", "studio")],
)
def test_the_check_fails_on_a_bank_with_test_music(
    tmp_path: Path, source: str, message: str
) -> None:
    rng = np.random.default_rng(0)
    for name, where in (("one", "asc-music/a.ogg"), ("two", source)):
        samples = rng.uniform(-0.5, 0.5, 9 * 16_000).astype(np.float32)
        write_shard(tmp_path, name, samples, id=name, source=where, group="g")
    merge_shards(tmp_path)
    with pytest.raises(ConfigError, match=message):
        check(tmp_path)


def test_the_check_passes_a_clean_bank(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 9 * 16_000).astype(np.float32)
    write_shard(tmp_path, "one", samples, id="one", source="asc-music/a.ogg", group="g")
    merge_shards(tmp_path)
    assert len(check(tmp_path).tracks) == 1
