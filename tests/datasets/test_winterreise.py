"""The Schubert Winterreise Dataset in miniature: basses as pitches, keys by performance."""

from __future__ import annotations

from pathlib import Path

import mir_eval.chord
import numpy as np
import pytest
from helpers.miniatures import ids_of, refusal, tracks_of
from helpers.own_miniatures import CHORDS, winterreise

from mirprobe.api.registry import DATASETS
from mirprobe.core.schema import SPLITS
from mirprobe.metrics.chord import LABELS, chord_class
from mirprobe_tasks.datasets.winterreise import Winterreise, normalise_chord


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return winterreise(tmp_path)


def test_recordings_of_a_song_stay_together(root: Path) -> None:
    dataset = DATASETS.create("winterreise", root=root)
    splits = dataset.splits()
    assert [len(splits[split]) for split in SPLITS] == [38, 4, 6]
    songs = [{track.group for track in splits[split]} for split in SPLITS]
    assert [len(groups) for groups in songs] == [19, 2, 3]
    assert len(set.union(*songs)) == 24
    assert {track.id[-4:] for track in splits["test"]} == {"HU33", "SC06"}


def test_annotations(root: Path) -> None:
    dataset = DATASETS.create("winterreise", root=root)
    tracks = tracks_of(dataset)
    track = tracks["Schubert_D911-01_HU33"]
    assert track.audio == root / "01_RawData" / "audio_wav" / "Schubert_D911-01_HU33.wav"
    assert track.annotations.key == "C minor"
    assert tracks["Schubert_D911-01_SC06"].annotations.key == "Db major"
    assert tracks["Schubert_D911-02_HU33"].annotations.key is None
    keys = track.annotations.keys
    assert keys is not None
    assert keys.labels == ("C minor", "G major")
    assert keys.intervals.tolist() == [[1.26, 5.34], [5.34, 7.0]]
    chords = track.annotations.chords
    assert chords is not None
    assert chords.labels == ("C:min", "B:dim7/b2", "A#/3")
    np.testing.assert_array_equal(chords.intervals, [[1.26, 4.74], [4.74, 5.34], [5.34, 7.0]])
    assert list(dataset.prepare([track])) == [track.id]


def test_other_performances(root: Path) -> None:
    dataset = DATASETS.create("winterreise:performances=AL98", root=root)
    assert sum(map(len, ids_of(dataset).values())) == 24
    message = refusal(Winterreise(root, "HU33+XX00").splits)
    assert message.endswith("the performance 'XX00'; it has those of AL98, HU33, SC06")


@pytest.mark.parametrize(
    ("label", "written", "majmin"),
    [
        ("C:min", "C:min", "C:min"),
        ("G", "G", "G:maj"),
        ("A#/D", "A#/3", "A#:maj"),
        ("Bb/D", "Bb/3", "A#:maj"),
        ("D#:7/A#", "D#:7/5", "D#:maj"),
        ("F:min7/D#", "F:min7/b7", "F:min"),
        ("F:min/Ab", "F:min/b3", "F:min"),
        ("G:maj/G", "G:maj", "G:maj"),
        # a bass outside the chord, a pedal point: another chord to mir_eval
        ("D:maj/G", "D:maj/4", None),
        ("B:dim7/C", "B:dim7/b2", None),
        ("D:hdim7/C", "D:hdim7/b7", None),
        ("C#:aug/F", "C#:aug/3", None),
        ("G:(3,b5,b7)/C#", "G:(3,b5,b7)/b5", None),
        ("F#:(3,5,b7,b9)/B", "F#:(3,5,b7,b9)/4", None),
        ("G#:(3,5,b7,b9)/G#", "G#:(3,5,b7,b9)", "G#:maj"),
        ("C#:(3,5,#6)", "C#:(3,5,#6)", "C#:maj"),
        # a third that is left out is that of the chord: what is left is G and D
        ("G:min(*3)", "G:min(*b3)", None),
        ("G:maj(*3)", "G:maj(*3)", None),
        ("D:dim(*5)", "D:dim(*b5)", None),
        ("E:aug(*5)", "E:aug(*#5)", None),
        ("B:dim7(*7)", "B:dim7(*bb7)", None),
        ("C:7(*5,9)/E", "C:7(*5,9)/3", None),
        ("N", "N", "N"),
        ("X", "X", None),
    ],
)
def test_labels_as_mir_eval_reads_them(label: str, written: str, majmin: str | None) -> None:
    assert normalise_chord(label) == written
    mir_eval.chord.validate([written], [written])
    assert chord_class(written) == (-1 if majmin is None else LABELS.index(majmin))


@pytest.mark.parametrize(
    "label", ["", "H:min", "C:minor", "C:min/", "C:maj(z)", "C:maj/3", "c:min"]
)
def test_what_is_no_label(label: str) -> None:
    with pytest.raises(ValueError, match="is not a chord label"):
        normalise_chord(label)


def test_what_is_missing(root: Path, tmp_path: Path) -> None:
    message = refusal(Winterreise(tmp_path / "nowhere").splits)
    assert "nowhere/02_Annotations/ann_audio_chord is missing; download Schubert" in message
    assert "zenodo.org" in message
    (root / "01_RawData").rename(root / "audio")
    dataset = Winterreise(root)
    tracks = list(tracks_of(dataset).values())
    assert "all of its audio files are missing" in refusal(lambda: list(dataset.prepare(tracks)))
    for name in ("ann_audio_localkey-ann1/Schubert_D911-05_SC06.csv", "ann_audio_globalkey.csv"):
        (root / "02_Annotations" / name).unlink()
        assert f"{name} is missing" in refusal(dataset.splits)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("shorthand", "chord", "begins with 'start;end;chord' rather than 'start;end;shorthand'"),
        ('"B:dim7/C"', '"B:dim7/"', "line 3: 'B:dim7/' is not a chord label"),
        (
            '"B:dim7/C"',
            '"B:odd"',
            "line 3: 'B:odd' is not a chord label (Invalid chord label: B:odd)",
        ),
        ("4.74;5.34", "4,74;5.34", "line 3: could not convert string to float: '4,74'"),
        (';"C:min";"C:(b3,5)";"C:min";"C:min"', "", "line 2: has 2 fields"),
    ],
)
def test_a_file_that_is_not_the_original(root: Path, old: str, new: str, fault: str) -> None:
    path = root / "02_Annotations" / "ann_audio_chord" / "Schubert_D911-01_HU33.csv"
    path.write_text(CHORDS.replace(old, new))
    message = refusal(Winterreise(root).splits)
    assert message.startswith(str(path))
    assert fault in message


def test_a_key_that_is_none(root: Path) -> None:
    path = root / "02_Annotations" / "ann_audio_globalkey.csv"
    path.write_text(path.read_text().replace("C:min", "C"))
    assert refusal(Winterreise(root).splits) == (
        f"{path} line 2: 'C' is not a key such as C:min; replace the file by the original"
    )
