from __future__ import annotations

import builtins
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.small_vit1d import SMALL, small_checkpoint
from matplotlib.figure import Figure
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.errors import ConfigError
from mirprobe.emergence.inspect_figure import _draw_matrices, _draw_novelty, clock, draw
from mirprobe.emergence.inspect_track import inspect_track
from mirprobe.emergence.models import InspectedModel, trained_spec
from mirprobe.vit1d import checkpoint as shipped

RATE = 16_000
runner = CliRunner()


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("song") / "a $song.wav"
    rng = np.random.default_rng(0)
    audio = rng.normal(0, 1e-3, 5 * RATE)
    for start in range(RATE // 4, 5 * RATE - 2000, RATE // 2):
        audio[start : start + 2000] += 0.5 * np.exp(-np.arange(2000) / 300)
    soundfile.write(path, audio, RATE)
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoint(tmp_path_factory.mktemp("weights"))


def inspect(*words: object) -> tuple[int, str]:
    done = runner.invoke(app, ["inspect", *map(str, words)])
    return done.exit_code, done.output


def test_a_figure_and_its_arrays(song: Path, checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "song.png"
    code, said = inspect(
        song, "--checkpoint", checkpoint, "-o", output, "--duration", 3, "--start", 1
    )
    assert code == 0, said
    assert "1.0 to 4.0 s of 5.0 s" in said
    assert output.read_bytes().startswith(b"\x89PNG")
    with np.load(output.with_suffix(".npz"), allow_pickle=False) as arrays:
        time = len(arrays["times"])
        np.testing.assert_allclose(arrays["times"], 1 + np.arange(94) * 0.032)
        np.testing.assert_allclose(arrays["windows"], [1, 1.992, 2.984, 3.008], atol=0.02)
        assert arrays["mel_hz"].shape == (32,)
        assert arrays["logmel"].shape == (time, 32)
        assert arrays["layers"].tolist() == ["1", "2", "3"]
        assert arrays["heads"].tolist() == ["1", "2", "mean"]
        assert arrays["attention"].shape == (time, 3, 3)
        assert arrays["chosen"].tolist() == ["1", "2", "3"]
        assert arrays["novelty"].shape == (time, 3, 3)
        assert arrays["flux"].shape == arrays["flux_novelty"].shape == (time,)
        similarity = arrays["similarity"]
        assert similarity.shape == (3, time, time)
        np.testing.assert_allclose(np.diagonal(similarity, axis1=1, axis2=2), 1.0, atol=1e-6)
        # out of silence a click is seen as soon as the frames' windows of 128 ms reach it
        away = np.abs(arrays["flux_onsets"][:, None] - np.arange(0.25, 5, 0.5)).min(1)
        assert (away < 0.064).all()
        assert all(1 <= time <= 4 for time in arrays["onsets_2"])


def test_an_svg_of_one_layer(song: Path, checkpoint: Path, tmp_path: Path) -> None:
    found = []
    for name in ("a.svg", "b.svg"):
        code, said = inspect(song, "--checkpoint", checkpoint, "-o", tmp_path / name, "--layers", 2)
        assert code == 0, said
        assert b"<svg" in (tmp_path / name).read_bytes()
        with np.load(tmp_path / f"{name[0]}.npz", allow_pickle=False) as arrays:
            found.append(dict(arrays))
    # matrix products may add up in another order from call to call
    for name, array in found[0].items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, found[1][name], atol=1e-4, err_msg=name)


def test_an_svg_is_the_same_each_time(song: Path, checkpoint: Path) -> None:
    inspection = inspect_track(song, InspectedModel(trained_spec(checkpoint), "cpu"), layers="2")
    assert draw(inspection, "weights", ".svg") == draw(inspection, "weights", ".svg")
    text = draw(inspection, "weights", ".pdf")
    assert text.startswith(b"%PDF")


def test_the_name_comes_from_the_file(
    song: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert inspect(song, "--checkpoint", checkpoint)[0] == 0
    assert {path.name for path in tmp_path.iterdir()} == {"a $song.png", "a $song.npz"}


def test_what_is_cut_from_a_file_equals_the_file(
    song: Path, checkpoint: Path, tmp_path: Path
) -> None:
    model = InspectedModel(trained_spec(checkpoint))
    whole = inspect_track(song, model, start=1.0, duration=2.0)
    audio, rate = soundfile.read(song)
    soundfile.write(tmp_path / "cut.wav", audio[rate : 3 * rate], rate)
    part = inspect_track(tmp_path / "cut.wav", model)
    np.testing.assert_allclose(whole.attention, part.attention)
    np.testing.assert_allclose(whole.times, part.times + 1)


def bad_files(folder: Path, song: Path) -> dict[str, tuple[list[object], str]]:
    """What is wrong, the words of the command, and what the error line says."""
    text = folder / "notes.wav"
    text.write_text("not audio at all, but long enough to be looked at")
    short = folder / "short.wav"
    soundfile.write(short, np.full(RATE // 2, 0.1), RATE)
    weights = small_checkpoint(folder)
    broken = folder / "broken.safetensors"
    broken.write_bytes(weights.read_bytes()[:-100])
    alien = folder / "alien.safetensors"
    alien.write_bytes(b"PK not safetensors")
    good = ["--checkpoint", weights]
    return {
        "missing": ([folder / "no.wav", *good], "no such audio file"),
        "not audio": ([text, *good], "cannot be decoded"),
        "too short": ([short, *good], "shorter than the model's window of 0.992 s"),
        "layer": ([song, *good, "--layers", "13"], "unknown layer '13'"),
        "layers": ([song, *good, "--layers", "1,1"], "none twice"),
        "reading": ([song, *good, "--reading", "turns"], "did you mean 'turn'"),
        "ending": ([song, *good, "-o", folder / "x.tif"], "unknown format '.tif'; end it in .png"),
        "start": ([song, *good, "--start", 4.5], "--start 4.5: give between 0 and 4.01 s"),
        "duration": ([song, *good, "--duration", 0.1], "--duration 0.1: give between 0.992 s"),
        "nan": ([song, *good, "--start", "nan"], "--start nan"),
        "device": ([song, *good, "--device", "gpu"], "device 'gpu' cannot be used"),
        "no weights": ([song, "--checkpoint", folder / "no.safetensors"], "no.safetensors: "),
        "truncated": ([song, "--checkpoint", broken], "damaged or not a safetensors file"),
        "alien": ([song, "--checkpoint", alien], "damaged or not a safetensors file"),
        "folder": ([song, *good, "-o", text / "x.png"], "cannot be written"),
    }


CASES = (
    "missing",
    "not audio",
    "too short",
    "layer",
    "layers",
    "reading",
    "ending",
    "start",
    "duration",
    "nan",
    "device",
    "no weights",
    "truncated",
    "alien",
    "folder",
)


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line(case: str, song: Path, tmp_path: Path) -> None:
    words, message = bad_files(tmp_path, song)[case]
    code, said = inspect(*words)
    assert code == 2
    (line,) = said.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_without_shipped_weights_it_asks_for_some(
    song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "none")
    code, said = inspect(song, "-o", tmp_path / "x.png")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "--checkpoint" in said


def test_without_matplotlib_it_names_the_extra(
    song: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError("No module named 'matplotlib'")
        return original(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    code, said = inspect(song, "--checkpoint", checkpoint, "-o", tmp_path / "x.png")
    assert (code, len(said.splitlines())) == (2, 1)
    assert "mirprobe[figures]" in said


def test_a_long_stretch_is_refused(song: Path, checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="and 300 s"):
        inspect_track(song, InspectedModel(trained_spec(checkpoint)), duration=301)


def test_the_small_model_is_what_these_tests_say() -> None:
    assert SMALL.window == pytest.approx(0.992)
    assert clock(65.4) == "1:05"


def test_matrices_have_one_scale_and_peaks_above_the_axis_are_marked(
    song: Path, checkpoint: Path
) -> None:
    model = InspectedModel(trained_spec(checkpoint), "cpu")
    inspection = inspect_track(song, model, layers="all")
    figure = Figure()
    _draw_matrices(figure, inspection, 1)
    limits = {axes.images[0].get_clim() for axes in figure.axes if axes.images}
    assert len(limits) == 1
    axes = Figure().subplots()
    times = np.arange(200) / 10
    novelty = np.zeros(200)
    novelty[[50, 100]] = 3.0, 50.0
    settings = replace(inspection.peak_settings, shift=0.0)
    shown = replace(inspection, times=times, peak_settings=settings)
    _draw_novelty(axes, shown, novelty, times[[50, 100]], "black")
    marks = {line.get_marker(): np.asarray(line.get_xdata()).tolist() for line in axes.lines}
    assert (marks["o"], marks["^"]) == ([5.0], [10.0])
