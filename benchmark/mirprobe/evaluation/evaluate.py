"""`mirprobe.evaluate`: the harness as a Python function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, MirprobeError
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.setup import make_dataset


def evaluate(
    encoders: Sequence[str | Encoder] | str,
    tasks: Sequence[str | Task] | str,
    dataset: str | Dataset | None = None,
    *,
    train_dataset: str | Dataset | None = None,
    test_dataset: str | Dataset | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Score encoders on tasks, exactly as `mirprobe run` does.

    Args:
        encoders: registered names with options, classes in files (`path/to/file.py:Class`, options
            after one more colon), or instances (known by the name of their class); or a single
            name.
        tasks: registered names, or instances; or a single name.
        dataset: a registered name with options, or an instance; None means `studio`.
        train_dataset: a name or an instance to train and validate on, instead of `dataset`.
        test_dataset: a name or an instance to test on; required with `train_dataset`.
        **options: the other fields of `mirprobe.evaluation.config.RunConfig`, such as `layers`,
            `probe`, `seeds`, `limit`, `cache_dir`, `results_dir`.

    Returns:
        One row a score, with the columns of `scores.csv`; its `attrs` hold the run's folder and
        the tracks that could not be used.

    Raises:
        MirprobeError: an error that the user can fix. When an encoder or a cell failed, it is
            raised after all others are done; their scores are in the run's folder.
    """
    encoders = [encoders] if isinstance(encoders, str) else encoders
    tasks = [tasks] if isinstance(tasks, str) else tasks
    own_encoders = {type(e).__name__: e for e in encoders if not isinstance(e, str)}
    own_tasks = {t.name: t for t in tasks if not isinstance(t, str)}
    names: dict[str, Any] = {
        "encoders": [e if isinstance(e, str) else type(e).__name__ for e in encoders],
        "tasks": [t if isinstance(t, str) else t.name for t in tasks],
    }
    sides = {"dataset": dataset, "train_dataset": train_dataset, "test_dataset": test_dataset}
    own_datasets: dict[str, Dataset] = {}
    for side, given in sides.items():
        if given is None or isinstance(given, str):
            names[side] = given
            continue
        names[side] = given.name
        if own_datasets.setdefault(given.name, given) is not given:
            raise ConfigError(f"two data sets are called '{given.name}'; rename one")
    config = make_config({**names, **options})
    data = make_dataset(config, own_datasets)
    result = run(config, encoders=own_encoders, tasks=own_tasks, dataset=data)
    if result.failures:
        raise MirprobeError("; ".join(result.failures.values()))
    result.scores.attrs = {"run": str(result.folder.path), "problems": result.problems}
    return result.scores
