"""A third party's package, really installed, is listed and run exactly as the built-ins are."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from helpers.paths import TESTS

PACKAGE = TESTS / "plugin_package"
MIRPROBE = Path(sysconfig.get_path("scripts")) / "mirprobe"


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the package into."""
    folder = tmp_path_factory.mktemp("plugin")
    source, site = folder / "source", folder / "site"
    shutil.copytree(PACKAGE, source)  # building leaves nothing in the checkout
    options = "--quiet --no-deps --no-build-isolation --no-index --disable-pip-version-check"
    command = [sys.executable, "-m", "pip", "install", *options.split()]
    done = subprocess.run(
        [*command, "--target", str(site), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return site


@pytest.fixture(scope="session")
def broken(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package in a version that fails to import."""
    site = tmp_path_factory.mktemp("broken") / "site"
    shutil.copytree(installed, site)
    (site / "mirprobe_loudness.py").write_text("import no_such_library\n")
    return site


def mirprobe(site: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [MIRPROBE, *arguments], capture_output=True, text=True, env=environment, cwd=site.parent
    )


@pytest.mark.parametrize(
    ("kind", "line", "neighbour"),
    [
        ("encoders", "rms Root mean square of each half second, and its logarithm.", "mfcc"),
        ("tasks", "loudness Whether a track is tagged as loud.", "tagging"),
        ("datasets", "beeps Beeps of random pitch, every other one ten times as loud.", "studio"),
    ],
)
def test_plug_ins_are_listed(installed: Path, kind: str, line: str, neighbour: str) -> None:
    done = mirprobe(installed, "list", kind)
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert line in lines
    assert any(other.split()[0] == neighbour for other in lines)


def test_plug_ins_are_scored(installed: Path, tmp_path: Path) -> None:
    cache, results = tmp_path / "cache", tmp_path / "results"
    command: list[str | Path] = ["run", "--encoder", "rms:gain=0.5", "--encoder", "rms"]
    command += ["--task", "loudness", "--dataset", "beeps:tracks=6"]
    command += ["--cache-dir", cache, "--results-dir", results]
    done = mirprobe(installed, *command)
    assert done.returncode == 0, done.stderr
    assert "rms:gain=0.5" in done.stdout
    (run,) = (path for path in results.iterdir() if path.is_dir())
    with (run / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    probes = [row for row in rows if row["kind"] == "probe" and row["metric"] == "accuracy"]
    assert {row["encoder"] for row in probes} == {"rms", "rms:gain=0.5"}
    for row in probes:
        assert row["dataset"] == "beeps:tracks=6"
        assert (row["task"], row["source"], row["layer"]) == ("loudness", "class", "rms")
        assert float(row["value"]) == 1.0  # ten times as loud is classified correctly
        assert int(row["n"]) == 6
    chance = [row for row in rows if row["kind"] == "chance"]
    assert [row["encoder"] for row in chance] == ["rms:gain=0.5", "rms"]
    (value,) = {float(row["value"]) for row in chance}  # it does not depend on the encoder
    assert 0.1 < value < 0.9  # 24 draws between two classes
    assert len(list((cache / "datasets" / "beeps").iterdir())) == 18
    # each track's one view by each of the two encoders
    assert len(list((cache / "entries").glob("*/*.safetensors"))) == 36


@pytest.mark.parametrize(
    ("arguments", "kind", "name", "culprit"),
    [
        (("list", "encoders"), "encoder", "rms", "mirprobe_loudness:Rms"),
        (("run", "--encoder", "rms"), "data set", "beeps", "mirprobe_loudness:Beeps"),
    ],
)
def test_a_broken_plug_in_names_itself(
    broken: Path, tmp_path: Path, arguments: tuple[str, ...], kind: str, name: str, culprit: str
) -> None:
    if arguments[0] == "run":
        arguments += ("--task", "loudness", "--dataset", "beeps")
        arguments += ("--cache-dir", str(tmp_path / "c"), "--results-dir", str(tmp_path / "r"))
    done = mirprobe(broken, *arguments)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == (
        f"error: {kind} plug-in '{name}' ({culprit} of mirprobe-loudness) fails to import ("
        "ModuleNotFoundError: No module named 'no_such_library'); mend or uninstall it"
    )
