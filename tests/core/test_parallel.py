from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from operator import neg, pow
from pathlib import Path

import pytest
import torch

from mirprobe.core.errors import ConfigError, KilledError
from mirprobe.core.parallel import in_process, map_packed, parallel_map, torch_threads


@pytest.mark.parametrize("fails", [False, True])
def test_threads_restores_the_count(fails: bool) -> None:
    before = torch.get_num_threads()
    try:
        with torch_threads(before + 1):
            assert torch.get_num_threads() == before + 1
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert torch.get_num_threads() == before
    with torch_threads(None):
        assert torch.get_num_threads() == before


@pytest.mark.parametrize("jobs", [0, 1, 2])
def test_results_come_in_the_order_of_the_calls(jobs: int) -> None:
    calls = [(2, power) for power in range(9)]
    assert list(parallel_map(pow, calls, jobs, "powers")) == [2**power for power in range(9)]
    found = parallel_map(neg, [(1,), (2,)], jobs, "negatives", ordered=False, progress=False)
    assert sorted(found) == [-2, -1]
    assert list(parallel_map(neg, [], jobs, "nothing")) == []


def test_what_runs_is_asked_for_after_each_result() -> None:
    seen: list[int] = []
    asked: list[list[int]] = []

    def running() -> str:
        asked.append(list(seen))
        return ""

    for value in parallel_map(neg, [(1,), (2,)], 1, "negatives", running=running):
        seen.append(value)
    assert asked == [[], [-1], [-1, -2]]


def test_packed_functions_in_processes_and_out_of_them() -> None:
    lock, calls, numbers = threading.Lock(), [(n,) for n in range(40)], list(range(40))
    for jobs in (1, 2):
        assert map_packed(lambda n: n, iter(calls), jobs, "numbers") == numbers
        locks = map_packed(lambda n: n + lock.locked(), iter(calls), jobs, "locks")
        assert locks == numbers


def test_one_job_takes_any_function() -> None:
    assert list(parallel_map(lambda x: x + 1, [(1,), (2,)], 1, "sums")) == [2, 3]


def test_a_negative_number_of_jobs() -> None:
    with pytest.raises(ConfigError, match="-1 jobs: give 1 or more"):
        next(parallel_map(neg, [(1,)], -1, "negatives"))


def test_a_process_of_its_own_leaves_the_pool_usable() -> None:
    assert in_process("root", math.sqrt, 4.0) == 2
    assert list(parallel_map(math.sqrt, [(4.0,), (9.0,)], 2, "roots")) == [2, 3]
    with pytest.raises(KilledError, match=r"^end: its process was killed"):
        in_process("end", os._exit, 3)
    assert list(parallel_map(math.sqrt, [(4.0,), (9.0,)], 2, "roots")) == [2, 3]


PARENT = """
from mirprobe.core.parallel import in_process, parallel_map

NAP = "import os, time; open(f'{{os.getpid()}}.pid', 'x').close(); time.sleep(600)"

class Heavy:  # it is unpickled before the call, as what imports torch
    def __reduce__(self):
        return exec, (NAP,)

{call}
"""


@pytest.mark.parametrize(
    ("call", "workers"),
    [
        ("list(parallel_map(exec, [(NAP,)] * 2, 2, 'naps'))", 2),
        ("list(parallel_map(str, [(Heavy(),)] * 2, 2, 'naps'))", 2),
        ("in_process('nap', exec, NAP)", 1),
    ],
)
def test_workers_end_with_a_killed_parent(call: str, workers: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT.format(call=call)]
    with subprocess.Popen(command, cwd=tmp_path) as parent:
        _wait(lambda: len(list(tmp_path.glob("*.pid"))) == workers)
        parent.kill()
    _wait(lambda: not any(_runs(int(file.stem)) for file in tmp_path.glob("*.pid")))


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
