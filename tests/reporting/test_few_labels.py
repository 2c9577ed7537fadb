from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.score_rows import ROW
from helpers.shown_runs import write_run

from mirprobe.reporting.few_labels import areas, curve_tables, curves
from mirprobe.reporting.figures.few_labels import few_labels
from mirprobe.reporting.run_collection import collect_runs
from mirprobe.reporting.run_tables import read_scores

POINTS = {"10": (10, [0.2, 0.4]), "100": (100, [0.5, 0.7]), "2 shots": (6, [0.1, 0.3])}


def rows(encoder: str = "mfcc", shift: float = 0.0) -> pd.DataFrame:
    """Two repeats of three subsets, and 1000 tracks with a score of 0.9."""
    row = replace(ROW, encoder=encoder, cell=encoder, subset="")
    found = [replace(row, selected=True, main=True, value=0.9 + shift, train_tracks=1000)]
    found.append(replace(row, selected=True, main=True, value=0.0, resample=1))  # another deal
    for subset, (tracks, values) in POINTS.items():
        for repeat, value in enumerate(values):
            few = replace(row, kind="few", selected=False, subset=subset, train_tracks=tracks)
            few = replace(few, main=True, resample=repeat, value=value + shift)
            found += [few, replace(few, kind="few-shuffled", value=0.1)][: 2 - repeat]
    return pd.DataFrame(found)


def test_points_and_area_of_a_curve() -> None:
    found = curves(rows()).set_index("subset")
    assert found.index.tolist() == ["2 shots", "10", "100", "all"]
    assert found["value"].tolist() == pytest.approx([0.2, 0.3, 0.6, 0.9])
    assert found["train_tracks"].tolist() == [6, 10, 100, 1000]
    assert found["deviation"].tolist()[:3] == pytest.approx([0.02**0.5] * 3)
    assert found["repeats"].tolist() == [2, 2, 2, 1]
    assert found["shuffled"].tolist()[:3] == pytest.approx([0.1] * 3)
    # equal steps in the logarithm: trapezoids of 0.3, 0.6 and 0.9
    [area] = areas(curves(rows()))
    assert area == pytest.approx((0.45 + 0.75) / 2)


def test_the_area_is_over_the_logarithm() -> None:
    table = rows()
    table.loc[table["subset"] == "100", "train_tracks"] = 20
    [area] = areas(curves(table))
    assert area == pytest.approx((0.45 * log(2) + 0.75 * log(50)) / log(100))


def test_a_table_begins_with_the_largest_area() -> None:
    [(title, table)] = curve_tables(pd.concat([rows(), rows("vit1d", 0.05)]))
    assert title.startswith("few labels: ")
    assert [row[0] for row in table] == [("encoder", "vit1d"), ("encoder", "mfcc")]
    assert table[1][1:] == [
        ("area", "0.600"),
        ("2 shots", "0.200 ± 0.141"),
        ("10", "0.300 ± 0.141"),
        ("100", "0.600 ± 0.141"),
        ("all", "0.900"),
    ]
    assert curve_tables(rows().query("kind == 'probe'")) == []


def test_the_figure_shows_the_points_of_a_run(tmp_path: Path) -> None:
    runs = collect_runs([write_run(tmp_path, ("mfcc",), ("key",))])
    assert few_labels(runs) is None
    table = read_scores(tmp_path)
    chosen = table[table["selected"]].iloc[0]
    few = [{**chosen, "kind": "few", "selected": False, "subset": "10", "train_tracks": 10}]
    table.loc[table["selected"], "train_tracks"] = 40
    object.__setattr__(runs, "scores", pd.concat([table, pd.DataFrame(few)]))
    figure = few_labels(runs)
    assert figure is not None
    assert [10, 40] in [np.asarray(line.get_xdata()).tolist() for line in figure.axes[0].lines]
    assert figure.axes[0].get_xscale() == "log"
