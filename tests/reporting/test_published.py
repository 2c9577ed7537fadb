from __future__ import annotations

from io import StringIO
from typing import Any

import pandas as pd
from helpers.paths import ROOT
from helpers.score_rows import ROW, encoders, frame

from mirprobe.api.registry import TASKS
from mirprobe.evaluation.suites import load_suite
from mirprobe.reporting.leaderboard import leaderboard, to_csv
from mirprobe.reporting.published import add_published, published_beside, read_published
from mirprobe.reporting.tables import to_markdown

AS_TEXT: Any = {"dtype": str, "keep_default_na": False}


def board_on(dataset: str, **values: float) -> pd.DataFrame:
    table = frame(encoders(**values)).assign(dataset=dataset)
    other = table.assign(metric="accuracy", main=False)
    return leaderboard(pd.concat([table, other]))


def test_every_figure_says_what_and_whose_it_is() -> None:
    table = read_published()
    assert list(table.columns) == (
        ["encoder", "task", "dataset", "metric", "layer", "source", "value", "note", "citation"]
    )
    assert not table.duplicated(["encoder", "task", "dataset", "metric", "layer", "source"]).any()
    assert table["value"].between(0, 1).all()
    assert (table["citation"].str.len() > 10).all()
    for task, metric in set(zip(table["task"], table["metric"], strict=True)):
        assert metric in TASKS.get(task).metrics  # type: ignore[attr-defined]


def test_figures_are_on_the_data_of_the_suite() -> None:
    ours = {
        (task, config.data) for config in load_suite("vit1d-paper", {}) for task in config.tasks
    }
    table = read_published()
    assert set(zip(table["task"], table["dataset"], strict=True)) == ours


def test_some_figures_as_they_are_printed() -> None:
    table = read_published().set_index(["encoder", "task", "metric", "layer", "source"])["value"]
    ours = "ViT-1D (RoPE, contrastive)"
    assert table[ours, "tagging", "map", "12", "sequence"] == 0.395
    assert table[ours, "tempo", "acc2", "8", "class"] == 0.389
    assert table[ours, "beat", "p_score", "12", "sequence"] == 0.707
    assert table["MusicFM (330 M)", "chord", "majmin", "last", "sequence"] == 0.193
    assert table["CoJEPA", "key", "mirex", "best", ""] == 0.640


def test_the_file_in_results_is_the_same() -> None:
    link = ROOT / "results" / "published.csv"
    assert link.read_bytes() == (ROOT / "benchmark/mirprobe/reporting/published.csv").read_bytes()


def test_figures_stand_beside_but_are_not_ranked() -> None:
    board = board_on("fma_keys -> giantsteps_key", a=0.2, b=0.9)
    figures = published_beside(board)
    assert set(figures["task"]) == {"key"}
    assert set(figures["metric"]) == {"mirex"}
    whole = pd.read_csv(StringIO(to_csv(add_published(board, figures))), **AS_TEXT)
    own, theirs = whole[whole["published"] == ""], whole[whole["published"] != ""]
    assert own[list(board.columns)].equals(pd.read_csv(StringIO(to_csv(board)), **AS_TEXT))
    assert len(theirs) == len(figures) == 8
    for column in ("rank", "low", "high", "n", "splits", "probe", "preset", "validation"):
        assert set(theirs[column]) == {""}, column
    text = to_markdown(board, figures)
    before, _, after = text.partition("| published, not measured here | mirex |")
    assert before.startswith("### key on fma_keys -> giantsteps_key")
    assert "| 1 | b | 0.900 |" in before
    note = "604 test tracks; here 600 with revised labels"
    assert f"| CoJEPA | 0.640 | best | {note} | Meseguer-Brocal et al., CoJEPA |" in after
    assert "CoJEPA" not in after.partition("### encoders\n")[2]
    tables = text.split("\n\n")
    assert [table for table in tables if "not measured" not in table] == (
        to_markdown(board).split("\n\n")
    )


def test_other_data_have_no_figures() -> None:
    board = board_on(ROW.dataset, a=0.2)
    figures = published_beside(board)
    assert figures.empty
    assert to_markdown(board, figures) == to_markdown(board)
    assert to_csv(add_published(board, figures)) == to_csv(board)
