from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.small_encoders import Bands, Summary
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from scipy.stats import bootstrap
from statsmodels.stats.multitest import multipletests
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.bootstrap import weighted_mean
from mirprobe.core.confidence_intervals import jackknife
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.probing import probes
from mirprobe.reporting.compare import BETTER, COMPARED, SAME, WORSE, compare, entries
from mirprobe.reporting.compare_table import compared_tasks, general_notes
from mirprobe.reporting.critical_difference import block_values, draw
from mirprobe.reporting.reference_annotations import REFERENCES
from mirprobe.reporting.run_tables import SUMS
from mirprobe.reporting.stored_run import StoredRun

TASKS = ("key", "tagging", "beat")


class Dull(Bands):
    """Loudness alone."""

    def __call__(self, audio):  # type: ignore[no-untyped-def]
        return super().__call__(audio * 0 + 1e-3)


@pytest.fixture(scope="module")
def runs(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same data scored in three runs, and one of fewer tracks."""
    root = tmp_path_factory.mktemp("compared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probes.PRESETS, "standard", QUICK)
        bench = Workbench(root, tones)
        found = {
            "bands": bench.run(Bands(), tasks=TASKS),
            "summary": bench.run(Summary(), tasks=TASKS),
            "dull": bench.run(Dull(), tasks=("key",)),
            "few": bench.run(Summary(), tasks=("key",), limit=4),
            "mlp": bench.run(Summary(), tasks=("key",), probe="mlp"),
        }
    return {name: result.folder.path for name, result in found.items()}


def opened(runs: dict[str, Path], *names: str) -> list[StoredRun]:
    return [StoredRun(runs[name]) for name in names]


def test_encoders_of_several_runs_on_the_same_tracks(runs: dict[str, Path]) -> None:
    table = compare(opened(runs, "bands", "summary", "dull"), "Bands")
    assert list(table.columns) == COMPARED
    assert table["task"].tolist() == ["key", "tagging", "key"]
    assert (table["n"] == 6).all()
    assert (table["reason"] == "").all()
    np.testing.assert_allclose(
        table["difference"], table["value"] - table["reference_value"], atol=1e-12
    )
    bands = StoredRun(runs["bands"]).rescore("key").set_index("metric")["value"]
    assert table["reference_value"][0] == bands["mirex"]
    corrected = multipletests(table["p"], method="holm")[1]
    np.testing.assert_allclose(table["p_holm"], corrected)
    dull = table[table["encoder"] == "Dull"].iloc[0]
    assert (dull["mark"], dull["p"]) == (SAME, 2 / 2**6)  # six tracks show no more
    assert dull["difference"] < -0.5


def test_marks_follow_the_corrected_p(
    runs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirprobe.reporting.compare.LEVEL", 0.2)
    both = opened(runs, "bands", "dull")
    assert compare(both, "Bands", ["key"])["mark"].tolist() == [WORSE]
    (better,) = compare(both, "Dull", ["key"])["mark"]
    assert better == BETTER


def test_the_paired_interval_agrees_with_the_bootstrap_of_scipy() -> None:
    rng = np.random.default_rng(0)
    first = rng.beta(4, 2, 60)
    second = np.clip(first + rng.normal(-0.03, 0.1, 60), 0, 1)
    found = (
        jackknife(weighted_mean(first.tolist()), range(60))
        - jackknife(weighted_mean(second.tolist()), range(60))
    ).interval
    expected = bootstrap(
        (first, second),
        lambda one, other, axis: one.mean(axis=axis) - other.mean(axis=axis),
        paired=True,
        method="BCa",
        rng=rng,
    ).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.1 * width)
    assert found.high == pytest.approx(expected.high, abs=0.1 * width)


def test_a_blank_has_its_reason(runs: dict[str, Path], tmp_path: Path) -> None:
    table = compare(opened(runs, "bands", "few"), "Bands", ["key"])
    assert table["mark"].tolist() == [""]
    assert table["reason"][0].startswith("different data (audio, annotations or splits): ")
    assert general_notes(table) == ["1 of 1 rows could not be compared; the rows say why."]
    table = compare(opened(runs, "bands", "mlp"), "Bands", ["key"])
    assert table["reason"].tolist() == ["different probe: mlp and linear"]
    table = compare(opened(runs, "summary", "dull"), "Dull", ["tagging", "key"])
    assert table["reason"].tolist() == ["", "'Dull' has no scores in this task"]
    bare = Path(shutil.copytree(runs["summary"], tmp_path / "bare"))
    (bare / REFERENCES).unlink()
    (bare / SUMS).unlink()
    table = compare([StoredRun(bare), *opened(runs, "bands")], "Bands", ["key"])
    assert "no such file: the run is of an earlier version" in table["reason"][0]
    assert table["difference"].isna().all()
    (one,) = compared_tasks(table)
    assert one.rows[0][-1].startswith("not compared: ")
    assert general_notes(table)[-1] == "1 of 1 rows could not be compared; the rows say why."
    scores = pd.read_csv(bare / "scores.csv", keep_default_na=False)
    scores.assign(data="").to_csv(bare / "scores.csv", index=False)
    table = compare([StoredRun(bare), *opened(runs, "bands")], "Bands", ["key"])
    assert "without a hash of its data" in table["reason"][0]


def test_few_tracks_are_said_to_be_few(runs: dict[str, Path]) -> None:
    table = compare(opened(runs, "bands", "summary", "dull"), "Bands")
    key, *_ = compared_tasks(table)
    assert key.title == "key on tones: mirex minus that of Bands (1.000)"
    assert [row[-2] for row in key.rows] == ["6", "6"]
    assert "fewer than 30 groups of test tracks (6)" in key.notes[0]
    assert "With 6 groups p is at least 0.031" in key.notes[1]
    assert "no difference can be significant" in key.notes[1]
    assert "with probability 0.8" in key.notes[2]


def test_equal_predictions_do_not_differ(runs: dict[str, Path], tones: Tones) -> None:
    table = compare(opened(runs, "bands", "summary"), "Bands", ["key"])
    assert table["difference"].tolist() == [0]
    assert (table["p"] == 1).all()
    assert table["mark"].tolist() == [SAME]
    assert (table["low"] < 0).all()  # six equal tracks do not show that no track differs
    assert (table["high"] > 0).all()


def test_one_test_track_and_one_encoder_show_nothing(
    runs: dict[str, Path], tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="no encoder to compare with 'Bands'; name another run"):
        compare(opened(runs, "bands"), "Bands")
    with pytest.raises(ConfigError, match="no scores of encoder 'Band'; did you mean 'Bands'"):
        compare(opened(runs, "bands"), "Band")
    with pytest.raises(ConfigError, match="no scores of task 'keys'; did you mean 'key'"):
        compare(opened(runs, "bands", "dull"), "Bands", ["keys"])
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    bench = Workbench(tmp_path, tones)
    one = bench.run(Bands(), Summary(), limit=1, dtype="float32").folder.path
    table = compare([StoredRun(one)], "Bands")
    assert table["reason"].tolist() == [
        "one group of test tracks shows no difference; test on more"
    ]


def test_two_encoders_of_one_name_are_told_apart(
    runs: dict[str, Path], tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    other = type("Bands", (Dull,), {})()
    other.fingerprint = "of other weights"
    mine = Workbench(tmp_path, tones).run(other).folder.path
    table = compare([*opened(runs, "bands", "summary"), StoredRun(mine)], "Summary", ["key"])
    expected = {digest("Bands"), "of other weights"}
    assert {name.partition("@")[2] for name in table["encoder"]} == {one[:8] for one in expected}
    assert (table["reason"] == "").all()


def test_the_command_prints_and_writes(runs: dict[str, Path], tmp_path: Path) -> None:
    folders = [str(runs[name]) for name in ("bands", "summary", "dull")]
    out = tmp_path / "compared.csv"
    call = ["compare", *folders, "--reference", "Bands", "-o", str(out)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    assert "no significant difference" in result.output
    assert pd.read_csv(out)["encoder"].tolist() == ["Summary", "Summary", "Dull"]
    for name, message in (
        (".", "is a folder"),
        ("x.txt", "unknown format '.txt'; end it in .csv or .md"),
    ):
        result = CliRunner().invoke(app, [*call[:-1], str(tmp_path / name)])
        assert (result.exit_code, message in result.output) == (2, True), result.output


def test_a_critical_difference_diagram_of_each_task(runs: dict[str, Path], tmp_path: Path) -> None:
    folders = [str(runs[name]) for name in ("bands", "summary", "dull")]
    out = tmp_path / "diagram.svg"
    call = ["compare", *folders, "--reference", "Bands", "--diagram"]
    result = CliRunner().invoke(app, [*call, str(out)])
    assert result.exit_code == 0, result.output
    assert "Summary" in out.read_text()
    values = block_values(
        [e for e in entries(opened(runs, "bands", "dull")) if e.row["task"] == "key"]
    )
    run = StoredRun(runs["dull"])
    np.testing.assert_allclose(values["Dull"], run.per_track("mirex", "key")["value"])
    with pytest.raises(ConfigError, match="needs three encoders with the same data"):
        draw(opened(runs, "bands", "dull"), ".svg")
