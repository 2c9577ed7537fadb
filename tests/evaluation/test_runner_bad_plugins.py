"""Tasks and encoders that fail cost their own cells only."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.small_encoders import Bands, Summary
from helpers.stub_task import StubTask
from helpers.tones import Tones
from helpers.workbench import Workbench
from numpy.typing import NDArray

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Floats
from mirprobe.evaluation.runner import run
from mirprobe.reporting.paired_differences import differences
from mirprobe.reporting.run_tables import read_differences


class Own(StubTask):
    """Finds the mode of the key, which is always `a`."""

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        return np.array(0)


class Edited(Own):
    """The same after its author's second thoughts."""

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        return np.array(1)


class Raising(Own):
    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        raise RuntimeError("not\ntoday")


class Frozen(Own):
    metrics: Mapping[str, str] = MappingProxyType({"accuracy": "share of tracks"})


class Panicking(Own):
    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[Any]:
        raise BaseException("panic")  # as pyo3's PanicException


class Leaving(Own):
    def score(self, *args: Any) -> Any:
        sys.exit(0)


class BadConditions(Own):
    def conditions(self, references: Sequence[Annotations]) -> str:
        raise KeyError("mood")


class Vanishing(Own):
    """One of its attributes can be read at the start alone."""

    reads = 0

    @property
    def main_metric(self) -> Any:  # type: ignore[override]
        Vanishing.reads += 1
        if Vanishing.reads > 1:
            raise RuntimeError("no level")
        return "accuracy"


class Unstorable(Own):
    def decode(self, *args: Any) -> Annotations:
        return Annotations(extra={"odd": 1j}, key="a")


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Raising(), "task 'stub' raised RuntimeError: not"),
        (Panicking(), "task 'stub' raised BaseException: panic (encoder 'Bands')"),
        (Frozen(), "task 'stub': the attribute 'metrics' cannot be hashed (cannot pickle"),
        (Leaving(), "task 'stub' raised SystemExit: 0 (encoder 'Bands')"),
        (BadConditions(), "task 'stub' raised KeyError: 'mood' (encoder 'Bands')"),
        (Vanishing(), "task 'stub' raised RuntimeError: no level"),
        (
            Unstorable(),
            "task 'stub': `decode` returns annotations whose 'odd' (complex) has a wrong form; "
            "give a number, a string, an array, Segments,",
        ),
    ],
)
def test_a_task_that_fails_costs_its_cells_alone(
    task: StubTask, reason: str, tones: Tones, tmp_path: Path
) -> None:
    result = Workbench(tmp_path, tones).run(Bands(), tasks=[task, "key"])
    assert list(result.failures) == ["Bands x stub"]
    assert result.failures["Bands x stub"].startswith(reason)
    assert set(result.scores["task"]) == {"key"}


class Odd(Bands):
    """An attribute of its own raises from a reading on."""

    def __init__(self, attribute: str, error: BaseException, after: int) -> None:
        super().__init__()
        self.plain, self.attribute, self.error, self.left = True, attribute, error, after

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__
        if name in ("sources", "layers", "fingerprint", "dim") and name == found("attribute"):
            self.left = found("left") - 1
            if self.left < 0:
                raise found("error")
        return found(name)


@pytest.mark.parametrize("attribute", ["sources", "layers", "fingerprint", "dim"])
@pytest.mark.parametrize("error", [RuntimeError("gone"), BaseException("panic")])
def test_an_encoder_that_fails_outside_of_its_call_costs_no_other(
    attribute: str, error: BaseException, tones: Tones, tmp_path: Path
) -> None:
    alone = Workbench(tmp_path / "alone", tones).run(Bands()).scores
    said = f"encoder 'Odd' raised {type(error).__name__}: {error}"
    for after in range(8):
        bench = Workbench(tmp_path / str(after), tones)
        refused = None
        try:
            result = bench.run(Odd(attribute, error, after), Bands())
        except ConfigError as caught:
            refused = caught
        if refused is not None:  # before any work
            assert str(refused).startswith(said)
            assert not list((tmp_path / str(after)).rglob("scores.csv"))
            continue
        rows = result.scores[result.scores["encoder"] == "Bands"]
        assert rows["value"].tolist() == alone["value"].tolist()
        assert set(result.failures) <= {"Odd", "Odd x key", "run.json"}
        assert result.failures or "Odd" in set(result.scores["encoder"])


def test_differences_that_cannot_be_computed_are_a_failure(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(cells: Any, tasks: Mapping[str, Any], truth: Any) -> pd.DataFrame:
        if "stub" in tasks:
            sys.exit(0)
        return differences(cells, tasks, truth)

    monkeypatch.setattr("mirprobe.evaluation.runner.differences", fail)
    result = Workbench(tmp_path, tones).run(Bands(), Summary(), tasks=[Own(), "key"])
    reason = "task 'stub' raised SystemExit: 0; check it with `mirprobe validate-task`"
    assert result.failures == {"differences of stub": reason}
    assert set(read_differences(result.folder.path)["task"]) == {"key"}
    assert (result.folder.path / "run.json").exists()


def test_a_task_whose_code_has_changed_is_computed_again(tones: Tones, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, tones)
    assert bench.run(Bands(), tasks=[Own()]).computed == 1
    assert bench.run(Bands(), tasks=[Own()]).computed == 0
    assert bench.run(Bands(), tasks=[Edited()]).computed == 1


def test_plugins_that_lack_an_attribute_are_refused(tones: Tones, tmp_path: Path) -> None:
    class Sourceless:
        sample_rate, window, frame_rate, layers, dim = 16_000, None, 20.0, ("one",), 3
        fingerprint = "f"

    config = Workbench(tmp_path, tones).config("Sourceless")
    encoder: Any = Sourceless()
    with pytest.raises(
        ConfigError, match=r"encoder 'Sourceless' lacks sources; declare it as mirp"
    ):
        run(config, encoders={"Sourceless": encoder}, dataset=tones)
    with pytest.raises(ConfigError, match=r"task 'key' lacks name, level, .*; see mirprobe\.Task"):
        run(config, encoders={"Sourceless": Bands()}, tasks={"key": encoder}, dataset=tones)


def test_an_unknown_layer_is_refused_before_any_work(tones: Tones, tmp_path: Path) -> None:
    encoder = Bands()
    with pytest.raises(ConfigError, match="encoder 'Bands': unknown layer 'band'; did you mean"):
        Workbench(tmp_path, tones).run(encoder, layers=["band"])
    assert encoder.calls == 0
