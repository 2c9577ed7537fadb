from __future__ import annotations

import shutil
import subprocess
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.shown_runs import EVIL, METRICS, TRACKS, write_run

import mirprobe
from mirprobe.core.errors import ConfigError
from mirprobe.core.markdown import escaped
from mirprobe.reporting.paper_table import FORMATS, latex_escaped, long_table, paper_table
from mirprobe.reporting.report.page import page
from mirprobe.reporting.run_collection import RunCollection, collect_runs
from mirprobe.reporting.tables import UNRANKED_NOTE

ODD = r"a_b&c%d$e#f{g}h~i^j\k"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunCollection:
    run = write_run(tmp_path_factory.mktemp("shown") / "run")
    return collect_runs(run, rename={"vit1d": ODD})


def test_every_format_has_every_score(runs: RunCollection) -> None:
    for form in ("latex", "markdown", "html"):
        text = paper_table(runs, form).decode()
        for row in runs.mains.itertuples():
            assert f"{row.value:.3f} [{row.low:.3f}, {row.high:.3f}]" in text
        assert f"studio, {TRACKS} test tracks" in text
        assert "Fewer than 30 test tracks" in text


def test_numbers_come_back_from_csv_and_parquet(runs: RunCollection) -> None:
    table = long_table(runs)
    csv = pd.read_csv(StringIO(paper_table(runs, "csv").decode()))
    parquet = pd.read_parquet(BytesIO(paper_table(runs, "parquet")))
    assert len(csv) == len(parquet) == 3 * len(METRICS)
    np.testing.assert_allclose(csv["value"], table["value"], rtol=1e-5)
    np.testing.assert_array_equal(parquet["value"], table["value"])
    assert csv["encoder"].tolist() == parquet["encoder"].tolist() == table["encoder"].tolist()


def test_bold_are_the_best_and_those_not_told_apart(runs: RunCollection) -> None:
    table = long_table(runs)
    marked = set(table.loc[table["best"], ["table", "encoder"]].itertuples(index=False, name=None))
    assert marked == runs.best()
    for form, mark in (("latex", r"\textbf{"), ("markdown", "**")):
        count = paper_table(runs, form).decode().count(mark)
        assert count == len(marked) * (2 if mark == "**" else 1)


def test_names_are_escaped(runs: RunCollection) -> None:
    html = paper_table(runs, "html").decode()
    assert EVIL not in html
    assert "&lt;script&gt;" in html
    assert f"| {escaped(EVIL)} |" in paper_table(runs, "markdown").decode()
    latex = paper_table(runs, "latex").decode()
    assert latex_escaped(ODD) in latex
    assert r"a\_b\&c\%d\$e\#f\{g\}h\textasciitilde{}i\textasciicircum{}j\textbackslash{}k" in latex
    assert latex_escaped("<a|b>") == r"\textless{}a\textbar{}b\textgreater{}"


def test_the_spread_of_fitted_probes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["a", "b"], ["key"])
    scores = pd.read_csv(run / "scores.csv")
    other = scores.assign(seed=1, value=scores["value"] + 0.1)
    pd.concat([scores, other]).to_csv(run / "scores.csv", index=False)
    table = long_table(collect_runs(run))
    assert table["fits"].tolist() == [2, 2]
    np.testing.assert_allclose(table["fits_sd"], 0.1 / np.sqrt(2))
    assert "± 0.071" in paper_table(collect_runs(run), "markdown", spread="fits").decode()
    assert "[" not in paper_table(collect_runs(run), "csv", spread="none").decode()


def test_tables_of_one_task_on_two_data_sets_have_different_titles(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / name, ["a", "b"], ["key"], seed=n) for n, name in enumerate("xy")]
    scores = pd.read_csv(paths[1] / "scores.csv").assign(dataset="scores")
    scores.to_csv(paths[1] / "scores.csv", index=False)
    found = collect_runs(paths)
    assert found.titles == ["key on scores", "key on studio"]
    assert "key on scores (mirex)" in paper_table(found, "markdown").decode()


def test_bad_input_ends_in_one_line(runs: RunCollection) -> None:
    with pytest.raises(ConfigError, match="unknown format 'latx'; did you mean 'latex'"):
        paper_table(runs, "latx")
    with pytest.raises(ConfigError, match="no scores of metric 'majmim'; did you mean 'majmin'"):
        paper_table(runs, "csv", ["majmim"])
    with pytest.raises(ConfigError, match="unknown spread"):
        paper_table(runs, "csv", spread="all")  # type: ignore[arg-type]
    assert set(FORMATS) == {"latex", "markdown", "html", "csv", "parquet"}


@pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="no LaTeX: apt-get install texlive-latex-extra"
)
def test_a_real_latex_compiles_the_table(runs: RunCollection, tmp_path: Path) -> None:
    table = paper_table(runs, "latex").decode()
    (tmp_path / "paper.tex").write_text(
        "\\documentclass[twocolumn]{article}\\usepackage{booktabs,multirow}"
        f"\\begin{{document}}\n{table}\\end{{document}}\n"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_an_encoder_that_is_not_ranked_has_a_mark(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["a", "b"], ["key"])
    scores = pd.read_csv(run / "scores.csv", keep_default_na=False)
    trained = scores["encoder"].eq("a")
    scores.assign(supervised=trained.map({True: "key", False: ""})).to_csv(
        run / "scores.csv", index=False
    )
    found = collect_runs(run)
    table = long_table(found).set_index("encoder")
    assert table["ranked"].to_dict() == {"a": False, "b": True}
    value = f"{table['value']['a']:.3f}"
    assert f"| a | {value}† [" in paper_table(found, "markdown").decode()
    assert rf"a & {value}\textsuperscript{{\dag}} [" in paper_table(found, "latex").decode()
    for form in ("markdown", "latex", "html"):
        assert "trained with labels for this task" in paper_table(found, form).decode()
    figure = mirprobe.plot("scores", run)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert sorted(names) == ["a †", "b"]
    assert UNRANKED_NOTE in str(figure.get_label())
    assert UNRANKED_NOTE in page(found)
    assert f"{value}<sup>†</sup>" in page(found)


def test_the_caption_of_a_table_claims_no_test_that_was_not_made(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["a", "b"], ["key"], undefined=[("b", "key")])
    text = paper_table(collect_runs(run), "markdown").decode()
    assert "trained with labels" not in text  # b has no score, which is another reason
    run = write_run(tmp_path / "other", ["a", "b"], ["key"])
    assert "differ significantly" in paper_table(collect_runs(run), "markdown").decode()
    (run / "differences.csv").unlink()
    assert "differ significantly" not in paper_table(collect_runs(run), "markdown").decode()
