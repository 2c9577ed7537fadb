"""What is no Python arrives in an installed package too."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
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
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


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
    assert folders == {"mirprobe", "mirprobe_tasks"}
