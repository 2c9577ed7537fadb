"""MTG-Jamendo in miniature: tags in the sixth and all later columns, five splits by artist."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.miniatures import ids_of, refusal, text, tone, tracks_of

from mirprobe.api.registry import DATASETS
from mirprobe_tasks.datasets.mtg_jamendo import MtgJamendo
from mirprobe_tasks.tagging import Tagging

HEADER = "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS\n"
SONGS = [
    "track_0000773\tartist_000104\talbum_000126\t73/773.mp3\t275.3\tgenre---rock\n",
    "track_0000774\tartist_000104\talbum_000126\t74/774.mp3\t239.9\tgenre---pop\tgenre---rock\n",
    "track_1310775\tartist_352184\talbum_155700\t75/1310775.mp3\t283.0\tgenre---rock"
    "\tinstrument---voice\tmood/theme---happy\n",
    "track_1405384\tartist_439637\talbum_164315\t84/1405384.mp3\t208.0\tgenre---pop\n",
]


def split_files(root: Path, name: str = "autotagging_top50tags") -> None:
    """Split 0 has the first artist in training, split 1 in test, and so on."""
    artists = [SONGS[:2], SONGS[2:3], SONGS[3:]]
    for split in range(5):
        for place, part in enumerate(("train", "validation", "test")):
            path = root / "data" / "splits" / f"split-{split}" / f"{name}-{part}.tsv"
            text(path, HEADER + "".join(artists[(place + split) % 3]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    split_files(tmp_path)
    tone(tmp_path / "audio" / "73" / "773.mp3")
    tone(tmp_path / "audio" / "74" / "774.low.mp3")
    return tmp_path


def test_tracks_of_a_split(root: Path) -> None:
    dataset = DATASETS.create("mtg_jamendo", root=root)
    assert ids_of(dataset) == {
        "train": ["track_0000773", "track_0000774"],
        "valid": ["track_1310775"],
        "test": ["track_1405384"],
    }
    tracks = tracks_of(dataset)
    song = tracks["track_1310775"]
    assert song.group == "artist_352184"
    assert song.annotations.tags == {
        "genre---rock": 1.0,
        "instrument---voice": 1.0,
        "mood/theme---happy": 1.0,
    }
    assert song.audio == root / "audio" / "75" / "1310775.mp3"
    assert tracks["track_0000773"].audio == root / "audio" / "73" / "773.mp3"
    assert tracks["track_0000774"].audio == root / "audio" / "74" / "774.low.mp3"
    assert list(dataset.prepare(list(tracks.values()))) == list(tracks)


def test_the_vocabulary_is_that_of_all_splits(root: Path) -> None:
    path = root / "data" / "splits" / "split-4" / "autotagging_top50tags-test.tsv"
    path.write_text(path.read_text() + SONGS[0].replace("genre---rock", "instrument---banjo"))
    expected = (
        *("genre---pop", "genre---rock", "instrument---banjo", "instrument---voice"),
        "mood/theme---happy",
    )
    for split in range(4):
        dataset = MtgJamendo(root, split=split)
        assert dataset.tags == expected
        assert Tagging(dataset).labels == expected


def test_splits_and_subsets(root: Path) -> None:
    assert ids_of(MtgJamendo(root, split=1))["test"] == ["track_0000773", "track_0000774"]
    split_files(root, "autotagging")
    split_files(root, "autotagging_moodtheme")
    for subset in ("all", "moodtheme"):
        assert len(tracks_of(MtgJamendo(root, subset=subset))) == 4
    assert "autotagging_genre-train.tsv is missing" in refusal(
        MtgJamendo(root, subset="genre").splits
    )
    assert "autotagging_instrument-train.tsv is missing" in refusal(
        lambda: Tagging(MtgJamendo(root, subset="instrument"))
    )


@pytest.mark.parametrize("split", ["5", "-1", "true", "one", "0.5"])
def test_an_unknown_split(tmp_path: Path, split: str) -> None:
    message = refusal(lambda: DATASETS.create(f"mtg_jamendo:split={split}", root=tmp_path))
    assert message.startswith("mtg_jamendo: unknown split")
    assert message.endswith("it is 0, 1, 2, 3 or 4")


def test_an_unknown_subset(tmp_path: Path) -> None:
    assert refusal(lambda: MtgJamendo(tmp_path, subset="rock")) == (
        "mtg_jamendo: unknown subset 'rock'; it is one of top50, genre, instrument, moodtheme, all"
    )


def test_what_is_missing(root: Path, tmp_path: Path) -> None:
    message = refusal(MtgJamendo(tmp_path / "nowhere").splits)
    assert "nowhere/data/splits/split-0/autotagging_top50tags-train.tsv is missing" in message
    assert "clone the repository" in message
    dataset = MtgJamendo(root)
    (root / "audio").rename(root / "music")
    tracks = dataset.splits()["train"]
    assert "all of its audio files are missing" in refusal(lambda: list(dataset.prepare(tracks)))


def test_an_artist_in_two_parts(root: Path) -> None:
    path = root / "data" / "splits" / "split-0" / "autotagging_top50tags-test.tsv"
    path.write_text(path.read_text() + SONGS[0])
    assert refusal(MtgJamendo(root).splits) == (
        f"{path} line 3: artist_000104 is also in train; replace the file by the original"
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("TRACK_ID", "ID", "begins with"),
        ("genre---pop\tgenre", "pop\tgenre", "line 3: '['pop', 'genre---rock']' are not all tags"),
        ("\t73/773.mp3\t275.3\tgenre---rock", "", "line 2: has 3 fields"),
    ],
)
def test_a_file_that_is_not_the_original(root: Path, old: str, new: str, fault: str) -> None:
    path = root / "data" / "splits" / "split-0" / "autotagging_top50tags-train.tsv"
    path.write_text(path.read_text().replace(old, new))
    message = refusal(MtgJamendo(root).splits)
    assert message.startswith(str(path))
    assert fault in message
