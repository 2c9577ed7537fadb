"""What is no Python arrives in an installed package too."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LOOK = """
import mirprobe, mirprobe_tasks
from mirprobe.published import read_published
from mirprobe.suites import load_suite, registered
from mirprobe_tasks.datasets.listed import listed
print(mirprobe.__file__, mirprobe_tasks.__file__)
print(*registered())
print(len(load_suite("vit1d-paper", {})), len(read_published()), len(listed("tinysol")))
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


def test_suites_published_figures_and_splits_are_in_the_wheel(site: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files, suites, counts = done.stdout.splitlines()
    assert [Path(file).parents[1] for file in files.split()] == [site, site]
    assert {"quick", "vit1d-paper", "mir-core"} <= set(suites.split())
    runs, figures, notes = map(int, counts.split())
    assert notes == 2913  # the split of TinySOL at random
    assert runs == 6
    assert figures > 50


def test_the_wheel_has_the_two_packages_alone(site: Path) -> None:
    folders = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert folders == {"mirprobe", "mirprobe_tasks"}
