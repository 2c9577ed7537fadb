"""Whether readings of the same embeddings, such as two probes, give the encoders the same order."""

from __future__ import annotations

import logging
from itertools import combinations

import pandas as pd

from mirprobe.core.errors import MirprobeError
from mirprobe.reporting.agreement import agreement
from mirprobe.reporting.run_collection import RunCollection
from mirprobe.reporting.stored_run import StoredRun

log = logging.getLogger(__name__)

COLUMNS = ["task", "reading", "other", "encoders", "tau", "low", "high", "reversed"]
_DATA = ["task", "dataset", "splits", "data"]


def probe_agreement(collection: RunCollection) -> pd.DataFrame:
    """The agreement of each two runs with other probes or poolings on the same data.

    Returns:
        A row for each pair of runs and common task: the two readings, Kendall's tau and its
        interval as `agreement` has them, and the pairs of encoders that change their order.
    """
    rows: list[tuple[object, ...]] = []
    for one, other in combinations(collection.runs, 2):
        probes = [_probes(run) for run in (one, other)]
        common = [key for key, probe in probes[0].items() if probes[1].get(key, probe) != probe]
        if not common:
            continue
        try:
            table = agreement(one, other)
        except MirprobeError as error:  # runs of earlier versions lack references
            log.warning("%s", error)
            continue
        found = {task: values for task, *values in table.to_numpy().tolist()}
        for key in common:
            if key[0] in found:
                names = [probe[key] for probe in probes]
                reverse = _reversed(collection, key, names)
                rows.append((key[0], *names, *found[key[0]], reverse))
    return pd.DataFrame(rows, columns=COLUMNS)


def _probes(run: StoredRun) -> dict[tuple[str, ...], str]:
    """Task and data -> probe and poolings."""
    own = run.scores[run.scores["kind"] == "probe"].drop_duplicates(_DATA)
    return dict(zip(own[_DATA].itertuples(index=False, name=None), own["probe"], strict=True))


def _reversed(collection: RunCollection, key: tuple[str, ...], probes: list[str]) -> str:
    mains = collection.mains
    same = (mains[_DATA] == list(key)).all(axis=1)
    one, other = (
        mains[same & (mains["probe"] == probe)].set_index("encoder")["value"] for probe in probes
    )
    names = [name for name in one.sort_values(ascending=False).index if name in other.index]
    return ", ".join(
        f"{first} > {second}"
        for first, second in combinations(names, 2)
        if one[first] > one[second] and other[first] < other[second]
    )
