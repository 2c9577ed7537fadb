"""A finished run, read from its folder or from a zip file of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirprobe.api.registry import TASKS
from mirprobe.api.specs import nearest, require_scores
from mirprobe.api.task import Task
from mirprobe.core.bootstrap import Statistic
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import Annotations, Track
from mirprobe.probing.results import Cell, Prediction
from mirprobe.reporting.cell_file import cell_file, read_cell
from mirprobe.reporting.paired_differences import common_tracks, estimates
from mirprobe.reporting.reference_annotations import StoredDataset, read_references
from mirprobe.reporting.run_tables import (
    AnyPath,
    read_description,
    read_differences,
    read_scores,
    root_of,
    verify,
)


class StoredRun:
    """A finished run. Each file is read when it is used, and once.

    Attributes:
        path: of its folder, or of a zip file that holds it.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        """Open a run.

        Raises:
            StorageError: there is no run at `path`.
        """
        self.path = Path(path)
        if not self.path.exists():
            raise StorageError(
                f"{self.path}: no such run; name the folder of a run or a zip file of it"
            )
        self.root: AnyPath = root_of(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One row a score, with the columns of `scores.csv` and the `speed` of the encoder."""
        return read_scores(self.root)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """One row a difference between two encoders, with the columns of `differences.csv`."""
        return read_differences(self.root)

    @cached_property
    def description(self) -> Mapping[str, Any]:
        """The content of `run.json`; empty if the file is missing."""
        return read_description(self.root)

    @property
    def config(self) -> Mapping[str, Any]:
        """The options of the run: a field of `RunConfig` -> its value."""
        found: Mapping[str, Any] = self.description.get("config", {})
        return found

    @property
    def encoders(self) -> list[str]:
        """Names of the encoders, in the order of the run."""
        return [str(name) for name in self.scores["encoder"].unique()]

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks, in the order of the run."""
        return [str(name) for name in self.scores["task"].unique()]

    @cached_property
    def dataset(self) -> StoredDataset:
        """The test tracks of the data set, without audio.

        Raises:
            StorageError: the run is of a version that did not store them.
        """
        return read_references(self.root)

    def cell(self, encoder: str, task: str) -> Cell:
        """All results of one encoder in one task.

        Raises:
            ConfigError: the run has no such encoder or task.
            StorageError: the file of the cell is missing, damaged or was changed after the run.
        """
        require_scores("encoder", encoder, self.encoders, f"{self.path}: ")
        require_scores("task", task, self.tasks, f"{self.path}: ")
        if (encoder, task) not in self._cells:
            name = cell_file(encoder, task)
            path = self.root / name
            if not (self.root / "predictions").is_dir():
                raise StorageError(
                    f"{self.path}: the run has scores, but no predictions; run it again for them"
                )
            verify(self.root, name)
            try:
                self._cells[encoder, task] = read_cell(path)
            except FileNotFoundError as error:
                raise StorageError(
                    f"{path}: no such file: the run is incomplete; run the same command again"
                ) from error
        return self._cells[encoder, task]

    @cached_property
    def _cells(self) -> dict[tuple[str, str], Cell]:
        return {}

    def fits(self, encoder: str, task: str) -> list[Prediction]:
        """The predictions of the layer, pooling and decoding that validation chose.

        There is one for each resample, draw and seed. Raises as `cell`.
        """
        return self.cell(encoder, task).chosen()

    def predictions(self, encoder: str, task: str) -> dict[str, Annotations]:
        """Test track -> what the first of `fits` predicts. Raises as `cell`."""
        fits = self.fits(encoder, task)
        return dict(fits[0].tracks) if fits else {}

    def references(self, task: str) -> dict[str, Annotations]:
        """Test track -> its reference, of the tracks for which an encoder has a prediction.

        Raises:
            ConfigError: the run has no such task.
            StorageError: a file is missing or damaged.
        """
        predicted = {
            track
            for encoder in self._encoders_of(task)
            for one in self.fits(encoder, task)
            for track in one.tracks
        }
        tracks = self.dataset.tracks
        return {track: tracks[track].annotations for track in tracks if track in predicted}

    def task(self, task: str | Task) -> Task:
        """The task, built as in the run.

        Args:
            task: its name in the run; or the task itself, if it is not registered.

        Raises:
            ConfigError: it is unknown.
        """
        return TASKS.create(task, self.dataset) if isinstance(task, str) else task

    def statistics(self, encoder: str, task: str | Task) -> list[dict[str, Statistic]]:
        """Every metric of each of `fits`, as a function of how often each track counts.

        The tracks are those of `scored_tracks`. Raises as `cell` and `task`.
        """
        built = self.task(task)
        name = task if isinstance(task, str) else task.name
        tracks = self.scored_tracks(encoder, name)
        truth = [track.annotations for track in tracks]
        return [
            built.score(truth, [one.tracks[track.id] for track in tracks])
            for one in self.fits(encoder, name)
        ]

    def scored_tracks(self, encoder: str, task: str) -> list[Track]:
        """The test tracks for which all `fits` have a prediction."""
        return [self.dataset.tracks[i] for i in common_tracks([self.cell(encoder, task)])]

    def per_track(self, metric: str, task: str | Task | None = None) -> pd.DataFrame:
        """A metric of each test track alone.

        Args:
            metric: its name.
            task: whose metric; None for every task of the run that has it.

        Returns:
            The columns task, encoder, track, group and value: the mean over `fits`. It is NaN where
            the metric is undefined for one track, such as ROC-AUC.

        Raises:
            ConfigError: no task has the metric.
        """
        rows = []
        for one in self.tasks if task is None else [task]:
            name = one if isinstance(one, str) else one.name
            for encoder in self._encoders_of(name):
                fits = [fit[metric] for fit in self.statistics(encoder, one) if metric in fit]
                tracks = self.scored_tracks(encoder, name) if fits else []
                alone = np.eye(len(tracks))
                values = np.mean([fit.resample(alone) for fit in fits], axis=0) if fits else []
                rows += [
                    (name, encoder, track.id, track.group, value)
                    for track, value in zip(tracks, values, strict=True)
                ]
        if not rows:
            known = self.scores["metric"].unique()
            raise ConfigError(f"{self.path}: no metric '{metric}'; {nearest(metric, known)}")
        return pd.DataFrame(rows, columns=["task", "encoder", "track", "group", "value"])

    def rescore(self, task: str | Task) -> pd.DataFrame:
        """Every metric of a task, computed again from the stored predictions and references.

        Args:
            task: its name in the run; or a task whose predictions have the same name, such as one
                with other metrics.

        Returns:
            The columns encoder, metric, value, low, high, n, groups and interval, which have the
            meaning of those of `scores.csv`; over all `fits`.

        Raises:
            ConfigError: the run has no such task.
            StorageError: a file is missing or damaged.
        """
        name = task if isinstance(task, str) else task.name
        encoders, built = self._encoders_of(name), self.task(task)
        rows = []
        for encoder in encoders:
            cell = self.cell(encoder, name)
            found = estimates(cell, built, self.dataset.tracks, common_tracks([cell]))
            for metric, (estimate, n) in found.items():
                own = estimate.interval
                ends = own.low, own.high
                rows.append((encoder, metric, estimate.value, *ends, n, estimate.groups, own.text))
        columns = ["encoder", "metric", "value", "low", "high", "n", "groups", "interval"]
        return pd.DataFrame(rows, columns=columns)

    def _encoders_of(self, task: str) -> list[str]:
        require_scores("task", task, self.tasks, f"{self.path}: ")
        rows = self.scores[self.scores["task"] == task]
        return [str(name) for name in rows["encoder"].unique()]
