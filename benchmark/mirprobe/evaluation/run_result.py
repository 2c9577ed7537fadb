"""The outcome of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from mirprobe.reporting.run_folder import RunFolder


@dataclass
class RunResult:
    """The outcome of a run.

    Attributes:
        folder: the run's folder.
        scores: the rows of `scores.csv`.
        problems: track -> why it could not be used; such tracks are left out.
        failures: cell or encoder -> why it has no scores.
        computed: number of cells that no run had finished before.
        shared: number of cells that another run had finished.
    """

    folder: RunFolder
    scores: pd.DataFrame = field(default_factory=pd.DataFrame)
    problems: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    computed: int = 0
    shared: int = 0

    @property
    def changed(self) -> bool:
        """Whether the folder has cells that it did not have before."""
        return bool(self.computed or self.shared)
