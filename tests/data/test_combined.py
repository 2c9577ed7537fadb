from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.small_encoders import Bands
from helpers.stub_task import StubTask
from helpers.tones import Tones
from helpers.workbench import QUICK

import mirprobe
from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import DATASETS, TASKS
from mirprobe.api.task import conditions_of
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe.data.combined import CrossedDataset, JoinedDataset
from mirprobe.data.tracks import splits_hash
from mirprobe.evaluation.config import RunConfig, make_config
from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.runner import run, run_name
from mirprobe.evaluation.setup import make_dataset, make_task
from mirprobe.probing import probes


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)


class Renamed:
    """The tones under another name, with groups of its own and whatever else is asked for."""

    tags: tuple[str, ...] = Tones.tags

    def __init__(self, tones: Tones, name: str, trim: float = 0.0, group: str = "") -> None:
        self.tones = tones
        self.name = name
        self.trim = trim
        self.group = group or name
        self.prepared: list[str] = []

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        return {
            split: [replace(track, group=f"{self.group} {track.group}") for track in tracks]
            for split, tracks in self.tones.splits().items()
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        for track in tracks:
            self.prepared.append(track.id)
            yield track.id


@pytest.fixture
def one(tones: Tones) -> Renamed:
    return Renamed(tones, "one")


@pytest.fixture
def two(tones: Tones) -> Renamed:
    return Renamed(tones, "two", trim=1.0)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, one: Renamed, two: Renamed) -> None:
    monkeypatch.setitem(DATASETS._factories, "one", lambda root, **options: one)
    monkeypatch.setitem(DATASETS._factories, "two", lambda root, **options: two)


def ids(dataset: Dataset) -> dict[str, list[str]]:
    return {split: [track.id for track in dataset.splits()[split]] for split in SPLITS}


def numbered(prefix: str, split: str) -> list[str]:
    return [f"{prefix}/{split}-{number}" for number in range(12 if split == "train" else 6)]


def test_joined_splits_hold_both_under_names_of_their_own(one: Renamed, two: Renamed) -> None:
    joined = JoinedDataset([one, two])
    assert joined.name == "one+two"
    assert ids(joined) == {s: numbered("one", s) + numbered("two", s) for s in SPLITS}
    assert {track.group.partition("/")[0] for track in joined.splits()["test"]} == {"one", "two"}


def test_a_crossed_set_learns_from_all_of_one_and_tests_on_all_of_the_other(
    one: Renamed, two: Renamed
) -> None:
    every = [name for split in SPLITS for name in numbered("two", split)]
    train, test = numbered("one", "train"), numbered("one", "test")
    valid = {"valid": numbered("one", "valid")}
    # nothing of the first is tested, so that its test split trains too
    assert ids(CrossedDataset(one, two)) == {**valid, "train": train + test, "test": every}
    own = {**valid, "train": train, "test": numbered("two", "test")}
    assert ids(CrossedDataset(one, two, "test")) == own
    hashes = {
        splits_hash(dataset.splits())
        for dataset in (
            one,
            CrossedDataset(one, two),
            CrossedDataset(two, one),
            CrossedDataset(one, two, "test"),
        )
    }
    assert len(hashes) == 4


def test_each_data_set_prepares_its_own_tracks(one: Renamed, two: Renamed) -> None:
    crossed = CrossedDataset(JoinedDataset([one, two]), Renamed(one.tones, "three"))
    chosen = [track for split in SPLITS for track in crossed.splits()[split][-2:]]
    assert set(crossed.prepare(chosen)) == {track.id for track in chosen}
    assert one.prepared == []  # the last two of every split are of the second
    assert two.prepared == ["test-4", "test-5", "valid-4", "valid-5"]


def test_a_joined_set_vouches_for_what_a_task_reads_alone(one: Renamed, two: Renamed) -> None:
    joined = JoinedDataset([one, two])
    assert joined.tags == Tones.tags
    assert TASKS.create("chord", joined).name == "chord"  # needs no trim
    with pytest.raises(ConfigError, match=r"'one' and 'two' cannot be joined .* differ in 'trim'"):
        TASKS.create("beat", joined)
    with pytest.raises(AttributeError):
        _ = joined.instruments
    for part in (one, two):
        part.instruments = ("flute",)  # type: ignore[attr-defined]
    assert joined.instruments == ("flute",)
    with pytest.raises(ConfigError, match=r"'one\+one' names one twice"):
        JoinedDataset([one, one])


def test_a_crossed_set_is_scored_as_the_second_asks(one: Renamed, two: Renamed) -> None:
    assert conditions_of(make_task("beat", CrossedDataset(one, two)))([]) == "trim=1.0"
    assert conditions_of(make_task("beat", CrossedDataset(two, one)))([]) == "trim=0.0"


def test_different_labels_are_refused_where_a_task_reads_them(one: Renamed, two: Renamed) -> None:
    two.tags = ("bright", "deep")
    assert make_task("key", CrossedDataset(one, two)).name == "key"
    with pytest.raises(ConfigError, match=r"task 'tagging': data sets 'one' and 'two' .*'dark' is"):
        make_task("tagging", CrossedDataset(one, two))
    two.tags = one.tags[::-1]
    with pytest.raises(ConfigError, match=r"different labels \(in another order\)"):
        make_task("tagging", CrossedDataset(one, two))


