from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
from helpers.tones import Tones
from typer.testing import CliRunner

from mirprobe.api.dataset import Dataset
from mirprobe.cli.app import app
from mirprobe.core.check import Check
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe.data.validate_dataset import validate_dataset

Splits = dict[Split, list[Track]]
FIRST: dict[Split, int] = {"train": 0, "valid": 12, "test": 18}


class Pieces(Tones):
    """The tones, with other music in every split."""

    def _track(self, split: Split, number: int) -> Track:
        return super()._track(split, number + FIRST[split])


def checks(make: Callable[[], Dataset], limit: int | None = None) -> dict[str, Check]:
    return {check.name: check for check in validate_dataset(make, limit)}


def test_a_right_data_set_passes(tmp_path: Path) -> None:
    found = checks(lambda: Pieces(tmp_path))
    names = ["members", "tracks", "preparation", "splits", "audio", "annotations", "tasks"]
    assert list(found) == names
    assert all(check.passed for check in found.values()), found
    assert found["tracks"].found == (
        "train 12, valid 6, test 6; annotated: beats, chords, key, tags"
    )
    assert found["preparation"].found == "audio of 24 tracks"
    assert checks(lambda: Pieces(tmp_path / "few"), 2)["preparation"].found == "audio of 6 tracks"
    assert len(list((tmp_path / "few").iterdir())) == 6


def changed(tones: Pieces, number: int, **changes: Any) -> Splits:
    """The splits with the first track of `test` changed."""
    splits = {split: list(tracks) for split, tracks in tones.splits().items()}
    splits["test"][number] = replace(splits["test"][number], **changes)
    return splits


def with_silence(tones: Pieces) -> Splits:
    silent = tones.root / "silent.wav"
    soundfile.write(silent, [0.0] * 16_000, 16_000)
    return changed(tones, 0, audio=silent)


def with_beats_outside(tones: Pieces) -> Splits:
    beats = tones.splits()["test"][0].annotations.beats
    assert beats is not None
    return changed(tones, 0, annotations=Annotations(beats=replace(beats, times=beats.times + 60)))


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (lambda tones: changed(tones, 0, id="train-0"), "splits", "track 'train-0': another track"),
        (lambda tones: changed(tones, 0, group="train-0"), "splits", "track 'test-18': its group "),
        (lambda tones: {**tones.splits(), "valid": []}, "splits", "split 'valid' has no tracks"),
        (
            lambda tones: {**tones.splits(), "dev": []},
            "tracks",
            "data set 'tones': split 'dev' is unknown; use train",
        ),
        (
            lambda tones: {**tones.splits(), "test": ["a"]},
            "tracks",
            "data set 'tones', track '0 of",
        ),
        (
            lambda tones: changed(tones, 0, audio="a.wav"),
            "tracks",
            "data set 'tones', track 'test-18': audio is a str; give a pathlib.Path",
        ),
        (
            lambda tones: changed(tones, 0, annotations={"key": "C major"}),
            "tracks",
            "data set 'tones', track 'test-18': annotations is a dict; give a mirprobe.Annot",
        ),
        (
            lambda tones: changed(tones, 0, annotations=Annotations(extra=["x"])),  # type: ignore[arg-type]
            "tracks",
            "data set 'tones', track 'test-18': extra of its annotations is a list; give a map",
        ),
        (
            lambda tones: changed(tones, 0, annotations=Annotations(extra={"key": "C major"})),
            "tracks",
            "data set 'tones', track 'test-18': extra of its annotations has the key 'key'; give "
            "the field itself",
        ),
        (
            lambda tones: changed(tones, 0, annotations=Annotations(extra={1: "x"})),  # type: ignore[dict-item]
            "tracks",
            "data set 'tones', track 'test-18': extra of its annotations has the key 1; name it",
        ),
        (
            lambda tones: changed(tones, 0, annotations=Annotations(tags={"low"})),  # type: ignore[arg-type]
            "annotations",
            "track 'test-18': 'tags' (set) has a wrong form; give a mapping of the tags that apply",
        ),
        (
            lambda tones: changed(tones, 0, annotations=Annotations(kex="x")),  # type: ignore[call-arg]
            "tracks",
            "data set 'tones' cannot list its tracks (TypeError: Annotations.__init__() got an",
        ),
        (
            lambda tones: changed(tones, 0, audio=Path("none.wav")),
            "audio",
            f"track 'test-18': {Path('none.wav').absolute()}: no such audio file",
        ),
        (
            lambda tones: changed(tones, 0, audio=tones.splits()["train"][0].audio),
            "audio",
            "track 'test-18': the same audio as track 'train-0', which is in split 'train', this",
        ),
        (with_silence, "audio", "track 'test-18': "),
        (with_beats_outside, "annotations", "track 'test-18': 'beats' ends at 6"),
        (
            lambda tones: changed(tones, 0, annotations=Annotations()),
            "annotations",
            "track 'test-18': has no annotation at all",
        ),
        (
            lambda tones: changed(tones, 0, annotations=Annotations(key="H major")),
            "tasks",
            "track 'test-18': task 'key': ",
        ),
    ],
)
def test_a_wrong_data_set_fails_one_check(
    change: Callable[[Pieces], Splits], name: str, message: str, tmp_path: Path
) -> None:
    class Wrong(Pieces):
        def splits(self) -> Mapping[Split, Sequence[Track]]:
            return change(Pieces(tmp_path))

        def prepare(self, tracks: Sequence[Track]) -> Any:
            right = Pieces(tmp_path).splits()
            list(Pieces(tmp_path).prepare([one for split in SPLITS for one in right[split]]))
            return iter(())

    found = checks(lambda: Wrong(tmp_path))
    failed = {check.name: check.found for check in found.values() if not check.passed}
    assert list(failed) == [name], failed
    assert failed[name].startswith(message)


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        ("name", "", "name is not a string"),
        ("tags", ("a", "a"), "tags is not a tuple of different strings"),
        ("trim", -1.0, "trim is not a number of seconds from 0"),
        ("sheet", "CC0", "sheet is not a DatasetInfo"),
        ("vocabularies", {"genre": ("x", "x")}, "vocabularies is not a mapping of fields to"),
        ("faults", ["x"], "faults is not a mapping of track ids to reasons"),
    ],
)
def test_members_that_are_wrong(member: str, value: Any, message: str, tmp_path: Path) -> None:
    wrong = type("Wrong", (Pieces,), {member: value})
    (only,) = validate_dataset(lambda: wrong(tmp_path))
    assert not only.passed
    assert only.found.startswith(message)


