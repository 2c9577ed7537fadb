from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.score_rows import ROW, encoders, frame

from mirprobe.reporting.leaderboard import leaderboard
from mirprobe.reporting.ranks import holm, mean_ranks, table_names, tie_letters, with_p
from mirprobe.reporting.run_tables import DIFFERENCES, NUMBERS
from mirprobe.reporting.tables import to_markdown

NAN = float("nan")


def test_holm_in_closed_form() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, NAN, 0.03, 0.005]), [0.03, 0.06, NAN, 0.06, 0.02])
    assert holm([0.5, 0.9]).tolist() == [1, 1]
    assert len(holm([])) == 0


def test_letters_of_a_chain() -> None:
    """Neighbours do not differ, the ends do."""
    assert tie_letters("pqrs", set()) == dict.fromkeys("pqrs", "a")
    chain = {("p", "r"), ("p", "s"), ("q", "s")}
    assert tie_letters("pqrs", chain) == {"p": "a", "q": "ab", "r": "bc", "s": "c"}
    every = {(one, other) for one in "pqrs" for other in "pqrs" if one < other}
    assert tie_letters("pqrs", every) == {"p": "a", "q": "b", "r": "c", "s": "d"}
    # the best and the worst do not differ, and both differ from the one between them
    assert tie_letters("pqr", {("p", "q"), ("r", "q")}) == {"p": "a", "q": "b", "r": "a"}


def pairs(**values: float) -> pd.DataFrame:
    """Differences between encoders whose scores are known to +- 0.1, in both directions."""
    rows = [
        {"task": "key", "metric": "mirex", "encoder": a, "reference": b, "difference": x - y,
         "low": x - y - 0.1, "high": x - y + 0.1, "n": 72, "cell": a, "reference_cell": b,
         "groups": 72, "interval": "studentised over test tracks", "p": NAN}
        for a, x in values.items() for b, y in values.items() if a != b
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=DIFFERENCES).astype(NUMBERS)


def board(**values: float) -> pd.DataFrame:
    rows = [replace(row, cell=row.encoder) for row in encoders(**values)]
    return leaderboard(frame(rows), "a", pairs(**values))


def test_p_of_earlier_versions_follows_from_the_interval() -> None:
    found = with_p(pairs(a=0.5, b=0.4, c=0.5))["p"]
    assert found[0] == pytest.approx(0.05)
    assert found[1] == 1


def test_rank_intervals_and_ties() -> None:
    found = board(a=0.9, b=0.85, c=0.5, d=0.1).set_index("encoder")
    assert found["rank"].tolist() == [1, 2, 3, 4]
    assert found["rank_low"].tolist() == [1, 1, 3, 4]
    assert found["rank_high"].tolist() == [2, 2, 3, 4]
    assert found["ties"].tolist() == ["a", "a", "b", "c"]
    assert found["above"].tolist() == ["c | d", "c | d", "d", ""]
    assert found["below"].tolist() == ["", "", "a | b", "a | b | c"]
    text = to_markdown(board(a=0.9, b=0.85, c=0.5, d=0.1))
    assert "| 2 a (1 to 2) | b | 0.850 |" in text
    assert "The brackets beside a rank contain its rank interval." in text
    assert "share a letter do not differ significantly (all pairs, Holm's correction)." in text
    assert "The paired 95 % interval (studentised) is over the test tracks. p is corrected" in text


def test_a_difference_that_is_one_of_many_needs_more() -> None:
    """p = .03 is below .05 alone, and not among three."""
    alone = board(a=0.5, b=0.389)
    assert alone["ties"].tolist() == ["a", "b"]
    assert board(a=0.5, b=0.389, c=0.389)["ties"].tolist() == ["a", "a", "a"]
    assert board(a=0.5, b=0.389, c=0.389)["difference_p"].max() == pytest.approx(0.06, abs=0.01)


def test_without_differences_nothing_is_said_of_ties() -> None:
    rows = frame(encoders(a=0.9, b=0.1))
    found = leaderboard(rows)
    assert found["rank_low"].isna().all()
    assert mean_ranks(found) == {"a": "1.00", "b": "2.00"}
    assert "share a letter" not in to_markdown(found)


def test_a_pair_of_two_runs_is_not_told_apart() -> None:
    rows = [replace(row, cell=row.encoder) for row in encoders(a=0.9, b=0.5, c=0.1)]
    known = pairs(a=0.9, b=0.5, c=0.1)
    known = known[(known["encoder"] != "c") & (known["reference"] != "c")]
    found = leaderboard(frame(rows), None, known).set_index("encoder")
    assert found["rank_low"].tolist() == [1, 2, 1]
    assert found["rank_high"].tolist() == [2, 3, 3]


