from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import Workbench
from sklearn.decomposition import PCA

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Frames
from mirprobe.embedding.cache import Cache, verify
from mirprobe.encoders.combined import Pca
from mirprobe.evaluation.runner import run
from mirprobe.probing.batches import InMemory
from mirprobe.probing.pca import Projection


def tracks(count: int = 5, variants: int = 2, dim: int = 6) -> list[Frames]:
    """Frames far from zero, whose dimensions depend on each other."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((variants, dim, dim))
    lengths = rng.integers(5, 60, count)
    return [
        InMemory(np.einsum("tvd,vde->tve", rng.standard_normal((n, variants, dim)), mixing) + 7)
        for n in lengths
    ]


def test_it_is_the_pca_of_each_variant() -> None:
    frames = tracks()
    projection = Projection.fit(frames, 3)
    joined = np.concatenate([own.read() for own in frames])
    projected = np.concatenate([own.read() for own in projection.of(frames)])
    for variant in range(2):
        known = PCA(3).fit(joined[:, variant])
        axes = projection.axes[variant].numpy().T
        np.testing.assert_allclose(np.abs(np.sum(axes * known.components_, 1)), 1, atol=1e-5)
        assert (axes[np.arange(3), np.abs(axes).argmax(1)] > 0).all()
        flips = np.sign(np.sum(axes * known.components_, 1))
        expected = known.transform(joined[:, variant]) * flips
        np.testing.assert_allclose(projected[:, variant], expected, atol=1e-3)


def test_frames_are_read_in_slices() -> None:
    (first, *_), projection = tracks(), Projection.fit(tracks(), 2)
    (seen,) = projection.of([first])
    assert seen.shape == (first.shape[0], 2, 2)
    np.testing.assert_array_equal(seen.read(2, 4), seen.read()[2:4])


def test_all_components_keep_every_distance() -> None:
    frames = tracks()
    (seen, *_), (own, *_) = Projection.fit(frames, 6).of(frames), frames
    rows, projected = own.read()[:, 1], seen.read()[:, 1]
    np.testing.assert_allclose(
        np.linalg.norm(projected[:-1] - projected[1:], axis=1),
        np.linalg.norm(rows[:-1] - rows[1:], axis=1),
        rtol=1e-4,
    )


def test_too_few_vectors() -> None:
    with pytest.raises(ConfigError, match="pca to 5 dimensions needs more than the 5 vectors"):
        Projection.fit([InMemory(np.ones((5, 1, 6)))], 5)


def test_a_run_fits_it_to_the_training_split_and_caches_the_encoder_itself(
    tmp_path: Path, tones: Tones, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = Workbench(tmp_path, tones)
    fitted: list[int] = []
    fit = Projection.fit

    def spy(frames: list[Frames], kept: int) -> Projection:
        fitted.append(len(frames))
        return fit(frames, kept)

    monkeypatch.setattr(Projection, "fit", spy)
    bands = Bands()
    config = workbench.config("pca(Bands,8)", "Bands")
    encoders: dict[str, Encoder] = {"pca(Bands,8)": Pca("Bands", bands, 8), "Bands": bands}
    result = run(config, encoders=encoders, dataset=workbench.dataset)
    assert not result.failures
    assert fitted == [len(workbench.dataset.splits()["train"])]
    seen = result.scores.groupby("encoder")[["dim", "cell"]].agg(set).to_dict("index")
    pca, whole = seen["pca(Bands,8)"], seen["Bands"]
    assert (pca["dim"], whole["dim"]) == ({8}, {100})
    assert not pca["cell"] & whole["cell"]
    entries = [verify(path) for path in Cache(config.cache_dir).entries()]
    assert {entry.metadata["encoder"] for entry in entries} == {"Bands"}
    assert {entry.shape[-1] for entry in entries} == {100}
