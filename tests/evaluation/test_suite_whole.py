"""The suite `vit1d-paper` from its file to one leaderboard, on miniatures of all its data sets."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import pandas as pd
import pytest
from helpers.mirdata_miniatures import miniature
from helpers.own_miniatures import magnatagatune, winterreise
from typer.testing import CliRunner, Result

from mirprobe.api.registry import ENCODERS
from mirprobe.cli.app import app
from mirprobe.core.schema import SPLITS
from mirprobe.encoders.vit1d import RandomViT1D
from mirprobe.probing import probes

MORE = {
    "fma_keys": 9,
    "giantsteps_key": 4,
    "tinysol": 9,
    "giantsteps_tempo": 9,
    "rwc_popular": 16,
    "ballroom": 16,
    "gtzan_genre": 9,
}
"""Tracks beside those of the miniature, so that the rule leaves no split that is used empty."""

TESTED = {
    ("tagging", "magnatagatune"): 5,
    ("key", "fma_keys -> giantsteps_key"): 9 - 2,  # two are in no major or minor key
    ("pitch", "tinysol:fold=null"): 2,
    ("instrument", "tinysol:fold=null"): 2,
    ("tempo", "giantsteps_tempo"): 2,
    ("chord", "rwc_popular+winterreise"): 1 + 6,
    ("beat", "ballroom -> gtzan_genre:filtered=false"): 14,
}
"""Test tracks that are scored in each task."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data home in which every data set of the suite lies; the paper's probes for ten steps."""
    home = tmp_path / "home"
    for name, more in MORE.items():
        miniature(name, home / name, more=more)
    magnatagatune(home / "magnatagatune", more=1)
    winterreise(home / "winterreise")
    monkeypatch.setitem(ENCODERS._factories, "vit1d", lambda: RandomViT1D(seed=1))
    paper = probes.probe_config("paper", "linear")
    assert isinstance(paper, probes.AdamWConfig)
    monkeypatch.setitem(probes.PRESETS["paper"], "linear", replace(paper, max_steps=10))
    monkeypatch.chdir(tmp_path)
    return home


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_the_whole_suite(home: Path) -> None:
    words = ["run", "--suite", "vit1d-paper", "--data-home", str(home)]
    result = call(*words)
    assert result.exit_code == 0, result.output
    folders = [
        Path(line.removeprefix("scores and predictions: "))
        for line in result.stdout.splitlines()
        if line.startswith("scores and predictions: ")
    ]
    assert [folder.name.rpartition("-paper-")[0] for folder in folders] == [
        "magnatagatune",
        "fma_keys-to-giantsteps_key",
        "tinysol",
        "giantsteps_tempo",
        "rwc_popular+winterreise",
        "ballroom-to-gtzan_genre",
    ]
    splits = json.loads((folders[4] / "run.json").read_text())["splits"]
    for split in SPLITS:
        assert {name.partition("/")[0] for name in splits[split]} == {"rwc_popular", "winterreise"}
    (mean_ranks,) = " ".join(result.stdout.split()).split("mean rank: ")[1:]
    for encoder in ("vit1d ", "vit1d-random", "logmel", "mfcc", "chroma"):
        assert encoder in mean_ranks

    shown = call("leaderboard", *map(str, folders), "--with-published", "-o", "board")
    assert shown.exit_code == 0, shown.output
    assert "published, not measured here" in shown.stdout
    assert Path("board/leaderboard.md").read_text().count("| published, not measured here |") == 7
    board = pd.read_csv("board/leaderboard.csv")
    ours = board[board["published"].isna()]
    found = ours.groupby(["task", "dataset"])["n"].agg(["min", "max"])
    assert {key: (row["min"], row["max"]) for key, row in found.iterrows()} == {
        key: (n, n) for key, n in TESTED.items()
    }
    assert len(ours[ours["main"]]) == 5 * 7
    assert set(ours["preset"]) == {"paper"}
    transformers = ours[ours["encoder"].str.startswith("vit1d")]
    # of a family of draws: the layer that most of them chose
    assert {layer.partition(" ")[0] for layer in transformers["layer"]} <= {"4", "8", "12"}
    theirs = board[board["published"].notna()]
    assert set(theirs["task"]) == set(ours["task"])
    assert theirs[["rank", "low", "high"]].isna().all(axis=None)

    # what is missing costs its own run alone, and the others are not computed again
    shutil.rmtree(home / "fma_keys")
    shutil.rmtree(home / "winterreise")
    stamps = {path: path.stat().st_mtime_ns for path in Path("results").rglob("*.json.gz")}
    again = call(*words)
    assert again.exit_code == 1
    lines = again.stderr.splitlines()
    [warned] = [line for line in lines if line.startswith("warning: ")]
    assert warned.startswith("warning: data set 'ballroom -> gtzan_genre': equal audio in diff")
    key, chord = (line for line in lines if line != warned)
    assert key.startswith(
        "error: key on fma_keys -> giantsteps_key: data set 'fma_keys' is missing: no index "
    )
    assert chord.startswith(
        "error: chord on rwc_popular+winterreise: data set 'winterreise': "
        f"{home / 'winterreise' / '02_Annotations' / 'ann_audio_chord'} is missing; download "
    )
    assert again.stdout.count("scores and predictions: ") == 4
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
