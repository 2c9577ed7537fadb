"""A finished run, done again, and whether its scores are the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from mirprobe.api.from_file import source_files
from mirprobe.api.specs import split_name
from mirprobe.core.errors import ConfigError, ListedError
from mirprobe.core.hashing import file_digest
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.runner import run
from mirprobe.reporting.stored_run import StoredRun

KEYS = [
    "encoder", "task", "kind", "layer", "source", "decoding", "seed", "draw", "resample", "metric"
]  # fmt: skip
"""What names one score of a run."""


@dataclass(frozen=True)
class Rerun:
    """Scores of a run beside those of the same run, done again.

    Attributes:
        scores: the columns `KEYS`, `before` and `after`, NaN where a score is undefined, and
            `found`: `both`, or `left_only` and `right_only` where one run lacks the score.
    """

    scores: pd.DataFrame

    @property
    def different(self) -> pd.DataFrame:
        """The scores that are not exactly the same, the largest difference first."""
        table = self.scores
        same = (table["before"] == table["after"]) | (
            table["before"].isna() & table["after"].isna()
        )
        odd = table[~(same & (table["found"] == "both"))]
        size = (odd["after"] - odd["before"]).abs().fillna(np.inf)
        return odd.loc[size.sort_values(ascending=False, kind="stable").index]

    @property
    def equal(self) -> bool:
        """Whether all scores are exactly the same."""
        return self.different.empty


def rerun(finished: StoredRun, **options: Any) -> Rerun:
    """Do a run again: its probes are trained anew; cached embeddings are used if there are any.

    Plug-ins in files that were edited or are missing are read from the run folder.

    Args:
        finished: the run.
        **options: fields of `RunConfig` that replace those of the run, such as `cache_dir`.

    Raises:
        ConfigError: the run has no configuration, or one that this version does not know.
        MirprobeError: as for `runner.run`.
    """
    if not finished.config:
        raise ConfigError(f"{finished.path}: run.json is missing, which says how to run it again")
    if not isinstance(finished.root, Path):
        raise ConfigError(f"{finished.path}: is a zip file; unpack it to run it again")
    copies = {
        path: str((finished.root / copy).resolve())
        for path, copy in finished.description.get("files", {}).items()
        if _sources(path) != _sources(finished.root / copy)
    }
    config = make_config({**finished.config, **options}, origin=f"{finished.path}/run.json: ")
    names: dict[str, str] = {}
    values = {
        name: _with_copies(getattr(config, name), copies, names)
        for name in ("encoders", "tasks", "dataset", "train_dataset", "test_dataset")
    }
    with TemporaryDirectory(prefix="mirprobe-") as folder:
        stored = {name: getattr(config, name) for name in config.__dataclass_fields__}
        here = {"results_dir": Path(folder)} if "results_dir" not in options else {}
        again = run(make_config({**stored, **values, **here}), shared=False)
        if again.failures:
            raise ListedError(f"{finished.path}: cannot be done again", [*again.failures.values()])
        after = again.scores
    for column in ("encoder", "task"):
        after[column] = after[column].replace(names)
    return Rerun(
        finished.scores[[*KEYS, "value"]]
        .rename(columns={"value": "before"})
        .merge(
            after[[*KEYS, "value"]].rename(columns={"value": "after"}),
            how="outer",
            on=KEYS,
            indicator="found",
        )
    )


def _sources(path: str | Path) -> list[tuple[str, str]] | None:
    """Name and hash of a file and of the modules beside it; None if it is missing."""
    if not Path(path).expanduser().is_file():
        return None
    return [(file.name, file_digest(file)) for file in source_files(f"{path}:")]


def _with_copies(value: Any, copies: Mapping[str, str], names: dict[str, str]) -> Any:
    """A field of a configuration in which the paths of files are those of their copies.

    Args:
        value: one or more specifications, or None.
        copies: path -> path of the copy.
        names: gets the name of each changed specification in tables -> the one of the run.
    """
    if isinstance(value, tuple):
        return tuple(_with_copies(one, copies, names) for one in value)
    if value is None:
        return None
    name, spec = split_name(value)
    changed = spec
    for path, copy in copies.items():
        changed = changed.replace(f"{path}:", f"{copy}:")
    names[changed] = spec
    return changed if name is None else f"{name}={changed}"
