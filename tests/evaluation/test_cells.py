"""Cells in several processes, and cells that several runs share."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.small_encoders import Bands, Summary
from helpers.tones import Tones
from helpers.workbench import Workbench
from joblib.externals.loky import get_reusable_executor

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Split, Track
from mirprobe.embedding.cache import Cache
from mirprobe.evaluation import runner
from mirprobe.evaluation.run_result import RunResult
from mirprobe.reporting.shared_cells import SharedCells
from mirprobe_tasks.key import Key

TASK = """
import os
import signal

from mirprobe_tasks.key import Key
import aside_of_own


class Own(Key):
    name = "own"

    def score(self, references, estimates):
        aside_of_own.count()
        return super().score(references, estimates)


class Killed(Key):
    name = "killed"

    def score(self, references, estimates):
        os.kill(os.getpid(), signal.SIGKILL)


class Broken(Key):
    name = "broken"

    def score(self, references, estimates):
        raise RuntimeError("no score today")
"""


@pytest.fixture
def bench(tmp_path: Path, tones: Tones) -> Workbench:
    return Workbench(tmp_path, tones)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.json", "SHA256SUMS")
    }


def test_processes_change_no_byte(bench: Workbench, tmp_path: Path) -> None:
    """With tasks in a file and a module beside it, of which one fails."""
    (tmp_path / "own.py").write_text(TASK)
    (tmp_path / "aside_of_own.py").write_text("def count():\n    pass\n")
    tasks = ["key", "chord", f"{tmp_path}/own.py:Own", f"{tmp_path}/own.py:Broken"]
    found: list[RunResult] = []
    for jobs in (1, 2):
        config = bench.config(
            "logmel",
            "mfcc",
            tasks=tasks,
            jobs=jobs,
            results_dir=tmp_path / str(jobs),
            cache_dir=tmp_path / f"cache-{jobs}",
        )
        found.append(runner.run(config, dataset=bench.dataset))
    one, two = found
    assert one.folder.path.name == two.folder.path.name
    assert files(one.folder.path) == files(two.folder.path)
    assert one.computed == two.computed == 6
    assert set(one.failures) == set(two.failures)
    assert len(two.failures) == 2
    for name, reason in two.failures.items():
        assert name.endswith("own.py:Broken")
        assert "raised RuntimeError: no score today" in reason


def test_a_finished_cell_is_found_by_another_run(bench: Workbench, tmp_path: Path) -> None:
    first = bench.run(Bands(), tasks=("key", "chord"))
    other = {"results_dir": tmp_path / "elsewhere"}
    second = bench.run(Bands(), Summary(), tasks=("key", "chord"), **other)
    assert (first.computed, first.shared) == (2, 0)
    assert (second.computed, second.shared) == (1, 2)  # `Summary` has no frames
    same = second.scores[second.scores["encoder"] == "Bands"].reset_index(drop=True)
    assert same.to_csv() == first.scores.to_csv()
    assert (second.folder.path / "differences.csv").exists()
    third = bench.run(Bands(), Summary(), tasks=("key", "chord"), **other)
    assert (third.computed, third.shared) == (0, 0)


def test_a_shared_cell_has_the_names_of_the_run_that_finds_it(
    bench: Workbench, tmp_path: Path
) -> None:
    bench.run(Bands())
    config = bench.config("renamed", results_dir=tmp_path / "elsewhere")
    found = runner.run(config, encoders={"renamed": Bands()}, dataset=bench.dataset)
    assert (found.computed, found.shared) == (0, 1)
    assert set(found.scores["encoder"]) == {"renamed"}
    assert found.folder.cell_path("renamed", "key").exists()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("damage", [truncated, Path.unlink])
def test_a_damaged_shared_cell_is_computed_again(
    bench: Workbench, tmp_path: Path, damage: Callable[[Path], Any]
) -> None:
    first = bench.run(Bands())
    (cell,) = Cache(bench.root / "cache").cells.glob("*/*.json.gz")
    content = cell.read_bytes()
    damage(cell)
    second = bench.run(Bands(), results_dir=tmp_path / "elsewhere")
    assert (second.computed, second.shared) == (1, 0)
    assert second.scores.to_csv() == first.scores.to_csv()
    assert cell.read_bytes() == content


def test_cells_that_cannot_be_shared_are_named(
    bench: Workbench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cells = Cache(bench.root / "cache").cells
    cells.parent.mkdir(parents=True, exist_ok=True)
    cells.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        result = bench.run(Bands())
    assert result.computed == 1
    assert "other runs will not find the cell Bands x key" in caplog.text


def test_a_negative_number_of_processes_is_refused(bench: Workbench) -> None:
    with pytest.raises(ConfigError, match="jobs is -1; give 1 or more, or 0 for one per core"):
        bench.config("mfcc", jobs=-1)


FRAMES = """
import logging
import os

from mirprobe_tasks.chord import Chord
import noted_beside


class Own(Chord):
    name = "own"

    def decode(self, *given):
        noted_beside.PIDS.joinpath(str(os.getpid())).touch()
        return super().decode(*given)


