"""What the adapter for mirdata is made of: keys, chords, groups, segments."""

from __future__ import annotations

from pathlib import Path

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import mir_eval.chord
import mir_eval.key
import numpy as np
import pytest
from helpers.mirdata_miniatures import miniature
from hypothesis import given
from hypothesis import strategies as some

from mirprobe.api.registry import DATASETS
from mirprobe.core.schema import SPLITS
from mirprobe.metrics.chord import LABELS, chord_class
from mirprobe_tasks.datasets.mirdata.groups import connected_groups
from mirprobe_tasks.datasets.mirdata.readers import read_lab_chords
from mirprobe_tasks.datasets.normalise import (
    drop_empty_segments,
    normalise_key,
    single_key,
)
from mirprobe_tasks.music.notes import merge_onsets

KEYS = {
    "D major": "D major",
    "d minor\n": "D minor",
    "G# minor": "G# minor",
    "Ab:minor": "G# minor",
    "E": "E major",
    "Bb": "A# major",
    "bb minor": "A# minor",
    "b minor": "B minor",
    "Cb major": "B major",
    "E# minor": "F minor",
    "F##:maj": "G major",
    "C#m": "C# minor",
    "CM": "C major",
    "D:ionian": "D major",
    "A:aeolian": "A minor",
    "D:mixolydian": "D other",
    "Eb dorian": "D# other",
    "A other": "A other",
    "-": "X",
    "X": "X",
    "N": "X",
    "unknown": "X",
    "Atonal": "X",
}

HARD_CHORDS = (
    *("C", "Bb:maj(*3)", "A:7(#9)", "D:(1,4,b7)/5", "F#:hdim7", "G#:sus4(b7)", "E:min/b3"),
    *("C:maj6/3", "Ab:9", "Db:min11", "B:5", "F:1", "G:aug", "C:sus2/5", "E:minmaj7/7"),
    *("Cb:maj", "F##:min7/b7", "A:maj(9)/2", "D:dim7", "G:13", "C:min(*b3)", "N", "X"),
)


@pytest.mark.parametrize(("label", "name"), KEYS.items())
def test_keys_have_one_spelling_that_mir_eval_reads(label: str, name: str) -> None:
    assert normalise_key(label) == name
    mir_eval.key.validate_key(name)


@pytest.mark.parametrize("label", ["", "H minor", "D flavour", "C major minor", "1A"])
def test_what_is_no_key_is_refused(label: str) -> None:
    with pytest.raises(ValueError, match=r"no key|unknown mode"):
        normalise_key(label)


def test_a_track_of_several_keys_has_no_one_key() -> None:
    assert single_key(["F minor", " G minor"]) == "X"
    assert single_key(["Db minor", "C# minor"]) == "C# minor"
    with pytest.raises(ValueError, match="no key is given"):
        single_key([])


def assert_as_mir_eval(label: str) -> None:
    """A chord's class is the one, if any, that mir_eval's majmin takes for right."""
    compared = {other: mir_eval.chord.majmin([label], [other])[0] for other in LABELS}
    place = chord_class(label)
    if place < 0:
        assert set(compared.values()) == {-1.0}
    else:
        assert compared == {other: float(other == LABELS[place]) for other in LABELS}


@pytest.mark.parametrize("label", HARD_CHORDS)
def test_hard_chords_are_in_the_class_that_mir_eval_puts_them_in(label: str) -> None:
    assert_as_mir_eval(label)


@pytest.mark.parametrize("name", ["beatles", "guitarset", "queen", "rwc_popular"])
def test_every_chord_of_the_miniatures_too(name: str, tmp_path: Path) -> None:
    parts = DATASETS.create(name, root=miniature(name, tmp_path)).splits()
    chords = [track.annotations.chords for split in SPLITS for track in parts[split]]
    labels = {label for segments in chords if segments for label in segments.labels}
    assert len(labels) > 1
    for label in labels:
        assert_as_mir_eval(label)


def test_groups_are_passed_on() -> None:
    assert connected_groups([("b",), ("c", "b"), ("c",), ("d",), ("d", "a"), ("e",)]) == [
        *("b", "b", "b"),
        *("a", "a"),
        "e",
    ]


@given(some.lists(some.lists(some.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=12))
def test_tracks_share_a_group_where_a_path_of_names_joins_them(names: list[list[str]]) -> None:
    groups = connected_groups(names)
    reached = [{number} for number in range(len(names))]
    for _ in names:  # the naive way: spread as long as anything moves
        for mine in reached:
            for number in list(mine):
                mine |= {n for n, other in enumerate(names) if set(other) & set(names[number])}
    for number, mine in enumerate(reached):
        assert {n for n, group in enumerate(groups) if group == groups[number]} == mine


def test_lab_files_are_read_whatever_their_columns_are_parted_by(tmp_path: Path) -> None:
    path = tmp_path / "a.lab"
    path.write_text("0.0 1.0 N\n1.0\t1.0\tC\n1.0\t2.5\tF#:min7/b3\n")
    chords = read_lab_chords(str(path))
    assert chords is not None
    assert chords.labels == ("N", "F#:min7/b3")
    assert chords.intervals.tolist() == [[0.0, 1.0], [1.0, 2.5]]
    assert read_lab_chords(None) is None
    path.write_text("0.0 N\n")
    with pytest.raises(ValueError, match="columns"):
        read_lab_chords(str(path))


def test_segments_without_duration_fall_out() -> None:
    kept = drop_empty_segments(np.array([[0.0, 1.0], [1.0, 1.0]]), ["a", "b"])
    assert kept.labels == ("a",)
    assert drop_empty_segments(np.empty((0, 2)), []).labels == ()


def test_onsets_of_a_strum_are_one() -> None:
    found = merge_onsets(np.array([2.0, 0.5, 0.51, 0.529, 0.54]))
    assert found.tolist() == [0.5, 0.54, 2.0]  # 30 ms from the first one kept
