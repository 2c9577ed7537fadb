"""MagnaTagATune in miniature: header quoted, paths in folders, three clips without audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.miniatures import ids_of, refusal, tracks_of
from helpers.own_miniatures import CLIPS, magnatagatune, tag_table

from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import DATASETS
from mirprobe_tasks.datasets.magnatagatune import TAGS, MagnaTagATune


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return magnatagatune(tmp_path)


def test_fifty_tags() -> None:
    assert len(set(TAGS)) == len(TAGS) == 50
    assert {"no vocals", "no vocal", "no voice", "new age", "female vocal"} < set(TAGS)


def test_folders_are_the_split_and_empty_clips_are_left_out(root: Path) -> None:
    dataset: Dataset = DATASETS.create("magnatagatune", root=root)
    assert ids_of(dataset) == {"train": ["11", "14"], "valid": ["10"], "test": ["2", "6"]}
    tracks = tracks_of(dataset)
    assert tracks["10"].annotations.tags == {"female vocal": 1.0, "no voice": 1.0}
    assert tracks["11"].annotations.tags == {}
    assert tracks["2"].audio == root / CLIPS["2"][0]
    assert tracks["2"].group == tracks["6"].group == "f/american_bach-cantatas-01-aria"
    assert set(dataset.prepare(list(tracks.values()))) == set(tracks)


def clean(root: Path) -> None:
    lists = {"train": ["14"], "valid": ["10"], "test": ["6", "2"]}
    (root / "clean").mkdir()
    for split, clips in lists.items():
        lines = [f"{number}\t{CLIPS[clip][0]}" for number, clip in enumerate(clips)]
        np.save(root / "clean" / f"{split}.npy", np.array(lines))


def test_the_clean_split_is_what_the_lists_say(root: Path) -> None:
    clean(root)
    dataset = DATASETS.create("magnatagatune:split=clean", root=root)
    assert ids_of(dataset) == {"train": ["14"], "valid": ["10"], "test": ["6", "2"]}


def test_lists_that_are_missing_or_others(root: Path) -> None:
    dataset = MagnaTagATune(root, split="clean")
    message = refusal(dataset.splits)
    assert str(root / "clean" / "train.npy") in message
    assert "minzwon/sota-music-tagging-models" in message
    clean(root)
    path = root / "clean" / "valid.npy"
    for content in (b"", b"no array", b"PK\x03\x04"):
        path.write_bytes(content)
        assert refusal(dataset.splits).startswith(
            f"{path}: does not contain lines of number, tab and path"
        )
    for array in (np.array(["one"]), np.arange(3), np.array("x")):
        np.save(path, array)
        assert refusal(dataset.splits).startswith(
            f"{path}: does not contain lines of number, tab and path"
        )
    np.save(path, np.array([{"a": 1}], dtype=object))  # a pickle is never opened
    assert "allow_pickle" in refusal(dataset.splits)
    np.save(path, np.array([f"0\t{CLIPS['57881'][0]}"]))
    assert f"{path}: '{CLIPS['57881'][0]}' is not among the clips" in refusal(dataset.splits)


def test_what_is_missing(tmp_path: Path) -> None:
    dataset = MagnaTagATune(tmp_path / "nowhere")
    message = refusal(dataset.splits)
    assert message.startswith(
        f"data set 'magnatagatune': {tmp_path / 'nowhere' / 'annotations_final.csv'} is missing; "
        "download mp3.zip.001"
    )
    assert "tagatune.org" in message
    assert "is missing; download" in refusal(lambda: list(dataset.prepare([])))
    tag_table(tmp_path)
    dataset = MagnaTagATune(tmp_path)
    tracks = dataset.splits()["train"]
    assert "all of its audio files are missing" in refusal(lambda: list(dataset.prepare(tracks)))


def test_an_unknown_split(tmp_path: Path) -> None:
    assert refusal(lambda: DATASETS.create("magnatagatune:split=dirty", root=tmp_path)) == (
        "magnatagatune: unknown split 'dirty'; it is folders or clean"
    )


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"clip_id"', '"id"', "begins with 'id' rather than 'clip_id'"),
        ('"sitar"', '"zither"', "line 1: has no column 'sitar'"),
        ('"mp3_path"', '"path"', "line 1: has no column 'mp3_path'"),
        ('"0"', '"2"', "line 2: 'guitar' is '2', not 0 or 1"),
        ("f/american_bach-cantatas-01-aria-30", "music/aria-30", "line 2: mp3_path is"),
        ('"146-175', "x", "has"),
        ("aria-146-175", "aria-30-59", "line 3: 'f/american_bach-cantatas-01-aria-30-59.mp3' is"),
        ('"0"\t', "", "line 2: has"),
    ],
)
def test_a_table_that_is_not_the_original(root: Path, old: str, new: str, fault: str) -> None:
    path = root / "annotations_final.csv"
    if old == '"146-175':
        path.write_bytes(path.read_bytes() + b"\xff\xfe")
        fault = "cannot be read ("
    else:
        path.write_text(path.read_text().replace(old, new))
    message = refusal(MagnaTagATune(root).splits)
    assert message.startswith(str(path))
    assert fault in message
    assert "replace" in message
