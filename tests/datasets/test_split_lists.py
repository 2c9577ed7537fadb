"""The divisions that are shipped as lists of ids."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import pytest
from helpers.miniatures import ids_of
from helpers.mirdata_miniatures import miniature
from helpers.own_miniatures import winterreise

from mirprobe.api.registry import DATASETS
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe.data.tracks import splits_hash
from mirprobe_tasks.datasets.splits import FOLDER, SUFFIX, divide, listed_splits, split_of_group

NAMES = sorted(
    file.name.removesuffix(SUFFIX) for file in FOLDER.iterdir() if file.name.endswith(SUFFIX)
)

GROUPS: dict[str, Callable[[str], str]] = {
    "giantsteps_tempo": str,
    "gtzan_genre": str,
    "irmas": lambda track: "train " + track.partition("__")[0],
    "queen": str,
    "tinysol": str,
    "winterreise": lambda track: track.rpartition("_")[0],
}
"""The group of a track where its id tells it."""


def track(name: str, group: str) -> Track:
    return Track(name, Path("a.wav"), group, Annotations())


def parts(name: str) -> dict[Split, list[Track]]:
    return {
        split: [track(key, key) for key, place in listed_splits(name).items() if place == split]
        for split in SPLITS
    }


def test_the_readme_names_every_list_with_its_hash() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(.+)\.tsv` \|.*\| `?([0-9a-f]*)`? ?\|$", readme, re.MULTILINE))
    assert rows == {name: "" if name == "irmas" else splits_hash(parts(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_double_or_blank(name: str) -> None:
    text = (FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(listed_splits(name)) > 40
    assert all(key == key.strip() != "" for key in listed_splits(name))
    assert set(listed_splits(name).values()) == set(SPLITS[: 2 if name == "irmas" else 3])


@pytest.mark.parametrize("name", GROUPS)
def test_the_rule_that_made_a_list(name: str) -> None:
    shares = (8, 1, 0) if name == "irmas" else (8, 1, 1)
    assert listed_splits(name) == {
        key: split_of_group(GROUPS[name](key), name, shares) for key in listed_splits(name)
    }


def test_albums_are_whole() -> None:
    albums = {(key[:2], split) for key, split in listed_splits("beatles 3").items()}
    assert len(albums) == 12
    assert Counter(split for _, split in albums) == {"train": 9, "valid": 2, "test": 1}


def test_the_fault_filtered_split_is_that_of_torchaudio() -> None:
    gtzan = pytest.importorskip("torchaudio.datasets").gtzan
    theirs: dict[str, Split] = dict.fromkeys(gtzan.filtered_train, "train")
    theirs |= dict.fromkeys(gtzan.filtered_valid, "valid")
    theirs |= dict.fromkeys(gtzan.filtered_test, "test")
    del theirs["jazz.00054"]
    assert listed_splits("gtzan_genre filtered") == theirs


def test_a_list_wins_over_the_rule_and_others_follow_the_rule() -> None:
    moved = next(key for key, split in listed_splits("queen").items() if split == "test")
    other = next(f"{n}" for n in range(100) if split_of_group(f"{n}", "queen") == "train")
    found = divide([track(moved, other), track("new", other)], name="queen")
    assert [one.id for one in found["test"]] == [moved]
    assert [one.id for one in found["train"]] == ["new"]
    assert listed_splits("no such list") == {}


def test_a_whole_data_set_has_the_hash_of_its_list(tmp_path: Path) -> None:
    dataset = DATASETS.create("winterreise", root=winterreise(tmp_path))
    assert splits_hash(dataset.splits()) == splits_hash(parts("winterreise"))
    queen = DATASETS.create("queen", root=miniature("queen", tmp_path / "queen"))
    assert [split for split, ids in ids_of(queen).items() if ids] == [listed_splits("queen")["0"]]