def test_mean_ranks_with_their_intervals_are_among_the_encoders_of_all_tables() -> None:
    values = {"a": 0.9, "b": 0.85, "c": 0.1}
    key = [replace(row, cell=row.encoder) for row in encoders(**values, d=0.95)]
    beat = [replace(row, task="beat", cell=f"beat {row.encoder}") for row in encoders(**values)]
    found = leaderboard(frame([*key, *beat]), None, pairs(**values))
    # key: a and b from 1 to 2, c is third; beat: no differences are known
    assert mean_ranks(found) == {
        "a": "1.00 (1.00 to 2.50)",
        "b": "2.00 (1.00 to 2.50)",
        "c": "3.00 (2.00 to 3.00)",
    }


def test_rows_of_other_numbers_of_tracks_are_ranked_apart() -> None:
    rows = [*encoders(a=0.5, b=0.6), replace(ROW, encoder="c", value=0.9, n=60)]
    found = leaderboard(frame(rows)).set_index("encoder")
    assert found["rank"].to_dict() == {"c": 1, "b": 1, "a": 2}
    assert to_markdown(leaderboard(frame(rows))).count("### key on studio") == 2


def test_fitted_probes_are_pooled_and_named() -> None:
    """Resamples choose layers of their own; the interval is the one over all of them."""
    rows = [
        replace(ROW, encoder="a", resample=n, layer=layer, value=value, groups=20, interval="x")
        for n, (layer, value) in enumerate([("8", 0.4), ("8", 0.5), ("12", 0.6)])
    ]
    chance = [replace(row, kind="chance", selected=False, layer="", value=0.1) for row in rows]
    alone = leaderboard(frame([*rows, *chance])).iloc[0]
    assert (alone["layer"], alone["value"]) == ("8 (2 of 3)", pytest.approx(0.5))
    assert alone["interval"] == "x, mean over the fitted probes of their ends"
    assert alone["chance"] == pytest.approx(0.1)
    own = {"task": "key", "metric": "mirex", "encoder": "a", "reference": "", "difference": 0.5,
           "low": 0.2, "high": 0.8, "n": 72, "cell": ROW.cell, "reference_cell": "", "groups": 20,
           "interval": "hierarchical over test groups, resamples", "p": NAN}  # fmt: skip
    known = pd.DataFrame([own], columns=DIFFERENCES).astype(NUMBERS)
    pooled = leaderboard(frame([*rows, *chance]), None, known)
    assert pooled[["low", "high"]].values.tolist() == [[0.2, 0.8]]
    text = to_markdown(pooled)
    assert "`mirex` on 72 test tracks in 20 groups" in text
    assert "The 95 % interval (hierarchical) is over the test groups, resamples." in text
    assert "There are fewer than 30 groups of test tracks" in text


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        (1, "With one group of test tracks there is no interval."),
        (72, "There is no interval where the score is undefined for some choice of test tracks."),
    ],
)
def test_an_undefined_interval_is_empty_and_explained(groups: int, reason: str) -> None:
    rows = [replace(ROW, low=NAN, high=NAN, groups=groups, interval="wilson over test tracks")]
    text = to_markdown(leaderboard(frame(rows)))
    assert "nan" not in text
    assert reason in text
    assert reason not in to_markdown(leaderboard(frame([replace(ROW, groups=groups)])))


def test_names_of_tables_say_in_what_they_differ() -> None:
    def first(**values: Any) -> pd.Series:
        same = {"task": "key", "dataset": "a", "probe": "linear", "preset": "standard"}
        rest = {"conditions": "", "data": "d" * 32, "splits": "s" * 32, "tracks": 9}
        return pd.Series({**same, **rest, **values})

    probes = [first(), first(probe="knn"), first(task="beat")]
    assert table_names(probes) == ["key, linear probe", "key, knn probe", "beat"]
    assert table_names([first(), first(dataset="b")]) == ["key on a", "key on b"]
    assert table_names([first()], with_dataset=True) == ["key on a"]
    assert table_names([first(), first(data=""), first(conditions="trimmed 5 s")]) == [
        "key, no conditions, data dddddddd",
        "key, no conditions, data unknown",
        "key, trimmed 5 s",
    ]
