"""Encoders that declare and return anything: one line each, and the other encoder's scores stay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import odd_encoders
from helpers.laws import examples, read_or_refused
from helpers.odd_encoders import CHANGES, ERRORS, HABITS, ODD
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from hypothesis import given
from hypothesis import strategies as st

from mirprobe.encoders.specs import make_encoder
from mirprobe.encoders.validation import checks, frame_alignment
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

pytestmark = pytest.mark.filterwarnings("ignore")  # torch warns of odd casts

COLUMNS = ["task", "kind", "layer", "source", "metric", "value", "low", "high", "validation"]
FAULTS = st.fixed_dictionaries(
    {
        "declared": st.lists(st.sampled_from([*ODD]), max_size=2, unique=True).flatmap(
            lambda names: st.fixed_dictionaries(
                {name: st.sampled_from([*ODD[name], "missing"]) for name in names}
            )
        ),
        "change": st.sampled_from([*CHANGES]),
        "habit": st.sampled_from([*HABITS]),
        "when": st.integers(0, 4),
        "error": st.one_of(st.none(), st.integers(0, len(ERRORS) - 1)),
    }
)


@pytest.fixture(autouse=True, scope="module")
def _state() -> Iterator[None]:
    """What an encoder may change in the whole process, back as it was."""
    errors, depth, dtype = np.geterr(), sys.getrecursionlimit(), torch.get_default_dtype()
    yield
    np.seterr(**errors)
    sys.setrecursionlimit(depth)
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(True)


@pytest.fixture(autouse=True, scope="module")
def _short() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probes.PRESETS, "standard", QUICK)
        for module in (checks, frame_alignment):
            patch.setattr(module, "SECONDS", 20.0)
        yield


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> str:
    return odd_encoders.write_file(tmp_path_factory.mktemp("file"))


@examples(50)
@given(faults=FAULTS)
def test_a_check_of_any_encoder_ends_in_lines(faults: dict[str, Any], spec: str) -> None:
    odd_encoders.CURRENT.update(faults)
    found = read_or_refused(lambda: list(checks.validate(lambda: make_encoder(spec))))
    assert found
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Tones:
    dataset = Tones(tmp_path_factory.mktemp("tones"), 2.0)
    for tracks in dataset.splits().values():
        list(dataset.prepare(tracks))
    return dataset


@pytest.fixture(scope="module")
def alone(small: Tones, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    return Workbench(tmp_path_factory.mktemp("alone"), small).run(Bands()).scores[COLUMNS]


@examples(15)
@given(faults=FAULTS)
def test_the_other_encoder_keeps_its_scores(
    faults: dict[str, Any],
    spec: str,
    small: Tones,
    alone: pd.DataFrame,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    odd_encoders.CURRENT.update(faults)
    config = Workbench(tmp_path_factory.mktemp("run"), small).config(spec, "Bands", tasks=["key"])
    result = read_or_refused(
        lambda: run(config, encoders={"Bands": Bands()}, dataset=small),
        spec,
        "a setting",
        "a track",
        "an encoder",
        "a track",
        "an encoder",
    )
    if isinstance(result, str):  # refused before any work
        return
    for name, reason in result.failures.items():
        assert name.startswith(spec)
        assert "\n" not in reason
    scores = result.scores[result.scores["encoder"] == "Bands"][COLUMNS].reset_index(drop=True)
    pd.testing.assert_frame_equal(scores, alone)
    assert bool(result.failures) or spec in set(result.scores["encoder"])
