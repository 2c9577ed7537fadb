"""`mirprobe.evaluate`: the harness as a Python function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, MirprobeError
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.open_run import Run, open_run
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.setup import make_dataset


class ScoreTable(pd.DataFrame):
    """The rows of `scores.csv`. `attrs` hold the run's folder and tracks that could not be used."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return ScoreTable

    @property
    def run(self) -> Run:
        """The run, with its predictions, references and configuration."""
        return open_run(self.attrs["run"])


def load_dataset(spec: str, **folders: Any) -> Dataset:
    """A data set, as a run uses it.

    Args:
        spec: a registered name with options, or `path/to/file.py:Class`; `A+B` joins two.
        **folders: `cache_dir` and `data_home`, as in `mirprobe.evaluation.config.RunConfig`.

    Raises:
        ConfigError: a name or an option is unknown.
    """
    return make_dataset(make_config({"dataset": spec, **folders}))


def evaluate(
    encoders: Sequence[str | Encoder] | str,
    tasks: Sequence[str | Task] | str,
    dataset: str | Dataset | None = None,
    *,
    train_dataset: str | Dataset | None = None,
    test_dataset: str | Dataset | None = None,
    **options: Any,
) -> ScoreTable:
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
        One row a score, with the columns of `scores.csv`; its `run` is what `mirprobe.open_run`
        returns for the run's folder. Its `attrs` hold this folder and the tracks that could not be
        used.

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
    table = ScoreTable(result.scores)
    table.attrs = {"run": str(result.folder.path), "problems": result.problems}
    return table
