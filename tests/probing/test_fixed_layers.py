"""The rows of a cell that compare encoders at equal terms, and the bootstrap of its choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.in_memory import InMemory
from helpers.stub_task import LABELS, StubTask
from sklearn.decomposition import PCA

from mirprobe.core.schema import SPLITS, Annotations, Embedding, Split, Track
from mirprobe.probing.cell import run_cell
from mirprobe.probing.probe_rows import fixed_variants
from mirprobe.probing.probe_run import ProbeRun
from mirprobe.probing.probes import LbfgsConfig
from mirprobe.probing.selection import EQUAL_DIM

Tracks = dict[Split, list[tuple[Track, Embedding]]]
DECAYS = (10.0, 1.0, 0.1, 0.01)
ROW = dict.fromkeys(
    ("encoder", "task", "dataset", "probe", "preset", "fingerprint", "splits", "cell"), "x"
)
LAYERS = ("low", "middle", "high")
SOURCES = ("class", "sequence")


def setup(sources: tuple[str, ...] = SOURCES, seeds: tuple[int, ...] = (0,)) -> ProbeRun:
    return ProbeRun(LAYERS, sources, 2.0, LbfgsConfig(DECAYS), seeds, ROW)


def make_tracks(dim: int, train: int = 90, noise: Sequence[float] = (1, 3, 3)) -> Tracks:
    """Three classes in turn; each layer shows the class through its own noise."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, dim))
    sizes: dict[Split, int] = {"train": train, "valid": 40, "test": 30}
    made: Tracks = {split: [] for split in SPLITS}
    for split in SPLITS:
        for number in range(sizes[split]):
            shown = centres[number % 3]
            rows = shown + rng.normal(size=(4, 2, 3, dim)) * np.array(noise)[:, None]
            name = f"{split}-{number}"
            track = Track(name, Path(name), name, Annotations(key=LABELS[number % 3]))
            frames = InMemory(rows[:, 1].astype(np.float32))
            made[split].append((track, Embedding(rows[:1].astype(np.float32), frames, 2.0)))
    return made


def rows_of(tracks: Tracks, task: StubTask, run: ProbeRun) -> pd.DataFrame:
    rows = pd.DataFrame(run_cell(task, tracks, run).scores)
    return rows[rows["metric"] == "accuracy"]


@pytest.mark.parametrize(
    ("layers", "sources", "expected"),
    [
        (1, ("sequence",), {0: "first,middle,last"}),
        (2, ("sequence",), {0: "first,middle", 1: "last"}),
        (3, ("class", "sequence"), {3: "first", 4: "middle", 5: "last"}),
        (12, ("sequence", "both"), {0: "first", 5: "middle", 11: "last"}),
        (3, ("class", "both"), {0: "first", 1: "middle", 2: "last"}),
    ],
)
def test_fixed_layers_have_one_source(
    layers: int, sources: tuple[str, ...], expected: dict[int, str]
) -> None:
    variants = [(str(layer), source) for source in sources for layer in range(layers)]
    assert fixed_variants(variants) == expected


@pytest.mark.parametrize("level", ["clip", "frame"])
def test_one_row_a_place_and_never_a_second_choice(level: str) -> None:
    task = StubTask("clip" if level == "clip" else "frame")
    rows = rows_of(make_tracks(70), task, setup())
    assert rows[rows["selected"]]["layer"].tolist() == ["low"]
    marked = rows[rows["fixed"] != ""]
    assert list(zip(marked["kind"], marked["fixed"], marked["layer"], strict=True)) == [
        ("probe", "first", "low"),
        ("probe", "middle", "middle"),
        ("probe", "last", "high"),
        ("pca", "last", "high"),
    ]
    assert set(marked["source"]) == {"sequence"}
    assert not rows[rows["kind"] == "pca"]["selected"].any()
    probes = rows[rows["kind"] == "probe"]
    assert probes["wins"].sum() == pytest.approx(1)
    assert rows[rows["kind"] != "probe"]["wins"].isna().all()


def test_validation_chooses_the_decoding_of_a_fixed_layer() -> None:
    decodings = {"wrong": ({"by": 1},), "right": ({"by": 0},)}
    task = StubTask("frame", decodings)
    rows = rows_of(make_tracks(70), task, setup(seeds=(3, 4)))
    marked = rows[rows["fixed"] != ""]
    assert set(marked["decoding"]) == {"right"}
    assert len(marked) == 4


def test_the_reduced_probe_is_that_of_sklearns_components() -> None:
    """The same embeddings, projected beforehand, give the same score and the same training."""
    tracks = make_tracks(70)
    found = rows_of(tracks, StubTask(), setup())
    train = np.concatenate(
        [own.clip[:, 1, 2] for _, own in tracks["train"] if own.clip is not None]
    )
    pca = PCA(EQUAL_DIM).fit(train)
    reduced: Tracks = {
        split: [
            (track, Embedding(pca.transform(own.clip[:, 1, 2])[:, None, None], None, 2.0))
            for track, own in tracks[split]
            if own.clip is not None
        ]
        for split in SPLITS
    }
    run = replace(setup(("sequence",)), layers=("high",))
    wanted = rows_of(reduced, StubTask(), run)
    same = ["value", "low", "high", "validation", "weight_decay"]
    one, other = (rows[rows["kind"] == k][same] for rows, k in ((found, "pca"), (wanted, "probe")))
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), atol=1e-6)


@pytest.mark.parametrize(("dim", "train"), [(EQUAL_DIM, 90), (70, EQUAL_DIM)])
def test_nothing_is_reduced_without_dimensions_or_vectors(dim: int, train: int) -> None:
    rows = rows_of(make_tracks(dim, train), StubTask(), setup())
    assert "pca" not in set(rows["kind"])
    assert rows["fixed"].str.contains("last").sum() == 1


def test_wins_follow_the_noise_of_the_layers() -> None:
    """A layer that is much better always wins; three equal layers share."""

    def wins(noise: Sequence[float]) -> pd.Series:
        rows = rows_of(make_tracks(8, noise=noise), StubTask(), setup(("sequence",)))
        return rows[rows["kind"] == "probe"].set_index("layer")["wins"]

    assert wins((30, 0.01, 30)).to_dict() == {"low": 0, "middle": 1, "high": 0}
    assert wins((4, 4, 4)).max() < 1
