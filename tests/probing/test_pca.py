from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.in_memory import InMemory
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import Workbench
from sklearn.decomposition import PCA

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Frames
from mirprobe.embedding.cache import Cache, verify
from mirprobe.encoders.specs import make_encoder
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.runner import run
from mirprobe.evaluation.setup import ProbedEncoder, make_encoders
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
        fitted.append(sum(own.shape[0] for own in frames))
        return fit(frames, kept)

    monkeypatch.setattr(Projection, "fit", spy)
    bands = Bands()
    config = workbench.config("pca(Bands,8)", "Bands")
    encoders: dict[str, Encoder] = {"Bands": bands}
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
    # the option writes the same for every encoder, and finds the cell of the other spelling
    again = run(
        workbench.config("Bands", pca=8), encoders=encoders, dataset=workbench.dataset
    ).scores
    rows = result.scores[result.scores["encoder"] == "pca(Bands,8)"].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, rows)


def make(spec: str, pca: int | None = None) -> ProbedEncoder:
    (probed,) = make_encoders(RunConfig(encoders=(spec,), pca=pca)).values()
    return probed


def test_both_spellings_are_the_same() -> None:
    one, other = make("pca(mfcc,4)"), make("mfcc", pca=4)
    assert one.name == other.name == "pca(mfcc,4)"
    assert one.draws[0][0] == other.draws[0][0] == "mfcc"
    assert one.fingerprint == other.fingerprint != one.encoder.fingerprint
    assert make("mfcc").components is None


def test_components_have_no_embeddings_of_their_own() -> None:
    probed, inner = make("pca(mfcc:coefficients=13,4)"), make_encoder("mfcc")
    assert (probed.dim, probed.layers) == (4, inner.layers)
    assert probed.encoder.frame_rate == inner.frame_rate
    prints = {make(f"pca(mfcc,{kept})").fingerprint for kept in (3, 4)}
    assert len({*prints, inner.fingerprint, probed.fingerprint}) == 4
    with pytest.raises(ConfigError, match=r"pca is an option of the probe; use 'mfcc:coeff"):
        make_encoder("pca(mfcc:coefficients=13,4)")


@pytest.mark.parametrize(
    ("spec", "pca", "message"),
    [
        ("pca(mfcc)", None, "write pca(ENCODER,DIM), DIM a number of components"),
        ("pca(mfcc,21)", None, "pca(mfcc,21): 'mfcc' has 20 dimensions; keep 1 to 20"),
        ("mfcc", 21, "pca(mfcc,21): 'mfcc' has 20 dimensions; keep 1 to 20"),
        ("pca(mfcc,0)", None, "keep 1 to 20"),
        ("mfcc", 0, "pca is 0; it must be at least 1"),
        ("pca(mfcc,8)", 8, "'pca(mfcc,8)': give the components here or by pca, not both"),
    ],
)
def test_components_that_do_not_fit(spec: str, pca: int | None, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(spec, pca)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
