from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from helpers.score_rows import INFO, ROW, frame
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Track
from mirprobe.reporting import stored_run
from mirprobe.reporting.agreement import MEAN_RANK, agreement
from mirprobe.reporting.stored_run import StoredRun


class Stored:
    """A run whose encoders have known values of each track; two tracks a group."""

    def __init__(self, values: Mapping[str, Mapping[str, Sequence[float]]], **info: Any) -> None:
        self.values, self.tasks, self.path = values, list(values), Path("a run")
        rows = [replace(ROW, task=t, encoder=e) for t, own in values.items() for e in own]
        self.scores = frame(rows, **info)
        n = len(next(iter(next(iter(values.values())).values())))
        tracks = [Track(str(i), Path(), str(i // 2), Annotations()) for i in range(n)]
        self.dataset = type("Data", (), {"tracks": {track.id: track for track in tracks}})

    def scored_tracks(self, encoder: str, task: str) -> list[Track]:
        return list(self.dataset.tracks.values())  # type: ignore[attr-defined]

    def statistics(self, encoder: str, task: str) -> list[dict[str, Statistic]]:
        return [{"mirex": weighted_mean(self.values[task][encoder])}]


def of(one: Stored, other: Stored) -> dict[str, list[float]]:
    table = agreement(cast(StoredRun, one), cast(StoredRun, other))
    return {row[0]: list(row[1:]) for row in table.itertuples(index=False)}


def noisy(order: Sequence[float], noise: float, seed: int) -> dict[str, list[float]]:
    """Encoders a, b, ... of these means, on 40 tracks."""
    rng = np.random.default_rng(seed)
    return {
        name: (mean + noise * rng.normal(size=40)).tolist()
        for name, mean in zip("abcdefgh", order, strict=False)
    }


def test_the_same_and_the_opposite_order() -> None:
    up, down = noisy((1, 2, 3, 4), 0, 0), noisy((4, 3, 2, 1), 0, 0)
    assert of(Stored({"key": up}), Stored({"key": up})) == {"key": [4, 1, 1, 1]}
    assert of(Stored({"key": up}), Stored({"key": down})) == {"key": [4, -1, -1, -1]}


def test_tau_counts_pairs() -> None:
    """A naive count of concordant minus discordant pairs."""
    one, other = noisy((1, 2, 3, 4, 5), 2, 1), noisy((2, 1, 5, 3, 4), 2, 2)
    means = [{name: np.mean(own) for name, own in v.items()} for v in (one, other)]
    signs = [np.prod([np.sign(v[a] - v[b]) for v in means]) for a, b in combinations("abcde", 2)]
    ((n, tau, low, high),) = of(Stored({"key": one}), Stored({"key": other})).values()
    assert n == 5
    assert tau == pytest.approx(np.sum(signs) / 10)
    assert low <= tau <= high
    assert low < high


def test_mean_ranks_agree_over_tasks() -> None:
    """Each data set swaps another pair in one of three tasks."""
    plain, swapped = noisy((1, 2, 3), 0, 0), noisy((2, 1, 3), 0, 0)
    one = Stored({"key": plain, "chord": plain, "beat": swapped})
    other = Stored({"key": plain, "chord": swapped, "beat": plain})
    found = of(one, other)
    assert found["key"][1] == 1
    assert found["chord"][1] == found["beat"][1] == pytest.approx(1 / 3)
    assert found[MEAN_RANK] == [3, 1, 1, 1]


def test_an_encoder_trained_with_labels_and_one_of_a_single_run_are_left_out() -> None:
    values = noisy((1, 2, 3, 4), 0, 0)
    one = Stored({"key": values}, a={**INFO, "supervised": "key"})
    other = Stored({"key": {name: values[name] for name in "abc"}})
    assert of(one, other)["key"][0] == 2


def test_nothing_in_common_ends_in_one_line() -> None:
    values = noisy((1, 2), 0, 0)
    with pytest.raises(ConfigError, match="share no task on which both rank the same two encoders"):
        of(Stored({"key": values}), Stored({"chord": values}))


def test_the_command_prints_a_table_and_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All encoders are equal in one task: tau is undefined there, and its cells are empty."""
    one, equal = noisy((1, 2, 3), 0, 0), noisy((1, 1, 1), 0, 0)
    runs = {name: Stored({"key": one, "chord": equal}) for name in ("a", "b")}
    monkeypatch.setattr(stored_run, "StoredRun", lambda path: runs[path.name])
    command = ["leaderboard", "a", "b", "--agreement", "-o", str(tmp_path)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "1.000" in result.output
    assert "nan" not in result.output
    table = pd.read_csv(tmp_path / "agreement.csv")
    assert table["task"].tolist() == ["key", "chord", MEAN_RANK]
    assert table["tau"].isna().tolist() == [False, True, False]
    alone = CliRunner().invoke(app, [*command[:2], *command[3:]])
    assert alone.exit_code == 2
    assert "--agreement compares two runs, and 1 are given" in alone.output
