"""A task and a data set in files, whose annotation is no field of `Annotations`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.small_encoders import Bands
from helpers.workbench import QUICK
from typer.testing import CliRunner

import mirprobe
from mirprobe.api import from_file
from mirprobe.api.registry import DATASETS, TASKS
from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError
from mirprobe.data.paths import DataFolders, joined_specs
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

PLUGINS = '''
from pathlib import Path

import numpy as np
import soundfile

import mirprobe
from mirprobe.core.schema import SPLITS


class Mode:
    """Whether the metre is in three: one label a track, from `extra`."""

    name, level, annotation, loss = "metre", "clip", "metre", "multiclass"
    labels, main_metric = ("3/4", "4/4"), "accuracy"
    metrics = {"accuracy": "share of tracks"}
    decodings = {"argmax": ({},)}

    def __init__(self, dataset):
        pass

    def targets(self, annotations, times):
        return np.array(self.labels.index(annotations.get("metre")))

    def decode(self, logits, times, decoding, parameters):
        return mirprobe.Annotations(extra={"metre": self.labels[int(logits.argmax())]})

    def score(self, references, estimates):
        pairs = zip(references, estimates)
        hits = [float(a.get("metre") == b.get("metre")) for a, b in pairs]
        return {"accuracy": mirprobe.weighted_mean(hits)}


class Clicks:
    """Low tones in three, high ones in four."""

    name, tags, trim = "clicks", (), 0.0

    def __init__(self, root, tracks=8):
        self.root, self.tracks = Path(root), tracks

    def splits(self):
        return {s: [self.track(s, n) for n in range(self.tracks)] for s in SPLITS}

    def track(self, split, number):
        name = f"{split}-{number}"
        extra = {"metre": Mode.labels[number % 2], "taps": np.array([0.5, number])}
        known = mirprobe.Annotations(extra=extra)
        return mirprobe.Track(name, self.root / f"{name}.wav", name, known)

    def prepare(self, tracks):
        self.root.mkdir(parents=True, exist_ok=True)
        for track in tracks:
            pitch = 200 + 2000 * (track.annotations.get("metre") == "4/4")
            time = np.arange(32_000) / 16_000
            soundfile.write(track.audio, 0.5 * np.sin(2 * np.pi * pitch * time), 16_000)
            yield track.id
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setattr(from_file, "_neighbours", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my.py"
    path.write_text(PLUGINS)
    return path


def test_evaluate_scores_a_task_in_a_file_on_a_data_set_in_a_file(file: Path) -> None:
    table = mirprobe.evaluate([Bands()], ["my.py:Mode"], "my.py:Clicks:tracks=6", layers="all")
    main = table[(table["kind"] == "probe") & (table["layer"] == "bands")]
    assert main["value"].tolist() == [1.0]
    assert set(table["task"]) == {"my.py:Mode"}
    assert set(table["dataset"]) == {"my.py:Clicks:tracks=6"}
    assert set(table["conditions"]) == {""}  # the task declares none
    run = Path(table.attrs["run"])
    assert run.name.startswith("Clicks-standard-linear-")
    (cell,) = (run / "predictions").iterdir()
    assert cell.name == "Bands__my.py_Mode.json.gz"
    (root,) = Path("embeddings_cache/datasets").iterdir()
    assert root.name.startswith("Clicks-")
    again = mirprobe.evaluate([Bands()], ["my.py:Mode"], "my.py:Clicks:tracks=6", layers="all")
    assert again["value"].tolist() == table["value"].tolist()


def test_another_annotation_is_another_cell(file: Path) -> None:
    encoder = [Bands()]
    first = mirprobe.evaluate(encoder, "my.py:Mode", "my.py:Clicks", layers="all")
    changed = PLUGINS.replace("Mode.labels[number % 2]", "Mode.labels[(number + 1) % 2]")
    file.write_text(changed)
    second = mirprobe.evaluate(encoder, "my.py:Mode", "my.py:Clicks", layers="all")
    assert set(first["cell"]).isdisjoint(second["cell"])


def test_the_command_line_takes_both(file: Path) -> None:
    words = ["run", "--encoder", "mfcc", "--task", f"{file}:Mode", "--dataset", "my.py:Clicks"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "my.py:Mode" in result.output
    (cell,) = Path("results").glob("*/predictions/*")
    assert cell.name.startswith("mfcc__")


def test_joined_with_a_registered_one(file: Path) -> None:
    assert joined_specs("my.py:Clicks:tracks=3+studio") == ["my.py:Clicks:tracks=3", "studio"]
    assert joined_specs("studio:size=9+my.py:Clicks") == ["studio:size=9", "my.py:Clicks"]
    assert joined_specs("folder:config=a+b") == ["folder:config=a+b"]


def test_two_classes_of_one_name_have_folders_of_their_own(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "my.py").write_text(PLUGINS)
    folders = DataFolders(tmp_path / "c", tmp_path / "d")
    one = folders.root("my.py:Clicks")
    assert one == folders.root(f"{file}:Clicks")
    assert one != folders.root(f"{file}:Clicks:tracks=3")
    assert one != folders.root("other/my.py:Clicks")
    with_sheet = 'sheet = mirprobe.api.dataset.DatasetInfo(licence="CC0", source="x", obtain="y")'
    text = PLUGINS.replace(
        '    name, tags, trim = "cl', f'    {with_sheet}\n    name, tags, trim = "cl'
    )
    (other / "my.py").write_text(f"import mirprobe.api.dataset\n{text}")
    assert folders.root("other/my.py:Clicks") == tmp_path / "d" / "Clicks"


@pytest.mark.parametrize(
    ("registry", "kind"), [(TASKS, "task"), (DATASETS, "data set")], ids=("task", "dataset")
)
def test_messages_name_the_kind(file: Path, registry: Any, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"^{kind} file 'my.py' has no class 'Mod'; did you mean"):
        registry.get("my.py:Mod")
    with pytest.raises(ConfigError, match=f"^{kind} file 'none.py': no such file; check the path"):
        registry.create("none.py:Mode")
    with pytest.raises(ConfigError, match=f"^{kind} 'my.py:Mode:a=1' cannot be built .it has no o"):
        registry.create("my.py:Mode:a=1")


def test_an_edit_beside_a_task_or_a_data_set_makes_new_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_neighbours", "_hashes", "_sources"):
        monkeypatch.setattr(from_file, name, {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    task = PLUGINS.replace("mirprobe.weighted_mean(hits)", "WEIGHT(hits)")
    (tmp_path / "task.py").write_text(f"from beside_task import WEIGHT\n{task}")
    data = PLUGINS.replace('"taps": ', '**MORE, "taps": ')
    (tmp_path / "data.py").write_text(f"from beside_data import MORE\n{data}")
    (tmp_path / "beside_task.py").write_text("from mirprobe import weighted_mean as WEIGHT\n")
    (tmp_path / "beside_data.py").write_text("MORE = {}\n")
    config = make_config(
        {
            "encoders": ["Bands"],
            "tasks": [f"{tmp_path}/task.py:Mode"],
            "dataset": f"{tmp_path}/data.py:Clicks",
            "cache_dir": tmp_path / "cache",
            "results_dir": tmp_path / "results",
        }
    )

    def restarted() -> int:
        for name in ("beside_task", "beside_data"):
            sys.modules.pop(name, None)
        from_file._hashes.clear()
        return run(config, encoders={"Bands": Bands()}).computed

    assert (restarted(), restarted()) == (1, 0)
    for name in ("beside_task", "beside_data"):
        path = tmp_path / f"{name}.py"
        path.write_text(f"{path.read_text()}# a remark\n")
        assert (restarted(), restarted()) == (1, 0)
