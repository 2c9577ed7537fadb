from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mirprobe.cli.run import configs_of
from mirprobe.core.errors import ConfigError, ListedError
from mirprobe.evaluation import suites
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.suites import load_suite, registered, summary

SUITE = """
encoders: [logmel, "vit1d-random:seed=1,config=vit1d-rope"]
tasks: [key]
dataset: studio:size=72
layers: [4, 8]
probe: mlp
preset: paper
seeds: [3, 1]
device: cpu
dtype: float32
limit: 7
perturb: [gain=-6]
pca: 8
drop_leaks: test
perturb_train: true
strict: true
precision: bf16
engine: ray
jobs: 3
draws: 3
resamples: 4
test_limit: 5
train_tracks: [30, all, 3]
shots: 2
repeats: 3
batch_size: 4
gpu_workers: 2
chunk: 8
readings: [code, retrieval]
pooling: [mean, max]
valid_tracks: all
data_home: somewhere/home
cache_dir: memory://cache
local_dir: somewhere/cache
results_dir: elsewhere
"""


def suite(folder: Path, text: str) -> str:
    path = folder / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def one(folder: Path, text: str, **options: Any) -> RunConfig:
    (config,) = load_suite(suite(folder, text), options)
    return config


def test_a_suite_sets_every_field(tmp_path: Path) -> None:
    found = one(tmp_path, SUITE)
    assert found == RunConfig(
        encoders=("logmel", "vit1d-random:seed=1,config=vit1d-rope"),
        tasks=("key",),
        dataset="studio:size=72",
        layers=("4", "8"),
        probe="mlp",
        preset="paper",
        seeds=(3, 1),
        device="cpu",
        dtype="float32",
        limit=7,
        perturb=("gain=-6",),
        pca=8,
        drop_leaks="test",
        perturb_train=True,
        strict=True,
        precision="bf16",
        engine="ray",
        jobs=3,
        draws=3,
        resamples=4,
        test_limit=5,
        train_tracks=("30", "all", "3"),
        shots=("2",),
        repeats=3,
        batch_size=4,
        gpu_workers=2,
        chunk=8,
        readings=("code", "retrieval"),
        pooling=("mean", "max"),
        valid_tracks="all",
        data_home=Path("somewhere/home"),
        cache_dir="memory://cache",
        local_dir=Path("somewhere/cache"),
        results_dir=Path("elsewhere"),
    )
    assert (found.train_sizes, found.shot_sizes) == ((3, 30), (2,))
    default = asdict(RunConfig())
    # these stand for `dataset` and for `resamples`
    sides = {"train_dataset", "test_dataset", "test_tracks", "folds"}
    same = {name for name, value in asdict(found).items() if value == default[name]}
    assert same == sides


@pytest.mark.parametrize("text", ["", "{}", "# nothing\n"])
def test_an_empty_suite_is_the_default(text: str, tmp_path: Path) -> None:
    assert one(tmp_path, text) == RunConfig()


def test_options_win_over_the_suite(tmp_path: Path) -> None:
    tasks = ["beat", "chord"]
    found = one(tmp_path, SUITE, tasks=tasks, limit=2, layers="all", strict=False)
    assert (found.tasks, found.limit) == (("beat", "chord"), 2)
    assert (found.layers, found.strict) == ("all", False)
    assert (found.probe, found.seeds) == ("mlp", (3, 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tsks: [key]", "unknown field 'tsks'; did you mean 'tasks'?"),
        ("3: [key]", "unknown field '3'; known: batch_size, "),
        ("preset: papper", "unknown preset 'papper'; did you mean 'paper'?"),
        ("probe: liner", "unknown probe 'liner'; did you mean 'linear'?"),
        ("dtype: float8", "unknown dtype 'float8'; did you mean 'float"),
        ("limit: 0", "limit is 0; it must be at least 1"),
        ("seeds: [0, -1]", "seed -1 must lie between 0 and 2**63 - 1"),
        ("seeds: []", "'seeds' is empty"),
        ("tasks: [key, key]", "'tasks' names one twice: key, key"),
        ("[key]", "must hold `field: value` lines, not a list"),
        ("tasks: [key", "not readable as YAML"),
        ("a: b: c", "not readable as YAML"),
    ],
)
def test_a_bad_suite_is_named_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_suite(suite(tmp_path, text), {})
    assert str(caught.value).startswith(f"{tmp_path / 'suite.yaml'}: {message}")
    assert "\n" not in str(caught.value)


