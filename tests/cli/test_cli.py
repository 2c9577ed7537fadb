from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import soundfile
from helpers.small_encoders import Bands, Failing
from helpers.tones import Tones
from helpers.workbench import QUICK
from typer.testing import CliRunner, Result

from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
from mirprobe.cli.app import app
from mirprobe.core.errors import PluginError
from mirprobe.probing import probes
from mirprobe.reporting.report import page as report_page


class Named(Bands):
    """Bands, with options."""

    def __init__(self, *, seed: int = 0, config: str = "") -> None:
        super().__init__()
        self.fingerprint += f"{seed}{config}"


LONG = [f"bands:seed={seed},config=as-long-as-vit1d-rope" for seed in (1, 2)]


@pytest.fixture(autouse=True)
def _plugins(monkeypatch: pytest.MonkeyPatch, tones: Tones) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setitem(ENCODERS._factories, "bands", Named)
    monkeypatch.setitem(ENCODERS._factories, "failing", Failing)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: tones)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def run_tones(*words: str) -> Result:
    layers = () if "--layers" in words else ("--layers", "all")
    return call("run", "--dataset", "tones", *layers, *words)


def refused(result: Result) -> str:
    """The one line of an error that a user can cure."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_run_prints_the_board_and_writes_its_folders(here: Path) -> None:
    result = run_tones("--encoder", "bands", "--task", "key", "--task", "chord", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""  # no bar where nobody watches
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["key", "on", "tones,", "6", "test", "tracks"]
    assert lines[1].split()[:3] == ["rank", "encoder", "mirex"]
    assert lines[2].split()[:2] == ["1", "bands"]
    assert lines[2].split().count("bands") == 2  # the encoder and its layer
    assert any(line.startswith("chord on tones") for line in lines)
    assert "mean rank" not in result.stdout  # there is no peer
    folder = Path(lines[-1].removeprefix("scores and predictions: "))
    assert folder.parent == Path("results")
    assert lines[-2] == f"page: {folder / 'report.html'}"
    assert "1 encoder on 2 tasks" in (folder / "report.html").read_text()
    found = json.loads((folder / "run.json").read_text())["config"]
    assert found["seeds"] == [3]
    assert (here / "embeddings_cache" / "entries").is_dir()


def test_a_page_that_cannot_be_made_is_one_line_and_the_results_stay(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise PluginError("task 'key': its predictions cannot be shown")

    monkeypatch.setattr(report_page, "write_report", broken)
    result = run_tones("--encoder", "bands", "--task", "key", "--seed", "4")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-2:] == [
        "no page: task 'key': its predictions cannot be shown",
        f"scores and predictions: {next(Path('results').glob('*/scores.csv')).parent}",
    ]


def test_the_board_never_breaks_a_name(here: Path) -> None:
    words = [word for name in LONG for word in ("--encoder", name)]
    result = run_tones(*words, "--task", "chord")
    assert result.exit_code == 0, result.output
    table = result.stdout.partition("\nThe 95 % ")[0].split()
    assert set(LONG) < set(table)


def test_a_suite_and_options_over_it(here: Path) -> None:
    (here / "suite.yaml").write_text(
        "encoders: [bands]\ntasks: key\ndataset: tones\nlayers: bands\nlimit: 5\n"
        "results_dir: elsewhere\n"
    )
    result = call("run", "--suite", "suite.yaml", "--limit", "4")
    assert result.exit_code == 0, result.output
    (path,) = (here / "elsewhere").glob("*/run.json")
    found = json.loads(path.read_text())
    assert len(found["splits"]["test"]) == 4
    assert found["encoders"]["bands"]["layers"] == ["bands"]


def test_a_suite_of_runs_ends_in_one_board(here: Path) -> None:
    (here / "suite.yaml").write_text(
        "encoders: [bands]\nlayers: all\nruns:\n- {tasks: key, dataset: tones}\n"
        "- {tasks: key, dataset: gtzan_genre}\n- {tasks: [beat, chord], dataset: tones, limit: 5}\n"
        "- {tasks: beat, dataset: tones, encoders: [failing, bands]}\n"
    )
    result = call("run", "--suite", "suite.yaml")
    assert result.exit_code == 1
    titles = [line.split() for line in result.stdout.splitlines() if " on tones" in line]
    assert [task for task, *_ in titles] == ["key", "beat", "beat", "chord"]  # one beat of 5 tracks
    assert "mean rank" not in result.stdout  # one encoder has no peer
    assert result.stdout.count("scores and predictions: ") == 3
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    missing, failed = errors
    assert missing.startswith("error: key on gtzan_genre: data set 'gtzan_genre' is missing: ")
    assert failed.startswith("error: beat on tones: encoder 'failing' raised RuntimeError")
    (here / "in-the-way").write_text("")
    stopped = call("run", "--suite", "suite.yaml", "--results-dir", "in-the-way")
    assert (stopped.exit_code, stopped.stdout) == (2, "")
    [warned, error] = stopped.stderr.splitlines()
    assert warned.startswith("warning: limit 5: ")
    assert error.startswith("error: ")
    assert "--results-dir" in error  # no other run could write there either


@pytest.mark.parametrize("command", ["run", "extract"])
def test_all_runs_of_a_suite_are_checked_before_the_first(command: str, here: Path) -> None:
    (here / "suite.yaml").write_text(
        "encoders: [bands]\ndataset: tones\ntasks: key\nruns:\n- {}\n- {dataset: tone}\n"
        "- {encoders: [band]}\n- {encoders: [bands:sed=1]}\n- {tasks: keys}\n"
    )
    result = call(command, "--suite", "suite.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    title, *faults = [line.removeprefix("error: ") for line in result.stderr.splitlines()]
    assert title == "wrong runs; none was begun"
    for number, (fault, message) in enumerate(
        zip(
            faults,
            (
                "unknown data set 'tone'; did you mean 'tones'?",
                "unknown encoder 'band'; did you mean 'bands'?",
                "encoder 'bands:sed=1' cannot be built",
                "unknown task 'keys'; did you mean 'key'?",
            ),
            strict=True,
        ),
        2,
    ):
        assert fault.startswith(f"suite.yaml: run {number}: {message}")
    assert not (here / "results").exists()


@pytest.mark.parametrize("perturb", ["exact-tempo=2", "nois=3", "transpose=0.5"])
def test_a_perturbation_that_a_run_cannot_take_is_found_first(perturb: str, here: Path) -> None:
    (here / "suite.yaml").write_text(
        f"encoders: [bands]\ndataset: tones\ntasks: key\nruns:\n- {{}}\n- {{perturb: {perturb}}}\n"
    )
    message = refused(call("run", "--suite", "suite.yaml"))
    assert message.startswith(f"error: suite.yaml: run 2: perturb '{perturb[:7]}")
    assert not (here / "results").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--encoder", "logmell"], "unknown encoder 'logmell'; did you mean 'logmel'?"),
        (["--encoder", "bands:sed=1"], "encoder 'bands:sed=1' cannot be built"),
        (["--task", "keys"], "unknown task 'keys'; did you mean 'key'?"),
        (["--dataset", "tone"], "unknown data set 'tone'; did you mean 'tones'?"),
        (["--layers", "high,low", "--encoder", "bands"], "encoder 'bands': unknown layer 'high'"),
        (["--preset", "papper"], "unknown preset 'papper'; did you mean 'paper'?"),
        (["--probe", "mpl"], "unknown probe 'mpl'; did you mean 'mlp'?"),
        (["--dtype", "float8"], "unknown dtype 'float8'; did you mean 'float"),
        (["--device", "banana", "--encoder", "bands"], "device 'banana' cannot be used"),
        (["--limit", "0"], "limit is 0"),
        (["--seed", "-1"], "seed -1 must lie between 0"),
        (["--suite", "quik"], "unknown suite 'quik'; did you mean 'quick'?"),
        (["--test-dataset", "tones"], "'train_dataset' and 'test_dataset' go together"),
        (["--suite", "nowhere.yaml"], "nowhere.yaml: no such suite file"),
        (["--suite", "bad.yaml"], "bad.yaml: unknown field 'encodrs'; did you mean 'encoders'?"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], message: str, here: Path) -> None:
    (here / "bad.yaml").write_text("encodrs: [bands]\n")
    result = run_tones(*words) if "--dataset" not in words else call("run", *words)
    assert refused(result).startswith(f"error: {message}")
    assert sorted(path.name for path in here.iterdir()) == ["bad.yaml"]


def test_size_is_an_option_of_the_data_set(here: Path) -> None:
    assert "'tones:size=3' cannot be built" in refused(call("run", "--dataset", "tones:size=3"))
    assert "size 5 cannot give" in refused(call("run", "--dataset", "studio:size=5"))


def test_an_encoder_that_fails_costs_status_2_and_nothing_else(here: Path) -> None:
    result = run_tones("--encoder", "failing", "--encoder", "bands", "--task", "key")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[2].split()[:2] == ["1", "bands"]
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert errors == [line for line in errors if "RuntimeError: out of ideas" in line]
    assert len(errors) == 1


def test_bad_tracks_stand_under_the_table(
    here: Path, tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Tones(tmp_path / "audio", seconds=3.0)
    list(other.prepare([track for tracks in other.splits().values() for track in tracks]))
    soundfile.write(tmp_path / "audio" / "train-0-3.wav", [0.0] * 100, 16_000)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: other)
    words = ["--encoder", "bands", "--task", "key"]
    for _ in range(2):
        lines = run_tones(*words).stdout.splitlines()
        assert lines[-4].startswith("left out: track 'train-0': ")
        assert "is silent" in lines[-4]
        assert lines[-3] == "1 track left out; --strict makes this an error"
    assert "track 'train-0': " in refused(run_tones(*words, "--strict"))


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("encoders", {"logmel", "mfcc", "chroma", "vit1d-random", "bands"}),
        ("tasks", {"tagging", "key", "chord", "beat"}),
        ("datasets", {"studio", "tones"}),
        ("metrics", {"tagging", "key", "chord", "beat"}),
        ("suites", {"quick", "vit1d-paper", "mir-core"}),
    ],
)
def test_list(kind: str, names: set[str]) -> None:
    result = call("list", kind)
    assert result.exit_code == 0
    assert names <= {line.split()[0] for line in result.stdout.splitlines()}
    if kind == "encoders":
        assert "Bands, with options." in result.stdout
        assert re.search(r"^madmom .*non-commercial.* \[CC-BY-NC-SA-4\.0\]$", result.stdout, re.M)
    if kind == "metrics":
        for name in TASKS.names():
            for metric in TASKS.get(name).metrics:  # type: ignore[attr-defined]
                assert any(
                    line.split()[:2] == [name, metric] for line in result.stdout.splitlines()
                )


def test_leaderboard_writes_both_files(here: Path) -> None:
    shown = run_tones("--encoder", "bands", "--task", "key").stdout.splitlines()[-1]
    folder = shown.removeprefix("scores and predictions: ")
    result = call("leaderboard", folder, "--reference", "bands", "--output", "board")
    assert result.exit_code == 0, result.output
    assert "| 1 | bands |" in (here / "board" / "leaderboard.md").read_text()
    assert "|" not in result.stdout
    assert re.search(r"^ +1 +bands ", result.stdout, re.M)
    first = (here / "board" / "leaderboard.csv").read_bytes()
    assert first.startswith(b"dataset,splits,task,")
    (here / "board" / "leaderboard.csv").unlink()
    call("leaderboard", folder, "--reference", "bands", "--output", "board")
    assert (here / "board" / "leaderboard.csv").read_bytes() == first
    message = refused(call("leaderboard", folder, "--reference", "band"))
    assert "no scores of encoder 'band'; did you mean 'bands'?" in message
    assert "nowhere/scores.csv: no such file" in refused(call("leaderboard", "nowhere"))
    (here / "file").write_text("in the way")
    assert "file/leaderboard.csv: " in refused(call("leaderboard", folder, "--output", "file"))


def test_cache_info_verify_prune(here: Path) -> None:
    for command in ("info", "verify", "prune"):
        message = refused(call("cache", command))
        assert message == "error: embeddings_cache: no such cache folder; name it with --cache-dir"
    run_tones("--encoder", "bands", "--task", "key")
    header, row, _ = call("cache", "info").stdout.splitlines()
    assert header.split() == ["encoder", "view", "entries", "size"]
    assert row.split()[:3] == ["bands", "clip", "24"]
    assert row.endswith(" kB")
    assert "24 entries, 0 leftovers" in call("cache", "info").stdout
    assert call("cache", "verify").stdout == "24 entries, 0 broken\n"
    entry = next((here / "embeddings_cache" / "entries").rglob("*.safetensors"))
    entry.write_bytes(entry.read_bytes()[:-1])
    verified = call("cache", "verify")
    assert (verified.exit_code, verified.stdout) == (1, "24 entries, 1 broken\n")
    assert call("cache", "info").stdout.splitlines()[-1] == "23 entries, 1 leftovers"
    assert call("cache", "prune", "--encoder", "other").stdout.startswith("1 files deleted")
    assert call("cache", "prune", "--encoder", "bands").stdout.startswith("24 files deleted")


def test_a_fault_of_a_plug_in_is_printed_once_and_without_a_folder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("weary")

    monkeypatch.setattr("mirprobe.encoders.spectral.Mfcc.__call__", fail)
    result = run_tones("--encoder", "mfcc", "--task", "key")
    assert result.exit_code == 2
    assert result.output.count("raised RuntimeError: weary") == 1
    assert "scores and predictions" not in result.output
