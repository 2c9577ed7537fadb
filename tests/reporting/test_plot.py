from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.shown_runs import EVIL, METRICS, TRACKS, write_run
from typer.testing import CliRunner

import mirprobe
from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError
from mirprobe.core.plotting import INK, inline_svg
from mirprobe.reporting.figures.common import contents_of, looks, short_name
from mirprobe.reporting.figures.layers import layer_scores
from mirprobe.reporting.figures.plot import FIGURES, MISSING
from mirprobe.reporting.run_collection import collect_runs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("shown") / "run", ["vit1d", "chroma", "$x_1$"])


@pytest.mark.parametrize("kind", MISSING)
def test_what_a_run_does_not_contain(run: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"these runs have {MISSING[kind]}"):
        mirprobe.plot(kind, run)


@pytest.mark.parametrize("kind", [name for name in FIGURES if name not in MISSING])
def test_a_figure_names_its_data_and_fits_a_paper(run: Path, kind: str) -> None:
    figure = mirprobe.plot(kind, run)
    assert figure.get_size_inches()[0] == 7.0
    assert f"Data: studio, {TRACKS} test tracks." in str(figure.get_label())
    assert "test tracks." in figure.texts[-1].get_text().replace("\n", " ")
    figure.draw_without_rendering()
    boxes = [one.get_window_extent() for one in (figure.texts[-1], *figure.legends)]
    boxes += [box for axes in figure.axes if (box := axes.get_tightbbox()) is not None]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    smallest = min(
        float(text.get_fontsize()) for axes in figure.axes for text in axes.texts or [axes.title]
    )
    assert smallest >= 7


def test_scores_differences_and_layers_are_those_of_the_run(run: Path) -> None:
    found = collect_runs(run)
    figure = mirprobe.plot("scores", run, tasks=["chord"])
    rows = found.mains[found.mains["task"] == "chord"].sort_values("value", ascending=False)
    [points] = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(np.asarray(points.get_xdata()), rows["value"].to_numpy())
    figure = mirprobe.plot("differences", run, tasks=["chord"], reference="chroma")
    drawn = sorted(x for line in figure.axes[0].lines if line.get_marker() == "o"
                   for x in np.atleast_1d(line.get_xdata()))  # fmt: skip
    pairs = found.differences[found.differences["reference"] == "chroma"]
    own = pairs[pairs["table"] == rows["table"].iloc[0]]["difference"]
    np.testing.assert_allclose(drawn, sorted(own))
    layers = layer_scores(found)
    assert layers.groupby(["table", "encoder"])["chosen"].sum().eq(1).all()
    chosen = layers[layers["chosen"]].set_index(["table", "encoder"])["value"]
    for _, row in found.mains.iterrows():
        assert chosen.loc[(row["table"], row["encoder"])] == row["value"]


@pytest.mark.parametrize("ending", ["pdf", "svg", "png"])
def test_the_command_writes_the_same_file_again(run: Path, tmp_path: Path, ending: str) -> None:
    contents = []
    for name in "ab":
        path = tmp_path / f"{name}.{ending}"
        done = CliRunner().invoke(app, ["plot", "scores", str(run), "-o", str(path)])
        assert done.exit_code == 0, done.output
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_a_figure_in_a_page_takes_the_colour_of_its_text(run: Path) -> None:
    svg = inline_svg(mirprobe.plot("scores", run, caption=False), "p")
    assert INK not in svg
    assert "currentColor" in svg
    assert ">vit1d</text>" in svg
    assert svg.startswith('<svg role="img" aria-label="Main metric')


def test_bad_input_ends_in_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown figure 'layer'; did you mean 'layers'"):
        mirprobe.plot("layer", run)
    with pytest.raises(ConfigError, match="no scores of encoder 'vit'; did you mean 'vit1d'"):
        mirprobe.plot("differences", run, reference="vit")
    alone = write_run(tmp_path / "run", ["alone"], ["key"])
    with pytest.raises(ConfigError, match="no paired differences"):
        mirprobe.plot("differences", alone)
    (alone / "references.json.gz").unlink()
    with pytest.raises(ConfigError, match="no references"):
        mirprobe.plot("confusion", alone)