def test_members_that_are_missing() -> None:
    (only,) = validate_dataset(object)  # type: ignore[arg-type]
    assert only.found == "lacks name, tags, trim, splits, prepare"


def test_splits_that_change(tmp_path: Path) -> None:
    made: list[Pieces] = []

    class Changing(Pieces):
        def splits(self) -> Mapping[Split, Sequence[Track]]:
            number = made.index(self)
            return {split: tracks[number:] for split, tracks in super().splits().items()}

    def make() -> Dataset:
        made.append(Changing(tmp_path))
        return made[-1]

    check = checks(make)["tracks"]
    assert (check.passed, check.found) == (False, "two instances have different splits")


@pytest.mark.parametrize(("method", "name"), [("splits", "tracks"), ("prepare", "preparation")])
def test_what_cannot_be_had(method: str, name: str, tmp_path: Path) -> None:
    def refuse(*_: Any) -> Any:
        raise ConfigError("get it by hand")

    refusing = type("Refusing", (Pieces,), {method: refuse})
    *_, last = validate_dataset(lambda: refusing(tmp_path))
    assert (last.name, last.passed, last.found) == (name, False, "get it by hand")


def test_a_preparation_that_yields_nothing(tmp_path: Path) -> None:
    silent = type("Silent", (Pieces,), {"prepare": lambda *_: None})
    *_, last = validate_dataset(lambda: silent(tmp_path))
    assert (last.name, last.passed) == ("preparation", False)
    assert last.found == (
        "data set 'tones': `prepare` must yield the id of each track, but returns NoneType; write "
        "`yield track.id` where its audio exists"
    )


def test_the_command(tmp_path: Path) -> None:
    words = ["validate-dataset", "studio:size=72", "--limit", "1", "--cache-dir", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    last = result.output.splitlines()[-1]
    assert last == "data set 'studio:size=72': 7 passed, 0 failed, 0 not applicable"
    (tmp_path / "wrong.py").write_text("class Wrong:\n    def __init__(self, root): pass\n")
    words = ["validate-dataset", f"{tmp_path}/wrong.py:Wrong", "--cache-dir", str(tmp_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert result.output.startswith("FAIL  members           lacks name, tags")
