"""Work on several cores: a map over processes with a progress bar, and torch's thread count."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from os import _exit  # plug-ins run with another `os._exit`
from typing import Any, TypeVar

from tqdm import tqdm

from mirprobe.core.errors import ConfigError, KilledError

log = logging.getLogger(__name__)

T = TypeVar("T")

PARENT_CHECK = 1.0
"""Seconds between two looks of a worker process at its parent."""

Packed = tuple[list[str], bytes]
"""The search path of a process, and a function of it in a form for another one."""


def pack(function: Callable[..., Any]) -> Packed:
    """A function of this process, such as the method of a plug-in in a file, for another one.

    Raises:
        Exception: whatever a class raises that cannot be pickled, as one that holds a lock.
    """
    import cloudpickle

    return sys.path, cloudpickle.dumps(function)


def call_packed(path: Sequence[str], function: bytes, *arguments: Any) -> Any:
    """Call a function that another process packed."""
    import cloudpickle

    sys.path[:] = path  # in its order: a module beside a file precedes an installed one
    return cloudpickle.loads(function)(*arguments)


def _watch(parent: int) -> None:
    """End this worker process when its parent has died, before it imports anything for its calls.

    A killed parent cannot end its workers. They would finish their calls and then wait for more,
    with all their memory.
    """
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK)
    _exit(1)


def parallel_map(
    function: Any,
    calls: Sequence[tuple[Any, ...]],
    jobs: int,
    title: str,
    *,
    unit: str = "track",
    ordered: bool = True,
    progress: bool = True,
    running: Callable[[], str] | None = None,
) -> Iterator[Any]:
    """Call a function many times in several processes, with a progress bar.

    Args:
        function: one that other processes can import; any function if `jobs` is 1.
        calls: its arguments, one tuple per call.
        jobs: number of processes; 0 for one per core. With 1, calls are made in this process.
        title: of the progress bar and of errors.
        unit: of the progress bar.
        ordered: whether results are yielded in the order of the calls.
        progress: whether to show a progress bar.
        running: says after the bar what is being computed, when the last result has been used.

    Yields:
        What each call returns.

    Raises:
        ConfigError: `jobs` is negative.
        KilledError: a process died.
    """
    import joblib  # its worker processes need no guard in the caller's main module
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if jobs < 0:
        raise ConfigError(f"{jobs} jobs: give 1 or more, or 0 for one a core")
    workers = max(1, min(jobs or joblib.cpu_count(), len(calls)))
    order = "generator" if ordered else "generator_unordered"
    # without memory maps, so that arguments may be changed as in this process
    watched = {"initializer": _watch, "initargs": (os.getpid(),)}
    results = joblib.Parallel(n_jobs=workers, return_as=order, max_nbytes=None, **watched)(
        joblib.delayed(function)(*call) for call in calls
    )
    if progress:
        results = tqdm(results, title, len(calls), unit=unit, leave=False, disable=None)
    shown = (lambda: results.set_postfix_str(running())) if progress and running else None
    try:
        if shown:
            shown()
        for result in results:
            yield result
            if shown:
                shown()
    except TerminatedWorkerError as error:
        raise KilledError(
            f"{title}: a process was killed, perhaps for lack of memory; the same command "
            "continues, better with fewer --jobs"
        ) from error


def map_packed(
    function: Callable[..., T], calls: Iterator[tuple[Any, ...]], jobs: int, title: str
) -> list[T]:
    """Call a function many times, in several processes if it can be packed.

    Args:
        function: of plug-ins too.
        calls: its arguments; only a few are asked for at a time.
        jobs: number of processes, 1 or more.
        title: of messages.

    Raises:
        KilledError: a process died.
    """
    try:
        packed = pack(function) if jobs > 1 else None
    except Exception as error:  # whatever a class of the plug-in raises
        log.info("%s: in one process, since it cannot be pickled (%s)", title, error)
        packed = None
    if packed is None:
        return [function(*call) for call in calls]
    found: list[T] = []
    while group := [(*packed, *call) for call in islice(calls, 8 * jobs)]:
        found += parallel_map(call_packed, group, jobs, title, progress=False)
    return found


def in_process(title: str, function: Any, *arguments: Any) -> Any:
    """Call a function in one other process, which ends with an interruption.

    Args:
        title: of errors.
        function: one that other processes can import.
        arguments: of the call.

    Raises:
        KilledError: the process died.
    """
    from joblib.externals.loky import ProcessPoolExecutor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # not the executor that joblib keeps
    executor = ProcessPoolExecutor(max_workers=1, initializer=_watch, initargs=(os.getpid(),))
    try:
        return executor.submit(function, *arguments).result()
    except TerminatedWorkerError as error:
        raise KilledError(
            f"{title}: its process was killed, perhaps for lack of memory; make memory free, or "
            "check the task with --jobs 1"
        ) from error
    finally:
        executor.shutdown(wait=False, kill_workers=True)


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Run with `count` torch threads; None leaves the number as it is.

    Small tensors are faster on one thread, and so is work that runs in several processes.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