def test_the_commands_read_their_options(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "paper.tex"
    words = ["table", str(run), "--tasks", "key,chord", "--rename", "vit1d=Ours=1", "-o", str(path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "no scores of encoder 'vit1d=Ours'" in done.output
    words[words.index("vit1d=Ours=1")] = "vit1d=Ours"
    assert CliRunner().invoke(app, words).exit_code == 0
    assert path.is_file()
    assert "Ours" in path.read_text()
    assert "beat" not in path.read_text()
    names = {"table": "x.md", "plot": "x.png", "report": "x.html"}
    folders = []
    for command, name in names.items():
        (tmp_path / name).mkdir()
        kind = ["scores"] if command == "plot" else []
        folders.append([command, *kind, str(run), "-o", str(tmp_path / name)])
    for bad, message in (
        (
            ["table", str(run), "-o", str(tmp_path / "x.doc")],
            "unknown format '.doc'; end it in .tex",
        ),
        (["table", str(run), "--format", "parquet"], "name a file with --output"),
        (
            ["plot", "scores", str(run), "-o", str(tmp_path / "x.tif")],
            "end it in .png, .svg or .pdf",
        ),
        (["report", str(run), "-o", str(tmp_path / "x.pdf")], "end it in .html"),
        *((words, "is a folder; name a file") for words in folders),
        (["report", str(run), "--rename", "ours"], "give OLD=NEW"),
    ):
        done = CliRunner().invoke(app, bad)
        assert done.exit_code == 2
        assert message in done.output
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["report", str(run), "-o", str(page)]).exit_code == 0
    assert len(METRICS) == page.read_text().count("<article")
    assert EVIL not in page.read_text()


def test_two_names_of_one_encoder_have_a_difference(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["a", "b"], ["key"])
    for name, columns in {"scores": ["cell"], "differences": ["cell", "reference_cell"]}.items():
        table = pd.read_csv(run / f"{name}.csv", keep_default_na=False)
        table[columns] = "same"
        table.to_csv(run / f"{name}.csv", index=False)
    pairs = collect_runs(run).differences
    assert pairs[["encoder", "reference"]].to_numpy().tolist() == [["a", "b"], ["b", "a"]]
    assert pairs["difference"].sum() == 0


def test_long_names_are_cut_in_the_middle() -> None:
    name = "hf:someone/some-model,revision=1234567890,layers=all"
    assert short_name(name) == "hf:someone/some-mo…4567890,layers=all"
    assert short_name("$x_1$") == r"\$x_1\$"


def test_a_legend_of_long_names_is_inside_the_figure(run: Path) -> None:
    names = {"vit1d": "x" * 60, "chroma": "y" * 60, "$x_1$": "z" * 60}
    figure = mirprobe.plot("layers", run, rename=names)
    box = figure.legends[0].get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width


def test_the_caption_is_in_the_figure(run: Path) -> None:
    figure = mirprobe.plot("scores", run)
    assert " ".join(figure.texts[-1].get_text().split()) == figure.get_label()


def test_the_caption_says_what_intervals_contain() -> None:
    texts = [f"studentised over test tracks of these fitted probes{end}" for end in ("", " (fewer")]
    one = pd.DataFrame({"interval": [*texts, ""]})
    more = pd.DataFrame({"interval": ["hierarchical over test groups, draws, resamples"]})
    assert contents_of([one]) == "test tracks"
    several = "test tracks or test groups (and draws, resamples where there are several)"
    assert contents_of([one, more]) == several


def test_encoders_differ_in_colour_or_marker() -> None:
    found = looks([f"encoder-{number}" for number in range(42)])
    assert len({tuple(one.values()) for one in found.values()}) == 42
