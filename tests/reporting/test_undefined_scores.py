"""A score that is NaN is named wherever it is shown, and never ranked among the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.score_rows import NAN, ROW, encoders, frame
from helpers.shown_runs import write_run

from mirprobe.core.bootstrap import Statistic
from mirprobe.core.errors import PluginError, TrackError
from mirprobe.core.plotting import style
from mirprobe.reporting import paired_differences
from mirprobe.reporting.compare import compare
from mirprobe.reporting.compare_table import compared_tasks
from mirprobe.reporting.figures.plot import plot
from mirprobe.reporting.leaderboard import leaderboard
from mirprobe.reporting.paper_table import paper_table
from mirprobe.reporting.report import page as report_page
from mirprobe.reporting.report.page import page
from mirprobe.reporting.run_collection import RunCollection, collect_runs
from mirprobe.reporting.tables import NO_SPREAD, ends_of, rows_of, span, to_markdown

NAMES = ("a", "lost", "z")
WHY = "the metric is undefined on these test tracks"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunCollection:
    path = tmp_path_factory.mktemp("undefined") / "run"
    return collect_runs(write_run(path, NAMES, ["key", "beat"], undefined=[("lost", "beat")]))


def test_a_leaderboard_lists_it_last_without_a_rank(runs: RunCollection) -> None:
    board = runs.mains[runs.mains["task"] == "beat"]
    assert board["encoder"].iloc[-1] == "lost"
    assert board["rank"].tolist()[:2] == [1, 2]
    assert board["ranked"].tolist() == [2, 2, 2]
    assert board["rank_high"].max() == 2
    assert np.isnan(board["rank"].iloc[-1])
    assert (2, "lost") not in runs.best()
    title, rows, notes = rows_of(runs.board)[1]
    assert title.startswith("beat")
    assert dict(rows[-1])["rank"] == "no score"
    assert f"No score of lost: {WHY}." in notes
    assert f"No score of lost: {WHY}." in to_markdown(runs.board)


def test_a_mean_over_fitted_probes_needs_all_of_them() -> None:
    rows = encoders(one=0.5, two=0.4)
    rows += [ROW.__class__(**{**vars(row), "seed": 1, "value": NAN}) for row in rows[:1]]
    board = leaderboard(frame(rows))
    assert board["encoder"].tolist() == ["two", "one"]
    assert np.isnan(board["value"].iloc[1])


def test_tables_and_figures_name_it(runs: RunCollection) -> None:
    assert f"No score (-): lost in beat; {WHY}." in paper_table(runs, "markdown").decode()
    assert "lost in beat" in paper_table(runs, "latex").decode()
    for kind in ("scores", "layers", "cost"):
        with style():
            figure = plot(kind, runs.runs)
        assert "beat: studio, 12 test tracks; without a score: lost" in str(figure.get_label())


def test_a_page_names_it(runs: RunCollection) -> None:
    text = page(runs)
    assert f"No score of lost: {WHY}." in text
    assert f'title="no score: {WHY}"' in text
    assert "NaN" not in text.partition('id="data">')[2].partition("</script>")[0]
    assert "every encoder has a score" not in text


def test_a_comparison_says_why_it_is_blank(
    runs: RunCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(task: Any, truth: Sequence[Any], own: Sequence[Any]) -> Statistic:
        return Statistic(lambda counts: np.full(len(counts), np.nan), len(truth))

    monkeypatch.setattr(paired_differences, "score_main", nothing)
    table = compare(runs.runs, "a", ["beat"])
    assert (table["mark"] == "").all()
    assert set(table["reason"]) == {"the score of one of the two is undefined on these tracks"}
    (found,) = compared_tasks(table)
    assert [row[0] for row in found.rows] == ["z", "lost"]  # without a score: last


def test_a_page_that_predictions_break_names_the_task(
    runs: RunCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(collection: RunCollection, rows: pd.DataFrame, share: float) -> None:
        raise ValueError("2 labels\nfor 3 segments")

    monkeypatch.setattr(report_page, "tracks_of", broken)
    found = r"task 'key': its predictions cannot be shown \(ValueError: 2 labels for 3 segments\); "
    with pytest.raises(PluginError, match=found):
        page(runs)

    def refusing(collection: RunCollection, rows: pd.DataFrame, share: float) -> None:
        raise TrackError("has no tags: add it")

    monkeypatch.setattr(report_page, "tracks_of", refusing)
    with pytest.raises(PluginError, match=r"task 'key': .* be shown \(has no tags: add it\); mend"):
        page(runs)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (-0.1, 0.2, "-0.100 to +0.200"),
        (0.00012, 0.00034, "+0.0001 to +0.0003"),
        (-0.00002, 0.00003, "-0.00002 to +0.00003"),
        (0.0, 0.0, NO_SPREAD),
        (0.25, 0.25, NO_SPREAD),
        (NAN, 0.25, ""),
    ],
)
def test_an_interval_never_has_equal_ends(low: float, high: float, text: str) -> None:
    assert span(low, high, "+") == text
    assert (ends_of(low, high) is None) == (text in ("", NO_SPREAD))


def test_intervals_without_width_are_explained(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", NAMES, ["key"])
    scores = pd.read_csv(run / "scores.csv")
    flat = scores.assign(low=scores["value"], high=scores["value"])
    flat.to_csv(run / "scores.csv", index=False)
    shown = collect_runs(run)
    assert "'no spread': all groups of test tracks" in to_markdown(shown.board)
    assert "[" not in paper_table(shown, "markdown").decode().partition("\n\n")[0]
    assert NO_SPREAD in page(shown)
