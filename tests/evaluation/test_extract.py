from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from helpers.small_encoders import Bands, Failing, Summary
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from typer.testing import CliRunner, Result

from mirprobe.api.registry import DATASETS, ENCODERS
from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Tokens
from mirprobe.embedding.cache import Cache
from mirprobe.evaluation.extract import extract
from mirprobe.probing import probes


class Unloadable(Bands):
    """Bands whose weights are not on this machine."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint = Bands().fingerprint

    def __call__(self, audio: Any) -> Tokens:
        raise AssertionError("encoded")


@pytest.fixture
def bench(tmp_path: Path, tones: Tones, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setitem(ENCODERS._factories, "bands", Bands)
    monkeypatch.setitem(ENCODERS._factories, "unloadable", Unloadable)
    monkeypatch.setitem(ENCODERS._factories, "failing", Failing)
    monkeypatch.setitem(ENCODERS._factories, "summary", Summary)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: tones)
    monkeypatch.chdir(tmp_path)
    return Workbench(tmp_path, tones)


def call(*words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--dataset", "tones", "--layers", "all"])


def views(folder: Path) -> set[str]:
    cache = Cache(folder)
    found = [cache.get(path.stem) for path in cache.entries()]
    return {entry.metadata["view"] for entry in found if entry is not None}


@pytest.mark.parametrize("cache", ["cache", "memory://extracted"])
def test_a_run_after_it_encodes_nothing(bench: Workbench, cache: str) -> None:
    words = ("--task", "key", "--task", "chord", "--cache-dir", cache)
    filled = call("extract", "--encoder", "bands", *words)
    assert filled.exit_code == 0, filled.output
    assert filled.stdout.splitlines() == [
        "bands on tones: 24 tracks, 24 encoded now",
        f"embeddings: {cache}",
    ]
    ran = call("run", "--encoder", "unloadable", *words)
    assert ran.exit_code == 0, ran.output
    assert not (bench.root / "embeddings_cache" / "entries").exists()
    again = call("extract", "--encoder", "unloadable", *words)
    assert "24 tracks, 0 encoded now" in again.stdout


def test_disturbed_audio_is_encoded_too(bench: Workbench) -> None:
    words = ("--task", "key", "--cache-dir", "cache", "--perturb", "noise=20,10")
    filled = call("extract", "--encoder", "bands", *words)
    assert "bands on tones: 36 tracks, 36 encoded now" in filled.stdout  # 6 test tracks, twice
    assert call("run", "--encoder", "unloadable", *words).exit_code == 0
    refused = call("extract", "--encoder", "bands", "--perturb", "noize=20")
    assert refused.exit_code == 2
    assert "noize" in refused.output


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ((), {"clip", "frame"}),
        (("--task", "key"), {"clip"}),
        (("--task", "chord"), {"frame"}),
        (("--task", "key", "--level", "frame"), {"frame"}),
        (("--level", "both"), {"clip", "frame"}),
    ],
)
def test_the_views_are_those_that_are_asked_for(
    bench: Workbench, words: tuple[str, ...], found: set[str]
) -> None:
    assert call("extract", "--encoder", "bands", *words).exit_code == 0
    assert views(bench.root / "embeddings_cache") == found


def test_of_an_encoder_without_frames_there_are_clips(bench: Workbench) -> None:
    whole = call("extract", "--encoder", "summary")
    assert whole.exit_code == 0, whole.output
    asked = call("extract", "--encoder", "summary", "--level", "frame")
    assert asked.exit_code == 2
    assert asked.stderr == (
        "error: encoder 'summary' has no frames (frame_rate is None); use clip-level tasks or "
        "--level clip\n"
    )
    both = call("extract", "--encoder", "summary", "--task", "key", "--task", "chord")
    assert both.exit_code == 2
    assert "summary on tones: 24 tracks, 0 encoded now" in both.stdout


def test_an_encoder_that_fails_costs_the_others_nothing(bench: Workbench) -> None:
    result = call("extract", "--encoder", "failing", "--encoder", "bands")
    assert result.exit_code == 2
    assert "bands on tones: 24 tracks, 24 encoded now" in result.stdout
    assert result.stderr.splitlines()[-1].startswith(
        "error: encoder 'failing' raised RuntimeError: out of ideas"
    )


def test_tracks_that_cannot_be_used(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(track: Any, rate: int) -> Any:
        raise TrackError(f"{track.audio}: is silent")

    monkeypatch.setattr("mirprobe.data.audio.load", load)
    result = call("extract", "--encoder", "bands")
    assert result.exit_code == 0
    assert "24 tracks left out; --strict makes this an error" in result.stdout
    strict = call("extract", "--encoder", "bands", "--strict")
    assert strict.exit_code == 2
    assert strict.stderr.startswith("error: track '")


def test_a_suite_of_several_runs(bench: Workbench) -> None:
    suite = bench.root / "my.yaml"
    suite.write_text("encoders: bands\nruns: [{tasks: key}, {tasks: chord, encoders: failing}]\n")
    result = call("extract", "--suite", str(suite))
    assert result.exit_code == 1
    assert views(bench.root / "embeddings_cache") == {"clip", "frame"}
    assert "error: chord on tones: encoder 'failing' raised" in result.stderr


def test_an_unknown_level(bench: Workbench) -> None:
    result = call("extract", "--encoder", "bands", "--level", "frames")
    assert result.stderr == "error: unknown level 'frames'; did you mean 'frame'?\n"


def test_without_ray(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "mirprobe.evaluation.plan.find_spec", lambda n: None if n == "ray" else find(n)
    )
    with pytest.raises(ConfigError, match=r"pip install 'mirprobe\[ray\]'"):
        extract(bench.config("bands", engine="ray"), dataset=bench.dataset)
