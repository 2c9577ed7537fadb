from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.saved_scores import ranks, save
from helpers.score_rows import INFO, NAN, ROW, encoders, frame

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Score
from mirprobe.reporting.leaderboard import (
    is_unranked,
    leaderboard,
    merge,
    read_runs,
    to_csv,
)
from mirprobe.reporting.ranks import mean_ranks
from mirprobe.reporting.tables import rows_of, to_markdown


def test_known_ranks_and_ties() -> None:
    board = leaderboard(frame(encoders(a=0.2, b=0.9, c=0.5, d=0.5, e=0.1)))
    assert ranks(board) == {"b": 1, "c": 2, "d": 2, "a": 4, "e": 5}
    assert board["encoder"].tolist() == ["b", "c", "d", "a", "e"]


def test_nothing_to_rank_ends_in_one_line() -> None:
    for scores in (frame([ROW])[:0], frame([replace(ROW, selected=False)])):
        with pytest.raises(ConfigError, match="these runs hold no score that could be ranked"):
            leaderboard(scores)


def test_an_undefined_value_has_no_rank() -> None:
    board = leaderboard(frame(encoders(a=0.2, b=NAN)))
    assert ranks(board)["a"] == 1
    assert pd.isna(ranks(board)["b"])
    assert "| no score | b |  |" in to_markdown(board)


def test_mean_ranks_are_over_tasks() -> None:
    beat = [replace(row, task="beat") for row in encoders(a=0.1, b=0.2)]
    board = leaderboard(frame([*encoders(a=0.9, b=0.2, c=0.3), *beat]))
    assert mean_ranks(board) == {"a": "1.50", "b": "1.50"}
    assert board["task"].tolist() == ["key"] * 3 + ["beat"] * 2


def test_a_table_without_a_peer_gives_no_rank() -> None:
    alone = [replace(row, probe="mlp") for row in encoders(a=0.9)]
    board = leaderboard(frame([*encoders(a=0.2, b=0.5), *alone]))
    assert mean_ranks(board) == {"b": "1.00", "a": "2.00"}
    assert mean_ranks(leaderboard(frame(alone))) == {}


def test_difference_to_a_reference() -> None:
    other = [replace(row, metric="accuracy", main=False) for row in encoders(a=0.7, b=0.1)]
    beat = [replace(ROW, encoder="b", task="beat")]
    board = leaderboard(frame([*encoders(a=0.5, b=0.75), *other, *beat]), reference="a")
    found = board.set_index(["task", "metric", "encoder"])["difference"].round(9)
    assert found[("key", "mirex", "b")] == 0.25
    assert pd.isna(found[("key", "mirex", "a")])  # the reference itself
    assert found[("key", "accuracy", "b")] == -0.6
    assert pd.isna(found[("beat", "mirex", "b")])
    assert "+0.250" in to_markdown(board)
    assert "nan" not in to_markdown(board)
    assert "difference" not in leaderboard(frame(encoders(a=1))).columns


def test_an_unknown_reference_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no scores of encoder 'logmell'; did you mean 'logmel'"):
        leaderboard(frame(encoders(logmel=0.5, mfcc=0.1)), reference="logmell")


def decoded(decoding: str, validation: float, value: float) -> Score:
    return replace(ROW, decoding=decoding, validation=validation, value=value)


def test_validation_chooses_the_decoding_that_test_would_not() -> None:
    board = leaderboard(frame([decoded("frame", 0.7, 0.3), decoded("viterbi", 0.6, 0.9)]))
    assert board[["decoding", "value"]].values.tolist() == [["frame", 0.3]]
    equal = leaderboard(frame([decoded("frame", 0.7, 0.3), decoded("viterbi", 0.7, 0.9)]))
    assert equal["decoding"].tolist() == ["frame"]
    unknown = leaderboard(frame([decoded("frame", NAN, 0.3), decoded("viterbi", 0.1, 0.2)]))
    assert unknown["decoding"].tolist() == ["viterbi"]
    once = replace(decoded("frame", 0.9, 0.3), seed=1)
    half = [decoded("viterbi", 0.1, 0.2), replace(decoded("viterbi", 0.1, 0.2), seed=1)]
    partly = leaderboard(frame([decoded("frame", NAN, 0.3), once, *half]))
    assert partly["decoding"].tolist() == ["viterbi"]
    nothing = leaderboard(frame([decoded("frame", NAN, 0.3), decoded("viterbi", NAN, 0.2)]))
    assert nothing["decoding"].tolist() == ["frame"]


def test_only_the_selected_layer_counts() -> None:
    better = replace(ROW, layer="4", selected=False, value=0.9, validation=0.9)
    board = leaderboard(frame([ROW, better]))
    assert board[["layer", "value"]].values.tolist() == [["12", 0.5]]


def test_seeds_are_averaged() -> None:
    rows = [replace(ROW, seed=s, value=v, low=v - 0.1) for s, v in ((0, 0.2), (1, 0.6))]
    board = leaderboard(frame(rows))
    assert board["value"].tolist() == pytest.approx([0.4])
    assert board["low"].tolist() == pytest.approx([0.3])


def test_controls_stand_beside_their_own_decoding() -> None:
    rows = [decoded("frame", 0.7, 0.3), decoded("viterbi", 0.6, 0.9)]
    for kind, value in (("chance", 0.1), ("shuffled", 0.2), ("ceiling", 0.95)):
        rows += [
            replace(rows[0], kind=kind, value=value, layer="", validation=0.99),
            replace(rows[1], kind=kind, value=0.0),
        ]
    board = leaderboard(frame(rows))
    assert board[["chance", "shuffled", "ceiling"]].values.tolist() == [[0.1, 0.2, 0.95]]


