"""What a cell's key and the hash of its data cover."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from helpers.small_encoders import Bands
from helpers.task_checks import declared
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import folder_hash
from mirprobe.core.schema import SPLITS, Annotations, Beats, Segments, Split, Track
from mirprobe.data.tracks import Tracks
from mirprobe.evaluation import provenance
from mirprobe.evaluation.provenance import data_hash, task_key
from mirprobe.probing import probes
from mirprobe.reporting.cell_file import read_cell
from mirprobe_tasks.beat import Beat
from mirprobe_tasks.instrument import Instrument
from mirprobe_tasks.tagging import Tagging


class First:
    name, annotation, labels = "task", "key", ("C major",)
    metrics, decodings = {"m": "one"}, {"argmax": [{"x": 1.0}]}


class Second:
    name, annotation, labels = "task", "key", ("C major",)
    metrics, decodings = {"m": "one"}, {"argmax": [{"x": 1.0}]}  # as it was edited


class Holding:
    """Keeps something in a private attribute."""

    limit = 3

    def __init__(self, value: object) -> None:
        self._value = value


def key(task: object) -> str:
    return task_key("task", cast(Task, task))


def test_what_a_task_inherits_is_part_of_its_code() -> None:
    def heir(base: type) -> object:
        class Heir(base):  # type: ignore[misc]
            pass

        return Heir()

    assert key(heir(First)) == key(heir(First))
    assert key(heir(First)) != key(heir(Second))


def test_what_a_data_set_declares_is_part_of_the_task_that_was_built_with_it() -> None:
    assert key(Beat(declared(trim=0.0))) == key(Beat(declared(trim=0.0)))
    assert key(Beat(declared(trim=0.0))) != key(Beat(declared(trim=5.0)))
    one, other = ({"instrument": (name, "flute")} for name in ("oboe", "harp"))
    assert key(Instrument(declared(vocabularies=one))) != key(
        Instrument(declared(vocabularies=other))
    )
    tags: list[Any] = [SimpleNamespace(name="s", tags=(name, "b"), trim=0.0) for name in "ac"]
    assert key(Tagging(tags[0])) != key(Tagging(tags[1]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1.0, 1.0 + 1e-12),
        (float("nan"), float("inf")),
        ("a", "b"),
        ({"x", "y"}, {"x", "z"}),
        ({"a": [1, (2, 3)]}, {"a": [1, (2, 4)]}),
        (np.zeros(3), np.array([0.0, 0.0, 1e-9])),
        (np.zeros(3), np.zeros(3, dtype=np.float32)),
        (declared(trim=0.0), declared(trim=5.0)),
        (Path("a"), Path("b")),
        (len, max),
    ],
)
def test_private_state_is_part_of_the_key(one: object, other: object) -> None:
    assert key(Holding(one)) == key(Holding(one))
    assert key(Holding(one)) != key(Holding(other))


def test_attributes_of_the_class_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key(Holding(1))
    monkeypatch.setattr(Holding, "limit", 4)
    assert key(Holding(1)) != before


def test_the_code_of_a_class_without_source_is_part_of_the_key() -> None:
    def build(factor: int, name: str = "factor") -> object:
        module: dict[str, Any] = {"__name__": "__console__"}
        exec(f"class Own:\n    def score(self): return {factor} * 2.5", module)
        return module["Own"]()

    assert key(build(1)) == key(build(1))
    assert key(build(1)) != key(build(3))


@pytest.mark.parametrize("value", [threading.Lock(), MappingProxyType({}), lambda: 0])
def test_state_that_cannot_be_hashed_is_refused_by_name(value: object) -> None:
    with pytest.raises(ConfigError, match="task 'task': the attribute '_value' cannot be hashed"):
        key(Holding(value))


class Late(Tones):
    """The first three seconds of the test tracks are without annotated beats."""

    def _track(self, split: Split, number: int) -> Track:
        track = super()._track(split, number)
        beats = track.annotations.beats
        assert beats is not None
        if split != "test":
            return track
        late = Beats(beats.times[beats.times >= 3])
        return replace(track, annotations=replace(track.annotations, beats=late))


def test_the_same_command_scores_beats_again_when_the_data_set_trims_otherwise(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    found = []
    for trim in (0.0, 3.0, 0.0):
        dataset = Late(tones.root)
        dataset.trim = trim
        result = Workbench(tmp_path, dataset).run(Bands(), tasks=["beat"])
        rows = result.scores[result.scores["selected"] & result.scores["main"]]
        (value,) = rows["value"]
        (cell,) = (read_cell(path) for path in result.folder.path.glob("predictions/*"))
        truth = [track.annotations for track in dataset.splits()["test"]]
        statistic = Beat(dataset).score(truth, list(cell.chosen()[0].tracks.values()))["f_measure"]
        assert value == statistic.value()
        assert set(rows["conditions"]) == {f"trim={trim}"}
        found.append((value, result.computed))
    assert [computed for _, computed in found] == [1, 1, 0]  # the third is the first
    values = [value for value, _ in found]
    assert values[0] == values[2] < values[1]


def test_an_edit_in_a_folder_of_python_files_changes_its_hash(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "own.py").write_text("a = 1")
    (tmp_path / "notes.txt").write_text("no code")
    hashed = folder_hash.__wrapped__
    first = hashed(tmp_path)
    (tmp_path / "notes.txt").write_text("other")
    assert hashed(tmp_path) == first
    (tmp_path / "below" / "own.py").write_text("a = 2")
    second = hashed(tmp_path)
    (tmp_path / "below" / "own.py").rename(tmp_path / "below" / "renamed.py")
    assert len({first, second, hashed(tmp_path)}) == 3


def test_the_packages_of_harness_and_task_belong_to_a_cell(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    def spy(folder: Path) -> str:
        seen.append(folder)
        return "same"

    monkeypatch.setattr(provenance, "folder_hash", spy)
    Workbench(tmp_path, tones).run(Bands())
    names = {path.name for path in seen}
    assert names == {"core", "metrics", "probing", "mirprobe_tasks"}


TRACK = Track("a", Path("a.wav"), "g", Annotations(key="C major", beats=Beats(np.array([0.5]))))


def hashed(track: Track, annotation: str = "key", audio: str = "sound") -> str:
    tracks: Tracks = {split: [replace(track, id=f"{split}-{track.id}")] for split in SPLITS}
    return data_hash(tracks, lambda path: audio, annotation)


def test_the_data_are_ids_audio_place_and_the_annotation_that_the_task_reads() -> None:
    same = replace(TRACK, audio=Path("elsewhere.wav"), group="other")
    assert hashed(same) == hashed(TRACK)
    other_beats = replace(TRACK, annotations=Annotations(key="C major"))
    assert hashed(other_beats) == hashed(TRACK)
    assert hashed(other_beats, "beats") != hashed(TRACK, "beats")
    for change in (
        {"id": "b"},
        {"start": 1.0},
        {"stop": 2.0},
        {"annotations": Annotations(key="D major")},
    ):
        assert hashed(replace(TRACK, **change)) != hashed(TRACK)
    assert hashed(TRACK, audio="noise") != hashed(TRACK)
    moved = replace(TRACK, annotations=Annotations(beats=Beats(np.array([0.5 + 1e-9]))))
    assert hashed(moved, "beats") != hashed(TRACK, "beats")
    own = {"taps": Segments(np.array([[0.0, 1.0]]), ("x",))}
    extra = replace(TRACK, annotations=Annotations(extra=own))
    assert hashed(extra, "taps") != hashed(TRACK, "taps")


def test_audio_that_cannot_be_read_is_no_error_here() -> None:
    def missing(path: Path) -> str:
        raise FileNotFoundError(path)

    tracks: Tracks = {split: [TRACK] for split in SPLITS}
    assert len(data_hash(tracks, missing, "key")) == 32
