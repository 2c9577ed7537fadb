"""Work for all cores on the way into a bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tqdm import tqdm

from mirprobe.core.errors import ConfigError, StorageError


def parallel_map(
    function: Any, calls: Sequence[tuple[Any, ...]], jobs: int, what: str
) -> Iterator[Any]:
    """Call a function many times, in processes where there is more than one, with a bar.

    Args:
        function: that other processes can import.
        calls: its arguments.
        jobs: processes; 0 for one a core.
        what: is done, for the bar and for errors.

    Yields:
        What each call returns, in their order.

    Raises:
        ConfigError: `jobs` is negative.
        StorageError: a process died.
    """
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    if jobs < 0:
        raise ConfigError(f"{jobs} jobs: give 1 or more, or 0 for one a core")
    workers = max(1, min(jobs or joblib.cpu_count(), len(calls)))
    pool = joblib.Parallel(n_jobs=workers, return_as="generator")
    results = pool(joblib.delayed(function)(*call) for call in calls)
    try:
        yield from tqdm(results, what, total=len(calls), unit="track", leave=False, disable=None)
    except TerminatedWorkerError as error:
        raise StorageError(
            f"{what}: a process was killed, perhaps for want of memory; the same command with "
            "fewer --jobs goes on from there"
        ) from error
