"""The data set as a whole: division, determinism, truth, storage."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

from mirprobe.core.annotations import to_json
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import SPLITS, Beats, Segments, Split, Track
from mirprobe_tasks.datasets.studio import Studio, shares, version1
from mirprobe_tasks.datasets.studio.compose import compose
from mirprobe_tasks.music.metre import TEMPI
from mirprobe_tasks.music.midi import part_to_midi
from mirprobe_tasks.music.notes import ONSET_DISTANCE
from mirprobe_tasks.music.pitch import KEYS

Splits = Mapping[Split, Sequence[Track]]

COMPOSERS = {1: version1.compose, 2: compose}


@pytest.fixture(scope="module", params=[1, 2])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def splits(version: int) -> Splits:
    return Studio(Path("nowhere"), version=version).splits()


def test_division_by_size() -> None:
    assert shares(240, 1) == {"train": 120, "valid": 48, "test": 72}
    assert shares(336) == {"train": 120, "valid": 48, "test": 168}
    for version, size in itertools.product((1, 2), range(72, 1200, 24)):
        parts = shares(size, version)
        assert sum(parts.values()) == size
        assert all(count > 0 and count % 24 == 0 for count in parts.values())
        assert size > 72 or set(parts.values()) == {24}


@pytest.mark.parametrize(("size", "nearest"), [(48, "72"), (0, "72"), (250, "240"), (-24, "72")])
def test_other_sizes_are_refused(tmp_path: Path, size: int, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"size {size} .*nearest is {nearest}"):
        Studio(tmp_path, size=size)


def test_other_versions_and_seeds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no version 3; choose 1 or 2"):
        Studio(tmp_path, version=3)
    with pytest.raises(ConfigError, match="seed -1 is not a whole number"):
        Studio(tmp_path, seed=-1)


def described(value: object) -> str:
    """A text of annotations, times rounded to microseconds."""
    if isinstance(value, Segments | Beats):
        value = vars(value)
    if isinstance(value, dict):
        return repr([(name, described(value[name])) for name in sorted(value)])
    if isinstance(value, np.ndarray | float):
        return repr(np.round(value, 6).tolist())
    return repr(value)


@pytest.mark.parametrize(
    ("version", "expected"), [(1, "697978cb986175ae"), (2, "3226ecdbce818fb5")]
)
def test_pieces_stay_the_same(version: int, expected: str) -> None:
    """Everything that the audio and the annotations depend on, for the standard size."""
    found = hashlib.blake2b(digest_size=8)
    for split, tracks in Studio(Path("x"), version=version).splits().items():
        for index, track in enumerate(tracks):
            piece = COMPOSERS[version](split, index)
            duration = round(piece.grid.duration, 6)
            found.update(repr((track.id, track.group, piece.mix, duration)).encode())
            for part in piece.parts:
                found.update(part_to_midi(part, piece.mix.tuning, duration))
                found.update(repr((part.role, part.gain)).encode())
            found.update(described(track.annotations.given()).encode())
    assert found.hexdigest() == expected


def test_each_seed_has_other_pieces(version: int, splits: Splits) -> None:
    other = Studio(Path("nowhere"), version=version, size=72, seed=1).splits()
    for split in SPLITS:
        known = {track.id for track in splits[split]}
        assert known.isdisjoint(track.id for track in other[split])
        notes = [COMPOSERS[version](split, 0, seed).parts for seed in (0, 1)]
        assert notes[0] != notes[1]


def test_every_key_equally_often_in_each_split(splits: Splits) -> None:
    for tracks in splits.values():
        counts = Counter(track.annotations.key for track in tracks)
        assert counts == {key.label: len(tracks) // 24 for key in KEYS}


def test_ids_groups_and_files_are_unique(version: int, splits: Splits) -> None:
    tracks = [track for split in SPLITS for track in splits[split]]
    assert len({track.id for track in tracks}) == len(tracks) == (240 if version == 1 else 336)
    assert len({track.group for track in tracks}) == len(tracks)
    assert len({track.audio for track in tracks}) == len(tracks)


def test_a_piece_is_the_same_at_every_size_and_every_time(version: int, splits: Splits) -> None:
    smaller = Studio(Path("nowhere"), version, 72).splits()
    for split in SPLITS:
        assert [t.audio for t in smaller[split]] == [t.audio for t in splits[split][:24]]
    first, again = (COMPOSERS[version]("valid", 7) for _ in range(2))
    assert first.parts == again.parts
    assert first.mix == again.mix


def test_annotations_lie_within_the_audio(version: int, splits: Splits) -> None:
    for split in SPLITS:
        for index, track in enumerate(splits[split]):
            duration = COMPOSERS[version](split, index).grid.duration
            truth = track.annotations
            assert 18.0 < duration < 24.0 if version == 1 else 11.0 < duration < 20.0
            assert truth.beats is not None
            assert truth.onsets is not None
            assert truth.chords is not None
            assert truth.beats.times[0] > 0
            assert truth.beats.times[-1] < duration
            assert np.all(np.diff(truth.beats.times) > 0.25)
            assert np.all(np.diff(truth.onsets) > ONSET_DISTANCE)
            assert truth.onsets[0] >= 0
            assert truth.onsets[-1] < duration
            assert truth.chords.intervals[0, 0] == 0
            assert truth.chords.intervals[-1, 1] == duration
            assert np.array_equal(truth.chords.intervals[1:, 0], truth.chords.intervals[:-1, 1])
            assert np.all(np.diff(truth.chords.intervals) > 0)


def test_annotations_are_what_mir_eval_reads(splits: Splits) -> None:
    for tracks in splits.values():
        for track in tracks:
            truth = track.annotations
            assert truth.key is not None
            assert truth.chords is not None
            assert truth.tempo is not None
            mir_eval.key.validate_key(truth.key)
            for label in truth.chords.labels:
                mir_eval.chord.encode(label)
            assert TEMPI[0] <= truth.tempo <= TEMPI[1]


def test_beat_positions_cycle(version: int, splits: Splits) -> None:
    sizes = Counter[int]()
    pickups = 0
    for tracks in splits.values():
        for track in tracks:
            beats = track.annotations.beats
            assert beats is not None
            assert beats.positions is not None
            size = int(beats.positions.max())
            sizes[size] += 1
            pickups += int(beats.positions[0] != 1)
            assert np.array_equal(beats.positions[1:], beats.positions[:-1] % size + 1)
    # Half in 4/4, a quarter each in 3/4 and 6/8, whose two beats are dotted quarters.
    count = sizes.total()
    assert sizes == {4: count // 2, 3: count // 4, 2: count // 4}
    assert (0.2 if version == 1 else 0.4) < pickups / count < 0.6


def test_every_tag_has_positives_and_negatives_in_each_split(splits: Splits) -> None:
    for tracks in splits.values():
        counts = Counter(tag for track in tracks for tag in track.annotations.tags or {})
        assert set(counts) == set(Studio.tags)
        for tag in Studio.tags:
            assert 0.08 <= counts[tag] / len(tracks) <= 0.6, (tag, counts[tag])


def test_no_template_is_shared_between_splits(version: int, splits: Splits) -> None:
    compose_piece = COMPOSERS[version]
    used = {
        split: {
            name for i in range(len(splits[split])) for name in compose_piece(split, i).templates
        }
        for split in SPLITS
    }
    assert all(len(names) > 100 for names in used.values())
    assert not used["train"] & used["valid"]
    assert not used["train"] & used["test"]
    assert not used["valid"] & used["test"]


def test_prepare_renders_what_is_missing_and_keeps_the_rest(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "audio", size=72)
    tracks = studio.splits()["valid"][:2]
    assert sorted(studio.prepare(tracks)) == [track.id for track in tracks]
    before = [track.audio.read_bytes() for track in tracks]
    times = [track.audio.stat().st_mtime_ns for track in tracks]
    tracks[0].audio.unlink()
    assert sorted(studio.prepare(tracks)) == [track.id for track in tracks]
    assert [track.audio.read_bytes() for track in tracks] == before
    assert tracks[1].audio.stat().st_mtime_ns == times[1]
    assert sorted(tmp_path.rglob("*.*")) == sorted(
        [*(track.audio for track in tracks), *tmp_path.rglob("tracks-????????.json")]
    )

    info = soundfile.info(tracks[0].audio)
    assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")
    assert info.duration == pytest.approx(compose("valid", 0).grid.duration, abs=1e-4)


def test_a_root_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    root = tmp_path / "file"
    root.write_text("in the way")
    studio = Studio(root, size=72)
    with pytest.raises(StorageError, match=r"file.*: cannot be written .*; free space"):
        list(studio.prepare(studio.splits()["test"][:1]))


def test_tracks_of_others_are_refused(tmp_path: Path, splits: Splits) -> None:
    known = splits["train"][0]
    stranger = Track("stranger", tmp_path / "s.flac", "stranger", known.annotations)
    with pytest.raises(ConfigError, match="unknown track 'stranger'"):
        list(Studio(tmp_path).prepare([stranger]))


def test_larger_sizes_compose_too(version: int) -> None:
    for split in SPLITS:
        for index in range(2000, 2060):
            piece = COMPOSERS[version](split, index)
            assert all(21 <= note.pitch <= 115 for part in piece.parts for note in part.notes)
            assert all(0 <= note.start < note.end for part in piece.parts for note in part.notes)


def test_kept_annotations_are_those_of_the_composer(tmp_path: Path, version: int) -> None:
    def rows(dataset: Studio) -> list[object]:
        return [
            (split, track.id, track.audio, track.group, json.dumps(to_json(track.annotations)))
            for split, tracks in dataset.splits().items()
            for track in tracks
        ]

    studio = Studio(tmp_path, version=version, size=72)
    composed = rows(studio)
    list(studio.prepare([]))
    (kept,) = tmp_path.glob("tracks-*.json")
    assert rows(Studio(tmp_path, version=version, size=72)) == composed
    kept.write_text(kept.read_text().replace("train-0000", "renamed"))
    assert rows(studio) != composed  # the file is read
    kept.write_text("[")
    assert rows(studio) == composed  # a damaged one is not
    list(Studio(tmp_path, version=version, size=72, seed=1).prepare([]))
    assert len(list(tmp_path.glob("tracks-*.json"))) == 2