class Warns(Chord):
    name = "warns"

    def score(self, *given):
        logging.getLogger("mirprobe_tasks.own").warning("few chords")
        return super().score(*given)
"""


def test_the_tracks_of_one_cell_are_decoded_in_all_processes(
    bench: Workbench, tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(FRAMES)
    found, decoded_by = [], []
    for jobs in (1, 2):
        pids = tmp_path / f"pids-{jobs}"
        pids.mkdir()
        link = tmp_path / "pids"
        link.unlink(missing_ok=True)
        link.symlink_to(pids)
        (tmp_path / "noted_beside.py").write_text(f"import pathlib\nPIDS = pathlib.Path('{link}')")
        config = bench.config(
            "mfcc",
            tasks=[f"{tmp_path}/own.py:Own"],
            jobs=jobs,
            results_dir=tmp_path / str(jobs),
            cache_dir=tmp_path / f"cache-{jobs}",
        )
        found.append(files(runner.run(config, dataset=bench.dataset).folder.path))
        decoded_by.append({int(path.name) for path in pids.iterdir()})
    assert found[0] == found[1]
    assert decoded_by[0] == {os.getpid()}
    assert decoded_by[1]
    assert os.getpid() not in decoded_by[1]


def test_log_lines_of_processes_name_their_cell(
    bench: Workbench, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    get_reusable_executor().shutdown()  # a process writes where it wrote when it started
    (tmp_path / "own.py").write_text(FRAMES.replace("noted_beside", "os"))
    tasks = [f"{tmp_path}/own.py:Warns", "key"]
    assert not runner.run(bench.config("mfcc", tasks=tasks, jobs=2), dataset=bench.dataset).failures
    assert f"warning: mfcc x {tasks[0]}: few chords\n" in capfd.readouterr().err


def test_a_task_that_cannot_leave_its_process_is_computed_in_it(
    bench: Workbench, tmp_path: Path
) -> None:
    lock = "import threading\nLOCK = threading.Lock()\n"
    score = "        LOCK.locked()\n        return super()"
    (tmp_path / "own.py").write_text(
        lock + TASK.replace("aside_of_own", "near").replace("        return super()", score)
    )
    (tmp_path / "near.py").write_text("def count():\n    pass\n")
    config = bench.config("mfcc", tasks=["key", f"{tmp_path}/own.py:Own"], jobs=2)
    result = runner.run(config, dataset=bench.dataset)
    assert (result.computed, result.failures) == (2, {})


def test_a_task_that_kills_its_process_costs_its_own_cell(bench: Workbench, tmp_path: Path) -> None:
    """And a neighbour that has the name of an installed module is the one beside the file."""
    task = TASK.replace("aside_of_own", "chunk")
    (tmp_path / "own.py").write_text(task)
    (tmp_path / "chunk.py").write_text("def count():\n    pass\n")
    tasks = [f"{tmp_path}/own.py:Killed", "key", f"{tmp_path}/own.py:Own"]
    result = runner.run(bench.config("mfcc", tasks=tasks, jobs=2), dataset=bench.dataset)
    assert result.computed == 2
    (failure,) = result.failures.items()
    assert failure[0] == f"mfcc x {tasks[0]}"
    assert "its process was killed, perhaps for lack of memory" in failure[1]


class Meddling(Key):
    """Changes the global state of torch and the working directory."""

    name = "meddling"

    def score(self, *given: Any) -> Any:
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        os.chdir("/")
        return super().score(*given)


def test_a_task_changes_no_other_cell_of_its_process(
    bench: Workbench, tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = bench.run(Bands()).scores
    monkeypatch.chdir(tmp_path)
    relative = {"results_dir": Path("elsewhere"), "cache_dir": Path("other"), "jobs": 1}
    result = bench.run(Bands(), tasks=(Meddling(tones), "key"), **relative)
    assert (result.computed, set(result.failures)) == (1, {"Bands x meddling"})
    assert (tmp_path / result.folder.path / "scores.csv").exists()
    same = result.scores[result.scores["task"] == "key"]
    assert same["value"].tolist() == alone["value"].tolist()


class Elsewhere(Bands):
    """Its fingerprint leads out of the folder of the cells."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.fingerprint = f"{place}"


def test_a_fingerprint_names_no_folder(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    cells = SharedCells(Cache(bench.root / "cache").cells)
    for place in (tmp_path / "home", Path("../../home")):
        bench.run(Elsewhere(place))
        cells.discard(str(place))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter"]
    assert not list(cells.folder.rglob("*.gz"))


class Regrouped(Tones):
    """Two tracks of a group."""

    def _track(self, split: Split, number: int) -> Track:
        return replace(super()._track(split, number), group=f"{split} {number // 2}")


def test_other_groups_are_other_cells(bench: Workbench, tones: Tones) -> None:
    first = bench.run(Bands())
    bench.dataset = Regrouped(tones.root)
    second = bench.run(Bands())
    assert (second.computed, second.shared) == (1, 0)
    assert set(first.scores["groups"]) == {6}
    assert set(second.scores["groups"]) == {3}
