"""Splits of a folder that are far from their shares."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.miniatures import text
from helpers.small_folders import PLAIN, folder
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.schema import SPLITS
from mirprobe_tasks.datasets.folder import COMPARED
from mirprobe_tasks.datasets.splits import split_of_group

TRACKS = 60
SIZES = {0: (48, 4, 8), 5: (50, 8, 2), 9: (48, 6, 6)}  # of seeds
ADVICE = "less than half of its share is in test (2 of 60 tracks); write `seed: 9`"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty recordings in thirty groups."""
    here = tmp_path_factory.mktemp("folder")
    (here / "recordings").mkdir()
    for number in range(TRACKS):
        noise = np.random.default_rng(number).normal(0, 0.1, 8000)
        soundfile.write(here / "recordings" / f"{number}.wav", noise, 16_000)
    rows = "".join(f"{number}.wav,C major,artist {number // 2}\n" for number in range(TRACKS))
    text(here / "labels.csv", f"audio,key,group\n{rows}")
    return here


def sizes(here: Path, seed: int) -> tuple[int, ...]:
    splits = folder(here, f"{PLAIN}seed: {seed}\n").splits()
    return tuple(len(splits[split]) for split in SPLITS)


@pytest.mark.parametrize("seed", SIZES)
def test_a_short_split_is_warned_of(
    seed: int, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert sizes(here, seed) == SIZES[seed]
    found = [record.getMessage() for record in caplog.records]
    assert found == ([f"{here / 'my.yaml'}: {ADVICE}"] if seed == 5 else [])


def test_the_advice_is_the_nearest_of_the_compared_seeds(here: Path) -> None:
    def counts(seed: int) -> list[int]:
        names = [f"artist {number // 2}" for number in range(TRACKS)]
        found = [split_of_group(name, f"folder {seed}") for name in names]
        return [found.count(split) for split in SPLITS]

    def distance(seed: int) -> float:
        train, valid, test = counts(seed)
        return abs(train / 48 - 1) + abs(valid / 6 - 1) + abs(test / 6 - 1)

    assert all(counts(seed) == list(sizes(here, seed)) for seed in SIZES)
    assert min([seed for seed in range(100) if min(counts(seed))][:COMPARED], key=distance) == 9


def test_data_check_prints_tracks_and_groups_of_each_split(here: Path) -> None:
    text(here / "my.yaml", f"{PLAIN}seed: 5\n")
    result = CliRunner().invoke(app, ["data", "check", f"folder:{here / 'my.yaml'}"])
    assert result.exit_code == 0, result.output
    expected = ["train: 50 tracks in 25 groups", "valid: 8 tracks in 4 groups"]
    assert result.stdout.splitlines()[:3] == [*expected, "test: 2 tracks in 1 groups"]
    assert ADVICE in " ".join(result.output.split())
