"""The data set as a whole: division, determinism, truth, storage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe_tasks.datasets.studio import Studio, shares
from mirprobe_tasks.datasets.studio.compose import compose
from mirprobe_tasks.music.metre import TEMPI
from mirprobe_tasks.music.notes import ONSET_DISTANCE
from mirprobe_tasks.music.pitch import KEYS

Splits = Mapping[Split, Sequence[Track]]


@pytest.fixture(scope="module")
def splits() -> Splits:
    return Studio(Path("nowhere")).splits()


def test_division_by_size() -> None:
    assert shares(240) == {"train": 120, "valid": 48, "test": 72}
    assert shares(72) == {"train": 24, "valid": 24, "test": 24}
    for size in range(72, 1200, 24):
        parts = shares(size)
        assert sum(parts.values()) == size
        assert all(count > 0 and count % 24 == 0 for count in parts.values())


@pytest.mark.parametrize(("size", "nearest"), [(48, "72"), (0, "72"), (250, "240"), (-24, "72")])
def test_other_sizes_are_refused(tmp_path: Path, size: int, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"size {size} .*nearest is {nearest}"):
        Studio(tmp_path, size=size)


def test_every_key_equally_often_in_each_split(splits: Splits) -> None:
    for tracks in splits.values():
        counts = Counter(track.annotations.key for track in tracks)
        assert counts == {key.label: len(tracks) // 24 for key in KEYS}


def test_ids_groups_and_files_are_unique(splits: Splits) -> None:
    tracks = [track for split in SPLITS for track in splits[split]]
    assert len({track.id for track in tracks}) == len(tracks) == 240
    assert len({track.group for track in tracks}) == len(tracks)
    assert len({track.audio for track in tracks}) == len(tracks)


def test_a_piece_is_the_same_at_every_size_and_every_time(splits: Splits) -> None:
    smaller = Studio(Path("nowhere"), size=72).splits()
    for split in SPLITS:
        assert [t.audio for t in smaller[split]] == [t.audio for t in splits[split][:24]]
    first, again = compose("valid", 7), compose("valid", 7)
    assert first.parts == again.parts
    assert first.mix == again.mix


def test_annotations_lie_within_the_audio(splits: Splits) -> None:
    for split in SPLITS:
        for index, track in enumerate(splits[split]):
            duration = compose(split, index).grid.duration
            truth = track.annotations
            assert 18.0 < duration < 24.0
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


def test_beat_positions_cycle(splits: Splits) -> None:
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
    assert sizes == {4: 120, 3: 60, 2: 60}
    assert 40 < pickups < 130


def test_every_tag_has_positives_and_negatives_in_each_split(splits: Splits) -> None:
    for tracks in splits.values():
        counts = Counter(tag for track in tracks for tag in track.annotations.tags or {})
        assert set(counts) == set(Studio.tags)
        for tag in Studio.tags:
            assert 0.08 <= counts[tag] / len(tracks) <= 0.6, (tag, counts[tag])


def test_no_template_is_shared_between_splits(splits: Splits) -> None:
    used = {
        split: {name for i in range(len(splits[split])) for name in compose(split, i).templates}
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
    assert sorted(tmp_path.rglob("*.*")) == sorted(track.audio for track in tracks)

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


def test_larger_sizes_compose_too() -> None:
    for split in SPLITS:
        for index in range(2000, 2060):
            piece = compose(split, index)
            assert all(21 <= note.pitch <= 115 for part in piece.parts for note in part.notes)
            assert all(0 <= note.start < note.end for part in piece.parts for note in part.notes)