def test_an_option_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^unknown preset 'papper'"):
        load_suite(suite(tmp_path, SUITE), {"preset": "papper"})


def test_a_suite_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere.yaml: no such suite file"):
        load_suite(str(tmp_path / "nowhere.yaml"), {})
    with pytest.raises(ConfigError, match="not readable as YAML"):
        load_suite(str(tmp_path), {})
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary.yaml: not readable as YAML"):
        load_suite(str(tmp_path / "binary.yaml"), {})


RUNS = """
encoders: [logmel]
preset: paper
dataset: studio
runs:
  - {tasks: [key, chord]}
  - {tasks: [beat, key], train_dataset: one, test_dataset: two+three, preset: standard}
  - {tasks: tagging, dataset: four, limit: 3}
"""


def test_runs_are_laid_over_the_common_fields(tmp_path: Path) -> None:
    common: dict[str, Any] = {"encoders": ("logmel",), "preset": "paper"}
    crossed = {"train_dataset": "one", "test_dataset": "two+three", "preset": "standard"}
    assert tuple(load_suite(suite(tmp_path, RUNS), {})) == (
        RunConfig(**common, tasks=("key", "chord"), dataset="studio"),
        RunConfig(**{**common, **crossed}, tasks=("beat", "key")),
        RunConfig(**common, tasks=("tagging",), dataset="four", limit=3),
    )


def test_options_win_over_every_run(tmp_path: Path) -> None:
    path = suite(tmp_path, RUNS)
    found = load_suite(path, {"limit": 5, "encoders": ["mfcc"]})
    assert {(config.limit, config.encoders) for config in found} == {(5, ("mfcc",))}
    assert [config.data for config in load_suite(path, {"dataset": "x"})] == ["x"] * 3
    found = load_suite(path, {"train_dataset": "x", "test_dataset": "y"})
    assert {config.data for config in found} == {"x -> y"}
    # what has become equal is done once
    assert len(load_suite(path, {"dataset": "x", "tasks": ["key"], "preset": "paper"})) == 1


