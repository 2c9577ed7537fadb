from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.small_encoders import Bands, Summary
from helpers.stub_task import StubTask
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

import mirprobe
from mirprobe.core.annotations import to_json
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import Annotations, Beats, Segments, Track
from mirprobe.probing import probes
from mirprobe.reporting.reference_annotations import REFERENCES, read_references, references_bytes
from mirprobe.reporting.run_tables import SUMS

TASKS = ("key", "chord", "beat", "tagging")


@pytest.fixture(scope="module")
def folder(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose data set is gone."""
    root = tmp_path_factory.mktemp("stored")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probes.PRESETS, "standard", QUICK)
        return Workbench(root, tones).run(Bands(), tasks=TASKS).folder.path


def test_every_metric_is_computed_again_without_the_data(folder: Path) -> None:
    run = mirprobe.open_run(folder)
    assert run.tasks == list(TASKS)
    assert run.encoders == ["Bands"]
    for task in TASKS:
        found = run.rescore(task).set_index("metric")
        rows = run.scores[(run.scores["task"] == task) & run.scores["selected"]]
        expected = rows.set_index("metric")
        assert set(found.index) == set(expected.index)
        for column in ("value", "low", "high", "n", "groups"):
            np.testing.assert_array_equal(
                found[column].astype(float), expected.loc[found.index, column].astype(float)
            )
        assert (found["interval"] == expected.loc[found.index, "interval"]).all()


def test_references_and_predictions_are_those_of_the_data_set(folder: Path, tones: Tones) -> None:
    run = mirprobe.open_run(folder)
    truth = {track.id: track for track in tones.splits()["test"]}
    for task, field in zip(TASKS, ("key", "chords", "beats", "tags"), strict=True):
        references = run.references(task)
        assert list(references) == list(truth) == list(run.predictions("Bands", task))
        for track, own in references.items():
            expected = to_json(truth[track].annotations)[field]
            assert to_json(own)[field] == expected
    assert [track.group for track in run.dataset.tracks.values()] == [
        track.group for track in truth.values()
    ]
    assert run.config["tasks"] == list(TASKS)
    assert list(run.dataset.prepare([])) == []
    assert not run.dataset.splits()["train"]


def test_a_metric_of_each_track_alone(folder: Path) -> None:
    run = mirprobe.open_run(folder)
    assert set(run.per_track("mirex")["task"]) == {"key", "chord"}
    table = run.per_track("mirex", "key")
    assert list(table.columns) == ["task", "encoder", "track", "group", "value"]
    scores = run.rescore("key").set_index("metric")["value"].to_dict()
    assert table["value"].mean() == pytest.approx(scores["mirex"])
    assert run.per_track("roc_auc")["value"].isna().all()  # not defined for one track
    assert set(run.per_track("f_measure", "beat")["task"]) == {"beat"}
    with pytest.raises(ConfigError, match="no metric 'mirexx'; did you mean 'mirex'"):
        run.per_track("mirexx")


def test_a_task_with_another_metric_judges_the_same_predictions(folder: Path) -> None:
    class Other(StubTask):
        name = "key"

    run = mirprobe.open_run(folder)
    found, exact = (
        run.rescore(task).set_index("metric")["value"].to_dict() for task in (Other(), "key")
    )
    assert found["accuracy"] == exact["accuracy"]
    assert run.per_track("accuracy", Other())["value"].isin((0, 1)).all()


def test_a_zip_file_is_a_run_with_and_without_its_folder(folder: Path, tmp_path: Path) -> None:
    plain = mirprobe.open_run(folder).rescore("chord")
    for base, name in ((folder, "."), (folder.parent, folder.name)):
        archive = shutil.make_archive(str(tmp_path / "run"), "zip", base, name)
        run = mirprobe.open_run(archive)
        pd.testing.assert_frame_equal(run.rescore("chord"), plain)
        assert run.differences.equals(mirprobe.open_run(folder).differences)


def test_what_is_no_run_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    shutil.make_archive(str(tmp_path / "empty"), "zip", folder / "splits")
    for name, message in (
        ("missing", "no such run"),
        ("a.txt", "neither the folder of a run nor a zip file"),
        ("empty.zip", "neither the folder of a run nor a zip file"),
    ):
        with pytest.raises(StorageError, match=message):
            mirprobe.open_run(tmp_path / name)
    with pytest.raises(StorageError, match=r"scores\.csv: no such file"):
        _ = mirprobe.open_run(tmp_path).scores
    run = mirprobe.open_run(folder)
    with pytest.raises(ConfigError, match="no scores of encoder 'Band'; did you mean 'Bands'"):
        run.predictions("Band", "key")
    with pytest.raises(ConfigError, match="no scores of task 'keys'; did you mean 'key'"):
        run.rescore("keys")


def test_an_incomplete_run_says_what_is_missing(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "run"))
    (copy / REFERENCES).unlink()
    with pytest.raises(StorageError, match=r"references\.json\.gz: no such file.*run the same"):
        mirprobe.open_run(copy).references("key")
    (copy / REFERENCES).write_bytes(b"x")
    with pytest.raises(StorageError, match=r"references\.json\.gz: was changed after the run"):
        mirprobe.open_run(copy).references("key")
    (copy / SUMS).unlink()
    with pytest.raises(StorageError, match=r"references\.json\.gz: damaged"):
        mirprobe.open_run(copy).references("key")
    next((copy / "predictions").glob("Bands__key*")).unlink()
    with pytest.raises(StorageError, match="no such file: the run is incomplete"):
        mirprobe.open_run(copy).predictions("Bands", "key")


def test_evaluate_returns_the_run_beside_the_table(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.chdir(tmp_path)
    table = mirprobe.evaluate([Summary(), Bands()], ["key"], tones)
    run = table[table["main"]].run
    assert run.encoders == ["Summary", "Bands"]
    assert run.path == Path(table.attrs["run"])
    assert set(run.references("key")) == {f"test-{number}" for number in range(6)}


def test_only_what_the_tasks_read_is_stored(tones: Tones, tmp_path: Path) -> None:
    beats = Beats(np.array([0.5, 1.0]), np.array([1, 2]))
    extra = {"metre": 4, "odd": object(), "parts": Segments(np.array([[0.0, 1.0]]), ("a",))}
    track = Track("one", Path("x"), "artist", Annotations("C major", beats=beats, extra=extra))
    (tmp_path / REFERENCES).write_bytes(references_bytes(tones, [track], ["beats", "odd", "parts"]))
    stored = read_references(tmp_path)
    found = stored.tracks["one"].annotations.given()
    assert set(found) == {"beats", "parts"}  # an annotation that is no value is not stored
    assert found["parts"].labels == ("a",)
    assert (stored.name, stored.tags, stored.trim) == (tones.name, tones.tags, tones.trim)


def test_a_data_set_by_its_specification(tmp_path: Path) -> None:
    dataset = mirprobe.load_dataset("studio:size=72", cache_dir=tmp_path)
    assert dataset.name == "studio"
    assert len(dataset.splits()["test"]) == 24
    with pytest.raises(ConfigError, match="unknown data set 'studo'; did you mean 'studio'"):
        mirprobe.load_dataset("studo")
