"""Encoders of known symmetry on disturbed test audio."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
import pytest
from helpers.small_encoders import Bands
from helpers.task_checks import declared
from helpers.tones import Tones
from helpers.workbench import Workbench

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Embedding, Score, Track
from mirprobe.evaluation.perturbed_annotations import moved_tracks
from mirprobe.metrics.key import KEYS
from mirprobe.probing.cell import run_cell
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import probe_config
from mirprobe.reporting.perturbed import perturbed_scores, perturbed_tables
from mirprobe_tasks.key import Key

Encode = Callable[[str, int], int]
"""Undisturbed key and semitones by which the audio is transposed, to what the embedding says."""


def equivariant(key: str, semitones: int) -> int:
    return (KEYS.index(key) + semitones) % 12


def invariant(key: str, semitones: int) -> int:
    """Knows the key of the undisturbed audio: it leaks the answer, or ignores pitch."""
    return KEYS.index(key)


def scores(encode: Encode, semitones: int, *, retrained: bool = False) -> pd.DataFrame:
    """Rows of a cell on 12 major keys in each split, in which the embedding tells the key."""
    tracks = {
        split: [
            Track(f"{split}{i}", Path("none"), f"{split}{i}", Annotations(key=KEYS[i]))
            for i in range(12)
        ]
        for split in SPLITS
    }
    undisturbed = {
        track.id: cast(str, track.annotations.key) for own in tracks.values() for track in own
    }

    def embedding(key: str, by: int) -> Embedding:
        vector = np.eye(12, dtype=np.float32)[encode(key, by)]
        return Embedding(vector.reshape(1, 1, 1, -1), None, 1.0)

    disturbed = {
        split: moved_tracks(own, ("transpose", float(semitones)), ["key"])
        for split, own in tracks.items()
    }
    row = {
        **dict.fromkeys(("encoder", "dataset", "fingerprint", "splits", "cell"), "x"),
        **{"task": "key", "probe": "linear", "preset": "standard"},
    }
    run = ProbeRun(("1",), ("class",), None, probe_config("standard", "linear"), (0,), row)
    cell = run_cell(
        cast(Task, Key(declared())),
        {
            name: [(track, embedding(cast(str, track.annotations.key), 0)) for track in own]
            for name, own in tracks.items()
        },
        run,
        perturbed={
            "transpose": {
                split: [(track, embedding(undisturbed[track.id], semitones)) for track in own]
                for split, own in disturbed.items()
                if retrained or split == "test"
            }
        },
    )
    return pd.DataFrame([vars(score) for score in cell.scores], columns=list(Score.__annotations__))


def test_an_equivariant_encoder_keeps_its_score() -> None:
    [row] = perturbed_scores(scores(equivariant, 3)).to_dict("records")
    assert (row["value"], row["change"]) == (1.0, 0.0)
    assert row["kept"] == 1.0
    assert row["low"] <= 0 <= row["high"]


def test_an_encoder_that_leaks_the_undisturbed_answer_loses_it() -> None:
    found = scores(invariant, 3)
    [row] = perturbed_scores(found).to_dict("records")
    assert row["value"] == 0.0  # three semitones off: no relation of MIREX
    assert row["change"] == -1.0
    assert row["high"] < 0
    own = found[found["kind"] == "perturbed"].set_index("metric")["value"]
    assert own["accuracy"] == 0.0
    fifth = perturbed_scores(scores(invariant, 7)).iloc[0]
    assert fifth["value"] == 0.5  # MIREX gives half a point for a fifth


def test_a_probe_that_is_trained_on_disturbed_audio_learns_the_new_relation() -> None:
    found = perturbed_scores(scores(invariant, 3, retrained=True)).set_index("training")
    assert found["value"].to_dict() == {"undisturbed": 0.0, "disturbed": 1.0}
    assert found["change"].to_dict() == {"undisturbed": -1.0, "disturbed": 0.0}


def test_a_run(tmp_path: Path, tones: Tones) -> None:
    bench = Workbench(tmp_path, tones)
    result = bench.run(Bands(), perturb=["transpose=0", "noise=-60"])
    assert (result.failures, result.problems) == ({}, {})
    found = perturbed_scores(result.scores).set_index("perturbation")
    assert found.index.tolist() == ["transpose=0", "noise=-60"]
    selected = result.scores[result.scores["selected"] & result.scores["main"]]["value"].item()
    np.testing.assert_allclose(found["value"] - found["change"], selected)
    assert found.loc["transpose=0", "value"] == selected
    assert found.loc["noise=-60", "value"] < selected
    [(title, rows)] = perturbed_tables(result.scores)
    assert title.startswith("disturbed audio: key on tones")
    assert [dict(row)["perturbation"] for row in rows] == ["transpose=0", "noise=-60"]
    again = bench.run(Bands(), perturb=["transpose=0", "noise=-60"])
    assert again.computed == 0
    both = bench.run(Bands(), perturb=["noise=-60"], perturb_train=True)
    assert not both.failures
    [(_, rows)] = perturbed_tables(both.scores)
    assert [dict(row)["trained on"] for row in rows] == ["undisturbed", "disturbed"]
    with pytest.raises(ConfigError, match="perturb_train needs perturb"):
        bench.run(Bands(), perturb_train=True)
    with pytest.raises(ConfigError, match="did you mean 'noise'"):
        bench.run(Bands(), perturb=["nois=1"])