def test_tasks_choose_among_runs(tmp_path: Path) -> None:
    path = suite(tmp_path, RUNS)
    found = load_suite(path, {"tasks": ["key", "beat"]})
    assert [(config.tasks, config.data, place) for config, place in found.items()] == [
        (("key",), "studio", f"{path}: run 1"),
        (("beat", "key"), "one -> two+three", f"{path}: run 2"),
    ]
    with pytest.raises(ConfigError, match="no run of the suite has the task 'keys'; did you mean"):
        load_suite(path, {"tasks": ["keys"]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs: []", "'runs' must be a list of mappings"),
        ("runs: [key]", "'runs' must be a list of mappings"),
        ("runs: {tasks: [key]}", "'runs' must be a list of mappings"),
        ("runs: [{}, {tsks: [key]}]", "run 2: unknown field 'tsks'; did you mean 'tasks'?"),
        ("runs: [{runs: []}]", "run 1: unknown field 'runs'"),
        ("limit: 0\nruns: [{}]", "run 1: limit is 0"),
        ("runs: [{test_dataset: a}]", "run 1: 'train_dataset' and 'test_dataset' go together"),
    ],
)
def test_bad_runs_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = suite(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_suite(path, {})
    assert str(caught.value).startswith(f"{path}: {message}")


def test_all_wrong_runs_are_named_at_once(tmp_path: Path) -> None:
    path = suite(tmp_path, "runs: [{tsks: [key]}, {}, {limit: 0}]")
    with pytest.raises(ListedError) as caught:
        load_suite(path, {})
    title, first, second = caught.value.lines
    assert title == "wrong runs; none was begun"
    assert first.startswith(f"{path}: run 1: unknown field 'tsks'")
    assert second.startswith(f"{path}: run 3: limit is 0")


def test_shipped_suites_are_known_by_name() -> None:
    assert {"quick", "vit1d-paper", "mir-core"} <= set(registered())
    for file in registered().values():
        assert 20 < len(summary(file)) < 100
    with pytest.raises(ConfigError, match="unknown suite 'vit1d-papr'; did you mean 'vit1d-paper'"):
        load_suite("vit1d-papr", {})


def test_quick_is_the_default_and_scores_where_they_are_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(suites, "find_spec", lambda name: None)
    assert load_suite("quick", {}) == configs_of(None, {}) == {RunConfig(): "quick: run 1"}
    monkeypatch.setattr(suites, "find_spec", lambda name: name == "music21")
    scores = RunConfig(dataset="scores", tasks=("key", "chord", "beat"))
    assert tuple(load_suite("quick", {})) == tuple(configs_of(None, {})) == (RunConfig(), scores)
    assert tuple(configs_of(None, {"limit": 3})) == (
        replace(RunConfig(), limit=3),
        replace(scores, limit=3),
    )
    assert configs_of(None, {"tasks": "tempo"}) == {RunConfig(tasks=("tempo",)): ""}
    assert configs_of(None, {"dataset": "tones"}) == {RunConfig(dataset="tones"): ""}


PROTOCOL = {
    "tagging": "magnatagatune",
    "key": "fma_keys -> giantsteps_key",
    "pitch": "tinysol",
    "instrument": "tinysol",
    "tempo": "giantsteps_tempo",
    "chord": "rwc_popular+winterreise",
    "beat": "ballroom -> gtzan_genre",
}


AS_PUBLISHED = {"tinysol": "tinysol:fold=null", "gtzan_genre": "gtzan_genre:filtered=false"}


@pytest.mark.parametrize(
    ("name", "preset", "options"),
    [("vit1d-paper", "paper", AS_PUBLISHED), ("mir-core", "standard", {})],
)
def test_every_row_of_the_protocol_has_its_run(
    name: str, preset: str, options: dict[str, str]
) -> None:
    configs = load_suite(name, {})
    wanted = {
        task: " ".join(options.get(word, word) for word in data.split())
        for task, data in PROTOCOL.items()
    }
    assert {task: config.data for config in configs for task in config.tasks} == wanted
    for config in configs:
        assert config.preset == preset
        assert config.probe == "linear"
        assert config.layers == (("4", "8", "12") if preset == "paper" else "thirds")
        assert {"vit1d", "vit1d-random", "logmel", "mfcc", "chroma"} == set(config.encoders)
        assert config.test_tracks == ("all" if "->" in config.data else None)


def package(site: Path, name: str, suites: dict[str, str]) -> None:
    """A package that ships suites, as pip leaves it."""
    (site / name).mkdir()
    for file, text in suites.items():
        (site / name / file).write_text(text)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[mirprobe.suites]\n{name} = {name}\n")


def test_another_package_ships_suites_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    files = {"__init__.py": "", "own.yaml": "# Our own.\ntasks: [key]\n", "notes.txt": ""}
    package(tmp_path, "suites_of_another", files)
    assert summary(registered()["own"]) == "Our own."
    assert [config.tasks for config in load_suite("own", {})] == [("key",)]
    package(tmp_path, "suites_of_a_third", {"__init__.py": "", "own.yaml": ""})
    with pytest.raises(ConfigError, match="two packages have the suite 'own': suites_of_a_third"):
        registered()
    (tmp_path / "suites_of_a_third" / "__init__.py").write_text("import no_such_library\n")
    sys.modules.pop("suites_of_a_third")
    with pytest.raises(ConfigError, match="suites of package 'suites_of_a_third' cannot be read"):
        load_suite("quick", {})
