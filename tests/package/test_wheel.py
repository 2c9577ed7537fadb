"""What is no Python arrives in an installed package too."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers.miniatures import tone
from helpers.paths import ROOT

LOOK = """
import socket
def refuse(*args, **options):
    raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
import mirprobe, mirprobe_tasks, torch
from mirprobe.encoders.vit1d import TrainedViT1D
from mirprobe.vit1d.checkpoint import weights_path
from safetensors import safe_open
from mirprobe.reporting.published import read_published
from mirprobe.evaluation.suites import load_suite, registered
from mirprobe_tasks.datasets.splits import listed_splits
print(mirprobe.__file__, mirprobe_tasks.__file__)
print(*registered())
print(len(load_suite("vit1d-paper", {})), len(read_published()), len(listed_splits("tinysol")))
with safe_open(weights_path(None), "pt") as file:
    print(*{str(file.get_tensor(name).dtype) for name in file.keys()})
beside = weights_path(None).parent
print(*((beside / name).is_file() for name in ("README.md", "curves.png")))
print(*TrainedViT1D()(torch.zeros(1, 66_048)).sequence.shape)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel, as pip unpacks it."""
    folder = tmp_path_factory.mktemp("wheel")
    build("wheel", folder)
    (wheel,) = folder.glob("*.whl")
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check", "--target"]
    command = [sys.executable, "-m", "pip", "install", *options, str(folder / "site"), str(wheel)]
    subprocess.run(command, check=True)
    return folder / "site"


def build(kind: str, folder: Path, source: Path = ROOT) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_suites_published_figures_splits_and_weights_are_in_the_wheel(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files, suites, counts, dtypes, card, shape = done.stdout.splitlines()
    assert (dtypes, card, shape) == ("torch.float16", "True True", "1 126 12 192")
    assert [Path(file).parents[1] for file in files.split()] == [site, site]
    assert {"quick", "vit1d-paper", "mir-core"} <= set(suites.split())
    runs, figures, notes = map(int, counts.split())
    assert notes == 2913  # the split of TinySOL at random
    assert runs == 6
    assert figures > 50


def test_the_wheel_has_the_two_packages_alone(site: Path) -> None:
    folders = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert folders == {"bin", "mirprobe", "mirprobe_tasks"}


def test_the_installed_wheel_scores_data_in_an_empty_folder(site: Path, tmp_path: Path) -> None:
    lines = ["audio,key"]
    for number in range(12):
        tone(tmp_path / "recordings" / f"{number}.wav", 1.0, 200.0 + 20 * number)
        lines.append(f"{number}.wav,{'C major' if number % 2 else 'A minor'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    (tmp_path / "my.yaml").write_text("audio: recordings\ntable: labels.csv\n")
    words = ["run", "--encoder", "mfcc", "--task", "key", "--dataset", "folder:my.yaml"]
    done = subprocess.run(
        [str(site / "bin" / "mirprobe"), *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "key on folder:" in done.stdout
    (scores,) = tmp_path.glob("results/*/scores.csv")
    assert "mfcc" in scores.read_text()


def test_the_source_distribution_builds_the_same_wheel(site: Path, tmp_path: Path) -> None:
    build("sdist", tmp_path)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    assert {"tests", "docs", "noxfile.py", "SECURITY.md"} <= {
        path.name for path in source.iterdir()
    }
    build("wheel", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    built = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    kept = {f for f in files if not f.startswith("bin/") and "__pycache__" not in f}
    assert {name for name in kept if ".dist-info" not in name} == built
