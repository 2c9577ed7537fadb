"""The data set as a whole: splits, keys, determinism, truth, storage, bad input."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import mir_eval
import numpy as np
import pytest
import soundfile

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import SPLITS, Track
from mirprobe_tasks.datasets import scores
from mirprobe_tasks.datasets.scores import Scores
from mirprobe_tasks.datasets.scores.perform import interval, key_of, passages, perform
from mirprobe_tasks.datasets.scores.planning import TEST, VALID, plan_tracks, split_of
from mirprobe_tasks.datasets.scores.works import Work, read_works, write_works
from mirprobe_tasks.music.pitch import KEYS

QUARTERS = 160.0


def made(id: str, mode: str = "major", *, length: float = QUARTERS, group: str = "") -> Work:
    """Two voices in quarters in C and then its dominant, a pickup of one, bars of four."""
    third = 64 if mode == "major" else 63
    beats = tuple((float(at), (at - 1) % 4 + 1) for at in range(int(length)))
    upper = tuple((float(at), 1.0, third + at % 2) for at in range(int(length)))
    lower = tuple((float(at), 2.0, 48) for at in range(0, int(length), 2))
    quality = "maj" if mode == "major" else "min"
    turn = 0.75 * length
    return Work(
        id=id,
        title=id,
        group=group or id,
        source=f"made/{id}",
        fit=1.0,
        shift=0,
        unplaced=0,
        length=length,
        voices=(upper, lower),
        chords=((0.0, turn, f"C:{quality}"), (turn, length, f"G:{quality}/5")),
        keys=((0.0, turn, f"C {mode}"), (turn, length, f"G {mode}")),
        beats=beats,
    )


def library() -> list[Work]:
    names = [*sorted(VALID)[:3], *sorted(TEST)[:3], "bwv1", "bwv2", "bwv3"]
    cycle = [made(f"madrigal.5.{n}", "minor", group="madrigal.5.4") for n in (5, 4)]
    return [made(name) for name in names] + cycle


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(scores, "read_corpus", lambda: (library(), {"a": "0.53 of the notes"}))
    monkeypatch.setattr(scores, "version", lambda: "0")
    return tmp_path / "scores"


def everything(data: Scores) -> list[Track]:
    return [track for split in SPLITS for track in data.splits()[split]]


def test_groups_stay_in_one_split(root: Path) -> None:
    where: dict[str, set[str]] = {}
    for split, tracks in Scores(root).splits().items():
        for track in tracks:
            where.setdefault(track.group, set()).add(split)
    assert all(len(splits) == 1 for splits in where.values())
    assert where["madrigal.5.4"] == {"valid"}
    assert not VALID & TEST
    assert split_of("bwv9999") == "train"


def test_ids_and_files_are_unique_and_the_corpus_is_read_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracks = everything(Scores(root))
    assert len(tracks) == 4 * len(library())
    assert len({track.id for track in tracks}) == len({track.audio for track in tracks}) == 44
    monkeypatch.setattr(scores, "read_corpus", lambda: pytest.fail("read again"))
    assert [track.audio for track in everything(Scores(root))] == [track.audio for track in tracks]


def test_fewer_versions_are_the_same_tracks(root: Path) -> None:
    more = {track.id: track for track in everything(Scores(root, versions=5))}
    for track in everything(Scores(root, versions=2)):
        assert more[track.id].audio == track.audio


def test_keys_are_dealt_evenly_and_differ_between_versions() -> None:
    works = [made(f"bwv{number}", mode) for number in range(7) for mode in ("major", "minor")]
    dealt = plan_tracks(works, 6)["train"]
    assert {take.key for take in dealt} == set(KEYS)
    heard = Counter((take.work.id, take.key) for take in dealt)
    assert set(heard.values()) <= {1, 2}  # two works of one name here, in two modes
    counts = Counter(take.key for take in dealt)
    assert max(counts.values()) - min(counts.values()) <= 2
    assert all(take.key.mode == take.work.keys[0][2].split()[1] for take in dealt)


def test_annotations_are_of_the_key_played(root: Path) -> None:
    work = made("bwv1")
    for tonic in KEYS[:12]:
        played = perform(work, passages(work)[0], 0, tonic)
        truth = played.annotations
        assert -5 <= interval("C major", tonic)[1] <= 6
        assert truth.key == tonic.label
        assert truth.chords is not None
        assert truth.chords.labels == ("N", f"{tonic.tonic.name}:maj", "N")
        assert {note.pitch % 12 for note in played.parts[1].notes} == {tonic.tonic.pitch_class}
        mir_eval.key.validate_key(truth.key)
        for label in truth.chords.labels:
            mir_eval.chord.encode(label)


def test_times_are_those_that_are_played(root: Path) -> None:
    data = Scores(root)
    for track in everything(data):
        truth = track.annotations
        assert truth.beats is not None
        assert truth.beats.positions is not None
        assert truth.onsets is not None
        assert truth.chords is not None
        assert truth.tempo is not None
        times = truth.beats.times
        assert np.all(np.diff(times) > 0.3)
        assert np.array_equal(truth.beats.positions[1:], truth.beats.positions[:-1] % 4 + 1)
        assert truth.tempo == pytest.approx(60 / np.median(np.diff(times)))
        # every beat has a note here
        near = np.abs(truth.onsets[:, None] - times[None]).min(axis=0)
        assert near.max() < 0.04
        intervals = truth.chords.intervals
        assert intervals[0, 0] == 0
        assert np.array_equal(intervals[1:, 0], intervals[:-1, 1])
        assert truth.chords.labels[0] == truth.chords.labels[-1] == "N"
        inner = set(intervals[1:, 0].round(6)) - {intervals[-1, 0].round(6)}
        assert inner <= set(times.round(6))
        assert truth.keys is not None
        held = truth.keys.intervals
        assert np.array_equal(held[1:, 0], held[:-1, 1])
        assert held[0, 0] == pytest.approx(times[0])
        assert times[-1] < held[-1, 1] <= intervals[-1, 1]
        lasting = [np.diff(held)[np.array(truth.keys.labels) == truth.key].sum()]
        assert truth.key == "X" or lasting[0] > (held[-1, 1] - held[0, 0]) * 0.4


def test_passages_fill_the_work_and_begin_at_downbeats() -> None:
    work = made("bwv1", length=300.0)
    cuts = passages(work)
    assert (cuts[0][0], cuts[-1][1], len(cuts)) == (0.0, 300.0, 4)
    assert all(before[1] == after[0] for before, after in pairwise(cuts))
    assert all(start % 4 == 1 for start, _ in cuts[1:])
    assert passages(made("bwv1", length=40.0)) == [(0.0, 40.0)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([(0.0, 3.0, "C major"), (3.0, 4.0, "G major")], "C major"),
        ([(0.0, 1.0, "C major"), (1.0, 2.5, "G major"), (2.5, 4.0, "C major")], "C major"),
        ([(0.0, 2.0, "C major"), (2.0, 4.0, "G major")], "X"),
        ([(4.0, 5.0, "C major"), (5.0, 6.0, "G major"), (6.0, 7.0, "D major")], "X"),
    ],
)
def test_the_key_lasts_longer_than_all_others(
    keys: Sequence[tuple[float, float, str]], expected: str
) -> None:
    assert key_of(keys) == expected


def test_prepare_renders_what_is_missing(root: Path) -> None:
    data = Scores(root, versions=1)
    tracks = data.splits()["valid"][:2]
    assert sorted(data.prepare(tracks)) == sorted(track.id for track in tracks)
    before = [track.audio.read_bytes() for track in tracks]
    tracks[0].audio.unlink()
    again = Scores(root, versions=1)
    assert sorted(again.prepare(tracks)) == sorted(track.id for track in tracks)
    assert [track.audio.read_bytes() for track in tracks] == before
    info = soundfile.info(tracks[0].audio)
    assert (info.samplerate, info.channels) == (22050, 1)
    truth = tracks[0].annotations
    assert truth.chords is not None
    assert info.duration == pytest.approx(truth.chords.intervals[-1, 1], abs=1e-4)


@pytest.mark.parametrize("versions", [0, 13, -1, 2.5, "all"])
def test_other_numbers_of_versions_are_refused(tmp_path: Path, versions: int) -> None:
    with pytest.raises(ConfigError, match=r"versions .* is not a number from 1 to 12"):
        Scores(tmp_path, versions=versions)


def test_tracks_of_others_are_refused(root: Path) -> None:
    data = Scores(root, versions=1)
    known = data.splits()["train"][0]
    stranger = Track("stranger", root / "s.flac", "stranger", known.annotations)
    with pytest.raises(ConfigError, match="unknown track 'stranger'"):
        list(data.prepare([stranger]))


def test_music21_that_is_missing_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"music21.* pip install 'mirprobe\[scores\]'"):
        Scores(tmp_path).splits()


def test_a_damaged_file_of_works_says_what_to_do(root: Path) -> None:
    Scores(root).splits()
    (path,) = root.glob("works-*.json")
    for damage in (b"{", b"[]", b'{"works": [{}]}', b'{"works": [3]}'):
        path.write_bytes(damage)
        with pytest.raises(StorageError, match="delete it to read them again"):
            Scores(root).splits()


def test_works_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_works(tmp_path / "works.json", library(), {})
    assert list(read_works(tmp_path / "works.json")) == library()


def test_a_root_that_cannot_be_written_is_one_clear_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.write_text("in the way")
    with pytest.raises(StorageError, match="cannot be written"):
        Scores(root).splits()
