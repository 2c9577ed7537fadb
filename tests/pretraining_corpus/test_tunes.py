"""The file of tunes: what goes in comes out, and nothing but numpy is needed to read it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe_tasks.datasets.scores.music21_corpus import corpus_root
from mirprobe_tasks.pretraining_corpus.exclusions import ANNOTATED, annotated_bwv
from mirprobe_tasks.pretraining_corpus.extract_tunes import extract
from mirprobe_tasks.pretraining_corpus.tunes import Tune, Voice, read_tunes, voice, write_tunes

SCALE = voice([(48 * beat, 48, pitch) for beat, pitch in enumerate((60, 62, 64, 65, 67, 69, 71))])
GAPS = voice([(96, 24, 50), (144, 48, 52), (480, 12, 53)])
TUNES = (
    Tune("oneills1850/a.abc#1", "Une gigue à Québec", "6/8", 24, 2, "dorian", (SCALE,)),
    Tune("bach/bwv1.6.mxl", "", "", 0, None, "", (SCALE, GAPS)),
)


def test_tunes_survive_the_file(tmp_path: Path) -> None:
    write_tunes(tmp_path / "tunes.npz", TUNES, {"source": "by hand", "left_out": {"x": "why"}})
    found = read_tunes(tmp_path / "tunes.npz")
    assert found.header["left_out"] == {"x": "why"}
    for tune, expected in zip(found.tunes, TUNES, strict=True):
        fields = ("id", "title", "metre", "pickup", "sharps", "mode")
        assert [getattr(tune, name) for name in fields] == [
            getattr(expected, name) for name in fields
        ]
        for line, other in zip(tune.voices, expected.voices, strict=True):
            np.testing.assert_array_equal(line.onsets, other.onsets)
            np.testing.assert_array_equal(line.durations, other.durations)
            np.testing.assert_array_equal(line.pitches, other.pitches)


def test_the_file_is_as_documented(tmp_path: Path) -> None:
    write_tunes(tmp_path / "tunes.npz", TUNES, {})
    with np.load(tmp_path / "tunes.npz", allow_pickle=False) as file:
        assert json.loads(file["header"].tobytes()) == {"format": "mirprobe.tunes.1", "ticks": 48}
        rows = json.loads(file["tunes"].tobytes())
        assert rows[0] == ["oneills1850/a.abc#1", "Une gigue à Québec", "6/8", 24, 2, "dorian", [7]]
        assert rows[1][-1] == [7, 3]
        assert file["rests"].tolist() == [0] * 14 + [96, 24, 288]
        assert file["durations"].tolist()[-3:] == [24, 48, 12]
        assert file["pitches"].tolist()[:3] == [60, 62, 64]


def test_a_voice_has_one_note_at_a_time() -> None:
    line = voice([(0, 96, 60), (0, 48, 64), (48, 96, 62), (96, 48, 65)])
    assert line.onsets.tolist() == [0, 48, 96]
    assert line.durations.tolist() == [48, 48, 48]
    assert line.pitches.tolist() == [64, 62, 65]
    assert line.end == 144


def test_overlapping_notes_are_refused(tmp_path: Path) -> None:
    line = Voice(np.array([0, 10]), np.array([20, 20]), np.array([60, 62]))
    with pytest.raises(ValueError, match="overlap"):
        write_tunes(tmp_path / "tunes.npz", [Tune("x", "", "", 0, None, "", (line,))], {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", [b"", b"PK nothing", b"x" * 5000])
def test_a_damaged_file_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "tunes.npz"
    path.write_bytes(damage)
    with pytest.raises(StorageError, match=r"tunes\.npz: damaged"):
        read_tunes(path)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tunes.npz"
    write_tunes(path, TUNES, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StorageError, match="damaged"):
        read_tunes(path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="extract them first"):
        read_tunes(tmp_path / "tunes.npz")


def test_the_corpus_is_read(tmp_path: Path) -> None:
    pytest.importorskip("music21")
    path = tmp_path / "tunes.npz"
    done = extract(path, folders=("nottingham-dataset", "bach"), limit=3, jobs=1)
    found = read_tunes(path)
    assert done.tunes["bach"] == 3
    assert len(found.tunes) == done.tunes.total() >= 4
    chorale = next(tune for tune in found.tunes if tune.id == "bach/bwv101.7.mxl")
    assert len(chorale.voices) == 4
    assert (chorale.metre, chorale.pickup, chorale.sharps, chorale.mode) == ("4/4", 48, -1, "minor")
    # soprano, alto, tenor and bass begin with a chord of D minor
    assert {int(line.pitches[0]) % 12 for line in chorale.voices} <= {2, 5, 9}


def test_the_rule_knows_all_analyses_of_the_corpus() -> None:
    pytest.importorskip("music21")
    assert annotated_bwv(corpus_root()) == ANNOTATED


def test_only_allowed_folders_are_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="monteverdi"):
        extract(tmp_path / "tunes.npz", folders=("monteverdi",), jobs=1)
