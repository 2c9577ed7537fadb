"""The curves of disturbed audio, and the agreement of readings, in figures and pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.shown_runs import write_run

from mirprobe.core.plotting import style
from mirprobe.reporting.figures.perturbed import perturbed
from mirprobe.reporting.probe_agreement import probe_agreement
from mirprobe.reporting.report.page import page
from mirprobe.reporting.run_collection import RunCollection, collect_runs
from mirprobe.reporting.stored_run import StoredRun

CHANGES = {"transpose=2": -0.1, "transpose=-2": -0.2, "noise=10": -0.3}


def with_changes(run: RunCollection) -> RunCollection:
    """The collection with rows of disturbed test audio."""
    table = run.scores
    rows = []
    for _, chosen in table[table["selected"] & table["main"]].iterrows():
        for text, change in CHANGES.items():
            value = {**chosen, "kind": "perturbed", "selected": False, "perturbation": text}
            ends = {"value": change, "low": change - 0.05, "high": change + 0.05}
            rows += [{**value, "value": chosen["value"] + change}]
            rows += [{**value, **ends, "kind": "perturbed-change"}]
    object.__setattr__(run, "scores", pd.concat([table, pd.DataFrame(rows)]))
    return run


@pytest.fixture
def run(tmp_path: Path) -> RunCollection:
    return with_changes(collect_runs([write_run(tmp_path / "a", ("mfcc", "chroma"), ("key",))]))


def test_a_panel_for_each_effect_with_the_undisturbed_score(run: RunCollection) -> None:
    with style():
        figure = perturbed(run)
    assert figure is not None
    noise, transpose, kept, _ = figure.axes
    before = run.mains.set_index("encoder")["value"]
    [line] = [line for line in transpose.lines if line.get_label() == "mfcc"] or [
        own[0] for own in transpose.containers if own.get_label() == "mfcc"
    ]
    assert np.asarray(line.get_xdata()).tolist() == [-2, 0, 2]
    wanted = [before["mfcc"] - 0.2, before["mfcc"], before["mfcc"] - 0.1]
    np.testing.assert_allclose(np.asarray(line.get_ydata()), wanted)
    [share] = [line for line in kept.lines if line.get_label() == "mfcc"]
    chance = run.mains["chance"].astype(float).iloc[0]
    shares = 100 * (before["mfcc"] - 0.3 - chance) / (before["mfcc"] - chance)
    np.testing.assert_allclose(np.asarray(share.get_ydata()), [shares])
    assert noise.get_xlabel() == "noise (dB)"
    assert "paired 95 % interval" in str(figure.get_label())


def test_many_effects_and_tasks_are_a_grid_that_fits_a_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = ("gain", "lowpass", "mp3", "noise", "opus", "reverb", "tempo", "exact-tempo")
    changes = {f"{effect}=2": -0.1 for effect in effects}
    monkeypatch.setattr(f"{__name__}.CHANGES", changes)
    run = write_run(tmp_path / "a", ("mfcc", "chroma"), ("key", "chord"))
    with style():
        figure = perturbed(with_changes(collect_runs([run])))
    assert figure is not None
    width, height = figure.get_size_inches()
    assert width < 14
    assert height / width < 1.5
    labels = [axis.get_xlabel().partition(" ")[0] for axis in figure.axes]
    six, two = sorted(effects)[:6], sorted(effects)[6:]
    assert labels == [*six * 2, *two * 2] * 2


def test_the_page_has_the_curves_and_says_where_readings_disagree(
    run: RunCollection, tmp_path: Path
) -> None:
    text = page(run)
    assert "Disturbed audio" in text
    assert "Do the readings agree" not in text
    encoders = ("mfcc", "chroma", "logmel", "vit1d")
    runs = [StoredRun(write_run(tmp_path / str(n), encoders, ("key",), seed=n)) for n in range(2)]
    runs[1].__dict__["scores"] = runs[1].scores.assign(probe="knn")
    both = collect_runs(runs)
    [row] = probe_agreement(both).to_dict("records")
    assert (row["task"], row["reading"], row["other"]) == ("key", "linear", "knn")
    values = [rows.set_index("encoder")["value"] for rows in both.tables()]
    swapped = [tuple(pair.split(" > ")) for pair in str(row["reversed"]).split(", ")]
    for first, second in swapped:
        assert values[0][first] > values[0][second]
        assert values[1][first] < values[1][second]
    assert row["encoders"] == 4
    assert row["low"] <= row["tau"] <= row["high"]
    assert "Do the readings agree" in page(both)