def test_what_differs_in_kind_is_not_ranked_together() -> None:
    rows = [
        *encoders(a=0.5, b=0.6),
        replace(ROW, encoder="c", probe="mlp", value=0.9),
        replace(ROW, encoder="d", splits="others", value=0.8),
        replace(ROW, encoder="e", conditions="trim=5.0", value=0.7),
    ]
    board = leaderboard(frame(rows))
    assert ranks(board) == {"a": 2, "b": 1, "c": 1, "d": 1, "e": 1}
    text = to_markdown(board)
    assert text.count("### key on studio") == 4
    assert "`mirex` on 72 test tracks, mlp probe, preset standard\n" in text
    assert "linear probe, preset standard, trim=5.0\n" in text
    assert [len(rows) for _, rows, _ in rows_of(board)] == [2, 1, 1, 1]


def test_the_csv_is_the_board_and_can_be_made_again(tmp_path: Path) -> None:
    rows = [
        *encoders(a=1 / 3, b=0.5),
        replace(ROW, encoder="a", kind="chance", layer="", value=0.1),
    ]
    run = save(tmp_path / "run", rows)
    text = to_csv(leaderboard(read_runs([run]), "a"))
    assert to_csv(leaderboard(read_runs([run]), "a")) == text
    assert to_csv(leaderboard(frame(rows), "a")) == text
    found = pd.read_csv(StringIO(text))
    assert found["encoder"].tolist() == ["b", "a"]
    assert found["value"].tolist() == [0.5, 0.333333]
    assert found["rank"].tolist() == [1, 2]
    assert found["chance"].tolist()[1] == 0.1


def test_markdown_is_well_formed() -> None:
    rows = [*encoders(a=0.5, b=0.6), *(replace(r, task="beat") for r in encoders(a=0.5))]
    rows.append(replace(ROW, encoder="odd|name", value=0.1))
    text = to_markdown(leaderboard(frame(rows), reference="a"))
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("| ")]
    assert [len(block) for block in blocks] == [2 + 3, 2 + 1, 2 + 3]
    for block in blocks:
        cells = [line.replace(r"\|", "").strip("|").split("|") for line in block]
        assert len({len(line) for line in cells}) == 1
        assert {cell.strip() for cell in cells[1]} == {"---"}
    header, _, best = blocks[0][:3]
    assert header.startswith(
        "| rank | encoder | mirex | 95 % | layer | decoding | last layer | pca 64 | shuffled |"
    )
    assert best.startswith("| 1 | b | 0.600 | 0.400 to 0.600 | 12 sequence | argmax |  |")
    assert text.endswith("|\n")


def test_an_encoder_that_was_trained_with_labels_is_shown_without_a_rank() -> None:
    beat = [replace(row, task="beat") for row in encoders(a=0.2, b=0.9)]
    rows = [*encoders(a=0.5, b=0.9, c=0.6), *beat]
    board = leaderboard(frame(rows, b={**INFO, "supervised": "key tempo"}))
    key = board[board["task"] == "key"]
    assert key["encoder"].tolist() == ["b", "c", "a"]
    assert key["rank"].tolist()[1:] == [1, 2]
    assert key["rank"].isna().tolist() == [True, False, False]
    assert mean_ranks(board) == {}  # only `a` is ranked in both
    assert "| trained with labels | b | 0.900 |" in to_markdown(board)
    alone = leaderboard(frame(rows, b={**INFO, "supervised": "key beat"}))
    assert "b" not in mean_ranks(alone)
    assert "| b |  | 5.38 M | 192 | 31.25 |  | MIT | key, beat |  |\n" in to_markdown(alone)


def test_an_encoder_trained_on_the_data_is_marked_and_ranked_apart() -> None:
    rows = encoders(a=0.9, b=0.8, c=0.7)
    board = leaderboard(frame(rows, b={**INFO, "trained_on": "Studio, other"}))
    ranks = board.set_index("encoder")["rank"]
    assert ranks[["a", "c"]].tolist() == [1, 2]
    assert np.isnan(ranks["b"])
    text = to_markdown(board)
    assert "| trained on this data (1 of 2 above) | b | 0.800 |" in text
    assert "| b |  | 5.38 M | 192 | 31.25 |  | MIT |  | Studio, other |\n" in text
    for dataset, apart in (
        ("studio:size=72", True),
        ("x+studio", True),
        ("y -> studio", True),
        ("studios", False),
    ):
        row = pd.Series(
            {"task": "key", "supervised": "", "dataset": dataset, "trained_on": "studio"}
        )
        assert is_unranked(row) == apart


def test_facts_stand_in_every_row_and_unknown_ones_stay_empty() -> None:
    unknown = dict(zip(INFO_COLUMNS, (None, 13, NAN, "", "", ""), strict=True))
    board = leaderboard(frame(encoders(a=0.5, b=0.4), b=unknown))
    assert board["dim"].tolist() == [192, 13]
    assert "| b | 2.00 |  | 13 |  |  |  |  |  |\n" in to_markdown(board)
    none = leaderboard(frame(encoders(a=0.5), a={**INFO, "model_parameters": 0}))
    assert "| a |  | 0 | 192 |" in to_markdown(none)


def test_of_two_runs_the_speed_that_was_measured_counts() -> None:
    beat = [replace(row, task="beat") for row in encoders(a=0.2)]
    runs = [frame(encoders(a=0.5)).assign(speed=40.0), frame(beat).assign(speed=NAN)]
    board = leaderboard(merge(runs))
    assert board["speed"].tolist() == [40.0, 40.0]
    assert "| 31.25 | 40 | MIT |" in to_markdown(board)
