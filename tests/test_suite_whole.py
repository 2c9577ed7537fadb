"""The suite `vit1d-paper` from its file to one leaderboard, on tiny data sets of the same names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tones import NAMES, Tones
from typer.testing import CliRunner, Result
from workbench import QUICK

from mirprobe import probes
from mirprobe.cli import app
from mirprobe.dataset import Sheet
from mirprobe.encoders.vit1d import RandomViT1D
from mirprobe.errors import ConfigError
from mirprobe.registry import DATASETS, ENCODERS
from mirprobe.schema import SPLITS, Split, Track

TRIMS = {"fma_keys": 5.0, "rwc_popular": 5.0, "winterreise": 0.0}
SETS = (
    *("magnatagatune", "fma_keys", "giantsteps_key", "tinysol", "giantsteps_tempo"),
    *("rwc_popular", "winterreise", "ballroom", "gtzan_genre"),
)
EACH = 4  # tracks a split


class Tiny:
    """A few of the tones with every annotation that a task of the suite needs."""

    tags: tuple[str, ...] = Tones.tags
    vocabularies: Mapping[str, tuple[str, ...]] = {"instrument": ("flute", "violin")}
    sheet = Sheet(12, 0.02, 0.01, "CC0", "made up", "put it there")

    def __init__(self, root: Path, tones: Tones, **options: Any) -> None:
        self.name = root.name
        self.root = root
        self.tones = tones
        self.trim = TRIMS.get(self.name, 0.0)
        self.options = options

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        if not self.root.is_dir():
            raise ConfigError(f"data set '{self.name}' is not in {self.root}: put it there")
        return {
            split: [self._track(number, track) for number, track in enumerate(tracks[:EACH])]
            for split, tracks in self.tones.splits().items()
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        return (track.id for track in tracks)

    def _track(self, number: int, track: Track) -> Track:
        annotations = replace(
            track.annotations,
            tempo=90.0 + 5 * number,
            pitch=f"{NAMES[number]}4",
            instrument=self.vocabularies["instrument"][number % 2],
        )
        return replace(track, group=f"{self.name} {track.group}", annotations=annotations)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tones: Tones) -> Path:
    """A data home in which every data set of the suite lies."""

    def factory(root: Path, **options: Any) -> Tiny:
        return Tiny(root, tones, **options)

    factory.sheet = Tiny.sheet  # type: ignore[attr-defined]
    for name in SETS:
        monkeypatch.setitem(DATASETS._factories, name, factory)
        (tmp_path / "home" / name).mkdir(parents=True)
    monkeypatch.setitem(ENCODERS._factories, "vit1d", lambda: RandomViT1D(seed=1))
    short = replace(QUICK, learning_rates=(1e-3,), max_steps=10)
    monkeypatch.setitem(probes.PRESETS, "paper", short)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


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
        assert [name.partition("/")[0] for name in splits[split]] == (
            ["rwc_popular"] * EACH + ["winterreise"] * EACH
        )
    mean_ranks = [line for line in result.stdout.splitlines() if line.startswith("mean rank: ")]
    assert len(mean_ranks) == 1
    for encoder in ("vit1d ", "vit1d-random", "logmel", "mfcc", "chroma"):
        assert encoder in mean_ranks[0]

    shown = call("leaderboard", *map(str, folders), "--with-published", "-o", "board")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.count("| published, not measured here |") == 7
    board = pd.read_csv("board/leaderboard.csv")
    ours = board[board["published"].isna()]
    assert set(zip(ours["task"], ours["dataset"], ours["n"], strict=True)) == {
        ("tagging", "magnatagatune", EACH),
        ("key", "fma_keys -> giantsteps_key", 3 * EACH),
        ("pitch", "tinysol:fold=null", EACH),
        ("instrument", "tinysol:fold=null", EACH),
        ("tempo", "giantsteps_tempo", EACH),
        ("chord", "rwc_popular+winterreise", 2 * EACH),
        ("beat", "ballroom -> gtzan_genre:filtered=false", 3 * EACH),
    }
    assert len(ours[ours["main"]]) == 5 * 7
    assert set(ours["preset"]) == {"paper"}
    transformers = ours[ours["encoder"].str.startswith("vit1d")]
    assert set(transformers["layer"]) <= {"4", "8", "12"}
    theirs = board[board["published"].notna()]
    assert set(theirs["task"]) == set(ours["task"])
    assert theirs[["rank", "low", "high"]].isna().all(axis=None)

    # what is missing costs its own run alone, and the others are not computed again
    (home / "fma_keys").rmdir()
    (home / "winterreise").rmdir()
    stamps = {path: path.stat().st_mtime_ns for path in Path("results").rglob("*.json.gz")}
    again = call(*words)
    assert again.exit_code == 1
    assert again.stderr.splitlines() == [
        f"error: {title}: data set '{name}' is not in {home / name}: put it there"
        for title, name in (
            ("key on fma_keys -> giantsteps_key", "fma_keys"),
            ("chord on rwc_popular+winterreise", "winterreise"),
        )
    ]
    assert again.stdout.count("scores and predictions: ") == 4
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