def test_what_is_trained_on_is_not_tested_on(one: Renamed) -> None:
    with pytest.raises(ConfigError, match=r"'one -> one': 24 test tracks .*test_tracks: test"):
        CrossedDataset(one, one).splits()
    assert ids(CrossedDataset(one, one, "test"))["test"] == numbered("one", "test")


def test_namesakes_across_data_sets_are_reported(
    tones: Tones, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Renamed(tones, "one", group="by"), Renamed(tones, "two", group="by")
    with caplog.at_level(logging.WARNING, "mirprobe"):
        CrossedDataset(first, second).splits()
        assert "'one -> two': 24 groups have the same name" in caplog.text
        caplog.clear()
        JoinedDataset([first, second]).splits()  # the same piece is in the same split of both
        assert caplog.text == ""
        CrossedDataset(first, Renamed(tones, "three")).splits()
        assert caplog.text == ""


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train_dataset": "a"}, "'train_dataset' and 'test_dataset' go together"),
        ({"test_dataset": "a"}, "'train_dataset' and 'test_dataset' go together"),
        (
            {"dataset": "a", "train_dataset": "a", "test_dataset": "b"},
            "'dataset' excludes 'train_dataset'",
        ),
        ({"test_tracks": "all"}, "'test_tracks' needs"),
        (
            {"train_dataset": "a", "test_dataset": "b", "test_tracks": "al"},
            "unknown test_tracks 'al'; did you mean 'all'",
        ),
    ],
)
def test_fields_that_do_not_fit(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(values)


def test_names_of_runs() -> None:
    assert run_name(RunConfig()).startswith("studio-standard-linear-")
    assert run_name(RunConfig()) != run_name(RunConfig(encoders=("logmel",)))
    assert run_name(RunConfig(data_home=Path("x"))) == run_name(RunConfig())
    crossed = RunConfig(train_dataset="studio:size=72", test_dataset="one+two")
    assert crossed.data == "studio:size=72 -> one+two"
    assert crossed.test_tracks == "all"
    assert run_name(crossed).startswith("studio-to-one+two-standard-linear-")
    others = [replace(crossed, test_tracks="test"), replace(crossed, train_dataset="studio")]
    assert len({run_name(config) for config in (crossed, *others)}) == 3


def test_an_arrow_is_no_data_set() -> None:
    message = "give 'one' as train_dataset and 'two' as test_dataset"
    with pytest.raises(ConfigError, match=message):
        make_dataset(RunConfig(dataset="one -> two"))


@pytest.mark.usefixtures("registered")
def test_a_run_across_data_sets(tmp_path: Path, two: Renamed) -> None:
    def attempt(**options: Any) -> RunResult:
        values = {
            "encoders": ["Bands"],
            "tasks": ["key", "beat"],
            "train_dataset": "one",
            "test_dataset": "two",
            "layers": "all",
            "cache_dir": tmp_path / "cache",
            "results_dir": tmp_path / "results",
        }
        return run(make_config({**values, **options}), encoders={"Bands": Bands()})

    result = attempt()
    assert result.failures == {}
    assert set(result.scores["dataset"]) == {"one -> two"}
    assert set(result.scores["n"]) == {24}
    beat = result.scores[result.scores["task"] == "beat"]
    assert set(beat["conditions"]) == {"trim=1.0"}
    found = json.loads((result.folder.path / "run.json").read_text())
    assert found["splits"]["valid"] == numbered("one", "valid")
    assert set(result.scores["splits"]) == {found["splits_hash"]}
    again = make_config(found["config"])
    assert run_name(again) == result.folder.path.name
    assert attempt().computed == 0
    fewer = attempt(test_tracks="test", tasks=["key"])
    assert set(fewer.scores["n"]) == {6}
    assert not set(fewer.scores["cell"]) & set(result.scores["cell"])


@pytest.mark.usefixtures("registered")
def test_a_joined_set_is_a_data_set_like_any_other(tmp_path: Path) -> None:
    folders = {"cache_dir": tmp_path / "cache", "results_dir": tmp_path / "results"}
    config = make_config(
        {"encoders": ["Bands"], "tasks": ["chord"], "dataset": "one+two:size=3", **folders}
    )
    result = run(config, encoders={"Bands": Bands()})
    assert set(result.scores["dataset"]) == {"one+two:size=3"}
    assert set(result.scores["n"]) == {12}
    assert result.folder.path.name.startswith("one+two-standard-")


def test_instances_and_names_mix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one: Renamed, two: Renamed
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(DATASETS._factories, "one", lambda root: one)
    table = mirprobe.evaluate([Bands()], ["key"], train_dataset="one", test_dataset=two)
    assert set(table["dataset"]) == {"one -> two"}
    with pytest.raises(ConfigError, match="'dataset' excludes"):
        mirprobe.evaluate([Bands()], ["key"], one, train_dataset="one", test_dataset=two)
    other = Renamed(two.tones, "two")
    with pytest.raises(ConfigError, match="two data sets are called 'two'"):
        mirprobe.evaluate([Bands()], ["key"], train_dataset=other, test_dataset=two)


def test_a_task_instance_is_taken_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one: Renamed, two: Renamed
) -> None:
    monkeypatch.chdir(tmp_path)

    class Modes(StubTask):
        def targets(self, annotations: Annotations, times: Any) -> Any:
            return super().targets(replace(annotations, key="a"), times)

    table = mirprobe.evaluate([Bands()], [Modes()], train_dataset=one, test_dataset=two)
    assert set(table["n"]) == {24}
