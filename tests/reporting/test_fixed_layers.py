from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from helpers.paths import ROOT
from helpers.score_rows import INFO, ROW, frame

from mirprobe.core.schema import Score
from mirprobe.reporting.fixed_layers import order_note
from mirprobe.reporting.leaderboard import leaderboard, read_runs
from mirprobe.reporting.tables import notes_of, rows_of, to_markdown


def encoder(name: str, best: float, last: float, reduced: float | None = None) -> list[Score]:
    """The best row at layer 8, the last layer, and optionally its principal components."""
    rows = [
        replace(ROW, encoder=name, layer="8", value=best, wins=0.5),
        replace(ROW, encoder=name, layer="12", value=last, selected=False, fixed="last", wins=0.25),
        replace(ROW, encoder=name, layer="12", selected=False, source="class", wins=0.25),
    ]
    if reduced is not None:
        rows.append(replace(rows[1], kind="pca", value=reduced, wins=float("nan")))
    return rows


def test_equal_terms_stand_beside_the_best() -> None:
    board = leaderboard(frame([*encoder("a", 0.9, 0.5, 0.4), *encoder("b", 0.7, 0.6, 0.3)]))
    found = board[["encoder", "value", "last_layer", "pca_64"]]
    assert found.to_numpy().tolist() == [["a", 0.9, 0.5, 0.4], ["b", 0.7, 0.6, 0.3]]
    assert board["layer"].tolist() == ["8", "8"]
    assert board["layer_wins"].tolist() == ["8: .50, 12: .50"] * 2
    assert board["first_layer"].isna().all()
    (_, cells, _) = rows_of(board)[0]
    assert dict(cells[0])["last layer"] == "0.500"
    assert dict(cells[0])["pca 64"] == "0.400"
    note = "Ranks at equal terms: by last layer a 1 to 2, b 2 to 1; by pca 64 unchanged."
    assert note in to_markdown(board)


def test_a_single_layer_stands_in_every_place() -> None:
    board = leaderboard(frame([replace(ROW, fixed="first,middle,last", wins=1.0)]))
    (row,) = board.to_dict("records")
    assert row["first_layer"] == row["middle_layer"] == row["last_layer"] == 0.5
    assert row["layer_wins"] == "12: 1.00"


def test_draws_resamples_and_seeds_are_averaged() -> None:
    rows = [
        replace(row, draw=draw, resample=resample, seed=seed, value=row.value + draw / 10)
        for row in encoder("a", 0.5, 0.2, 0.1)
        for draw in (0, 1)
        for resample in (0, 1)
        for seed in (0, 1)
    ]
    (row,) = leaderboard(frame(rows)).to_dict("records")
    assert np.allclose([row["last_layer"], row["pca_64"]], [0.25, 0.15])
    assert row["layer_wins"] == "8: .50, 12: .50"


def test_an_encoder_of_few_dimensions_is_not_reduced() -> None:
    small = {**INFO, "dim": 64}
    board = leaderboard(frame(encoder("a", 0.9, 0.5), a=small))
    assert board["pca_64"].tolist() == [0.5]
    few = leaderboard(frame(encoder("a", 0.9, 0.5)))
    assert few["pca_64"].isna().all()
    assert "pca 64 needs a training split of more than 64 vectors." in notes_of(few)


def test_runs_of_earlier_versions_are_blank_with_the_reason() -> None:
    board = leaderboard(read_runs([ROOT / "results" / "reference" / "studio-960"]))
    assert board["last_layer"].isna().all()
    _, cells, notes = rows_of(board)[0]
    assert dict(cells[0])["last layer"] == ""
    assert "Runs of earlier versions have no scores at equal terms." in notes


def test_the_order_note_needs_two_encoders_and_counts_ranked_ones() -> None:
    rows = pd.DataFrame(
        {
            "encoder": ["a", "b", "c"],
            "rank": [1, 2, np.nan],
            "value": [0.9, 0.8, 0.95],
            "last_layer": [0.4, 0.5, 0.9],
            "pca_64": [0.3, np.nan, 0.2],
        }
    )
    assert order_note(rows) == "Ranks at equal terms: by last layer a 1 to 2, b 2 to 1."
    assert order_note(rows[:1]) == ""
