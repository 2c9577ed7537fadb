from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import ROOT
from helpers.tones import Tones
from helpers.workbench import QUICK
from typer.testing import CliRunner

import mirprobe
from mirprobe.api import from_file
from mirprobe.api.registry import DATASETS
from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError
from mirprobe.evaluation.config import RunConfig, make_config
from mirprobe.evaluation.run_files import suite_text
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.suites import load_suite
from mirprobe.probing import probes

ENCODER = """
import sys
sys.path.append({tests!r})
import beside
from helpers.small_encoders import Bands


class Mine(Bands):
    def __init__(self, loud=1.0):
        super().__init__()
        self.loud = loud
        self.fingerprint = f"mine {{loud}}"

    def __call__(self, audio):
        return super().__call__(audio * self.loud * beside.FACTOR)
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tones: Tones) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: tones)
    monkeypatch.chdir(tmp_path)
    forget_neighbours()
    Path("own").mkdir()
    Path("own/mine.py").write_text(ENCODER.format(tests=str(ROOT / "tests")))
    Path("own/beside.py").write_text("FACTOR = 1.0\n")


def forget_neighbours() -> None:
    """As a new process would."""
    sys.modules.pop("beside", None)
    from_file._neighbours.pop("beside", None)
    for file in [file for file in from_file._hashes if file.name == "beside.py"]:
        del from_file._hashes[file]


def finished(*encoders: str, **options: Any) -> mirprobe.Run:
    config = make_config({"encoders": encoders, "tasks": ["key"], "dataset": "tones", **options})
    result = run(config)
    assert not result.failures
    return mirprobe.open_run(result.folder.path)


OURS = "Ours=own/mine.py:Mine:loud=0.5"


def test_an_encoder_has_the_name_that_it_is_given() -> None:
    run = finished(OURS, "own/mine.py:Mine")
    assert run.encoders == ["Ours", "own/mine.py:Mine"]
    assert list(run.description["encoders"]) == run.encoders
    assert finished("Ours=own/mine.py:Mine", pca=5).encoders == ["pca(Ours,5)"]
    assert finished("X=pca(own/mine.py:Mine,5)").encoders == ["X"]


@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        (("A=own/mine.py:Mine", "A=own/mine.py:Mine:loud=2"), "two encoders are called 'A'"),
        (("=own/mine.py:Mine",), "'=own/mine.py:Mine': write NAME=SPECIFICATION"),
        (("A= ",), "write NAME=SPECIFICATION"),
        (("A=own/mine.py:Mime",), "has no class 'Mime'; did you mean 'Mine'"),
    ],
)
def test_bad_names_are_refused(encoders: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        finished(*encoders)


def test_a_run_folder_says_how_it_was_made() -> None:
    run = finished(OURS, "concat(own/mine.py:Mine,own/mine.py:Mine:loud=2)")
    said = run.description
    assert said["packages"]["numpy"] == said["versions"]["numpy"]
    assert said["hardware"]["cores"] > 0
    assert said["hardware"]["processor"]
    assert said["command"]
    assert said["commit"] is None or len(said["commit"].removesuffix("-dirty")) >= 40
    rows = run.scores
    assert rows["data"].unique().tolist() == [said["tasks"]["key"]["data"][:16]]
    assert len(said["metrics"]) == 32
    (original, copy), *rest = said["files"].items()
    assert (original, rest) == ("own/mine.py", [])
    assert (run.path / copy).read_text() == Path("own/mine.py").read_text()
    assert (run.path / copy).with_name("beside.py").read_text() == "FACTOR = 1.0\n"


def test_the_configuration_of_a_run_is_a_suite() -> None:
    run = finished(OURS, "own/mine.py:Mine", seeds=[0, 1], layers=["bands"], jobs=2)
    (config,) = load_suite(str(run.path / "suite.yaml"), {})
    assert config == make_config(
        {
            "encoders": [OURS, "own/mine.py:Mine"],
            "tasks": ["key"],
            "dataset": "tones",
            "seeds": [0, 1],
            "layers": ["bands"],
        }
    )
    plain = load_yaml_of(RunConfig())
    assert set(plain) == {"encoders", "tasks", "dataset"}


def load_yaml_of(config: RunConfig) -> dict[str, Any]:
    import yaml

    values: dict[str, Any] = yaml.safe_load(suite_text(config))
    return values


def test_a_rerun_gives_the_same_scores_with_the_files_of_the_run() -> None:
    run = finished(OURS, "own/mine.py:Mine")
    assert run.rerun().equal
    shutil.rmtree("own")  # the run folder has copies
    forget_neighbours()
    found = run.rerun(cache_dir=Path("other_cache"))
    assert found.equal
    assert len(found.scores) == len(run.scores)
    assert set(found.scores["found"]) == {"both"}
    assert (found.scores["before"] == found.scores["after"]).all()
    result = CliRunner().invoke(app, ["rerun", str(run.path)])
    assert result.exit_code == 0, result.output
    assert f"all {len(run.scores)} scores are the same" in result.output


def test_a_rerun_says_what_differs() -> None:
    run = finished(OURS)
    table = run.scores.copy()
    row = table.index[(table["kind"] == "probe") & table["main"]][0]
    table.loc[row, "value"] += 0.25
    run.scores = table.drop(index=table.index[-1])
    odd = run.rerun().different
    assert odd["found"].tolist() == ["right_only", "both"]
    assert odd["before"].iloc[1] - odd["after"].iloc[1] == pytest.approx(0.25)


def test_what_cannot_be_run_again_says_why(tmp_path: Path) -> None:
    run = finished(OURS)
    archive = shutil.make_archive("run", "zip", run.path)
    with pytest.raises(ConfigError, match=r"run\.zip: is a zip file; unpack it"):
        mirprobe.open_run(archive).rerun()
    said = json.loads((run.path / "run.json").read_text())
    said["config"]["colour"] = "red"
    (run.path / "SHA256SUMS").unlink()
    (run.path / "run.json").write_text(json.dumps(said))
    with pytest.raises(ConfigError, match=r"run\.json: unknown field 'colour'"):
        mirprobe.open_run(run.path).rerun()
    (run.path / "run.json").unlink()
    with pytest.raises(ConfigError, match=r"run\.json is missing"):
        mirprobe.open_run(run.path).rerun()


def test_an_encoder_beside_those_of_a_suite() -> None:
    Path("suite.yaml").write_text("encoders: ['own/mine.py:Mine']\ntasks: [key]\ndataset: tones\n")
    call = ["run", "--suite", "suite.yaml", "--add-encoder", OURS]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    (folder,) = Path("results").iterdir()
    assert mirprobe.open_run(folder).encoders == ["own/mine.py:Mine", "Ours"]
