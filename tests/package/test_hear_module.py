"""ViT-1D as a HEAR module: what hear-validator checks, and that times and windows are right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from helpers.embedded_tracks import embed
from helpers.small_vit1d import SMALL, small_checkpoint
from torch import Tensor

from mirprobe import hear
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.schema import Annotations, Embedding, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.encoders.vit1d import TrainedViT1D
from mirprobe.encoders.windows import layout_windows
from mirprobe.vit1d import checkpoint as shipped

RATE = 16_000


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return small_checkpoint(tmp_path)


def noise(batch: int, seconds: float) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, int(seconds * RATE), generator=generator) * 2 - 1


def test_what_hear_validator_checks(checkpoint: Path) -> None:
    model = hear.load_model(str(checkpoint))
    assert isinstance(model, torch.nn.Module)
    assert model.sample_rate in (16_000, 22_050, 44_100, 48_000)
    assert type(model.scene_embedding_size) is int
    assert type(model.timestamp_embedding_size) is int
    embeddings, timestamps = hear.get_timestamp_embeddings(noise(16, 2.0), model)
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (16, 63, model.timestamp_embedding_size)
    assert timestamps.shape == embeddings.shape[:2]
    gaps = timestamps.diff()
    assert ((gaps - gaps.mean()).abs() < 1e-3).all()
    assert float(gaps.mean()) <= 50
    scenes = hear.get_scene_embeddings(noise(8, 3.74), model)
    assert scenes.dtype == torch.float32
    assert scenes.shape == (8, model.scene_embedding_size)


def test_the_validator_itself(checkpoint: Path) -> None:
    pytest.importorskip("tensorflow", reason="hearvalidator needs TensorFlow")
    validate = pytest.importorskip("hearvalidator.validate", reason="hearvalidator is missing")
    validate.ValidateModel("mirprobe.hear", str(checkpoint), device="cpu")()


@pytest.mark.parametrize("seconds", [0.01, 0.7, 1.0, 1.3, 4.0])
def test_any_length(checkpoint: Path, seconds: float) -> None:
    model = hear.load_model(str(checkpoint))
    audio = noise(2, seconds)
    embeddings, timestamps = hear.get_timestamp_embeddings(audio, model)
    assert embeddings.shape == (2, int(seconds * RATE / 512 + 1e-6) + 1, SMALL.dim)
    assert timestamps[0, -1] <= 1000 * seconds + 1e-3
    assert embeddings.isfinite().all()
    assert hear.get_scene_embeddings(audio, model).isfinite().all()


def test_a_clip_of_one_window_is_what_the_encoder_says(checkpoint: Path) -> None:
    audio, encoder = noise(2, SMALL.window), TrainedViT1D(checkpoint=checkpoint)
    layout = layout_windows(audio.shape[1], encoder)
    windows = [window for sound in audio for window in layout.cut(sound.numpy())]
    model, tokens = hear.load_model(str(checkpoint)), encoder(torch.from_numpy(np.stack(windows)))
    assert tokens.sequence is not None
    assert tokens.class_token is not None
    frames, _ = hear.get_timestamp_embeddings(audio, model)
    torch.testing.assert_close(frames, tokens.sequence[:, :, -1])
    torch.testing.assert_close(hear.get_scene_embeddings(audio, model), tokens.class_token[:, -1])


def test_frames_of_the_second_window_stand_in_their_place(checkpoint: Path) -> None:
    model, audio = hear.load_model(str(checkpoint)), noise(1, 3 * SMALL.window)
    frames, times = hear.get_timestamp_embeddings(audio, model)
    size, context = round(SMALL.window * RATE), SMALL.frontend.edge * SMALL.frontend.hop
    alone = TrainedViT1D(checkpoint=checkpoint)(audio[:, size - context : 2 * size + context])
    first = round(SMALL.window * SMALL.frontend.frame_rate)
    assert alone.sequence is not None
    torch.testing.assert_close(frames[:, first : 2 * first], alone.sequence[:, :first, -1])
    assert float(times[0, first]) == pytest.approx(1000 * SMALL.window)


@pytest.mark.parametrize("seconds", [2.5, 2.51, 3.0, 3.333])
def test_it_gives_the_embeddings_of_the_harness(
    checkpoint: Path, tmp_path: Path, seconds: float
) -> None:
    audio = noise(1, seconds * SMALL.window)
    soundfile.write(tmp_path / "noise.wav", audio[0].numpy(), RATE, subtype="FLOAT")
    track = Track("noise", tmp_path / "noise.wav", "", Annotations())
    encoder = TrainedViT1D(checkpoint=checkpoint)
    layers = encoder.layers[-1:]
    embedder = Embedder("vit1d", encoder, Cache(tmp_path), Encoding(layers=layers, dtype="float32"))
    ((_, embedding),) = embed(embedder, [track], ["clip", "frame"])
    assert isinstance(embedding, Embedding)
    assert embedding.frames is not None
    assert embedding.clip is not None
    model = hear.load_model(str(checkpoint))
    frames, _ = hear.get_timestamp_embeddings(audio, model)
    np.testing.assert_allclose(embedding.frames.read()[:, 0], frames[0], atol=1e-5)
    scene = embedding.clip[:, encoder.sources.index("class"), 0].mean(axis=0)
    np.testing.assert_allclose(scene, hear.get_scene_embeddings(audio, model)[0], atol=1e-5)


def test_bad_input(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = hear.load_model(str(checkpoint))
    for shape in ((16_000,), (2, 0), (1, 2, 3)):
        with pytest.raises(ValueError, match="n_sounds, n_samples"):
            hear.get_scene_embeddings(torch.zeros(shape), model)
    with pytest.raises(StorageError, match="gone"):
        hear.load_model(str(tmp_path / "gone"))
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "none.safetensors")
    with pytest.raises(ConfigError, match="ships no trained weights"):
        hear.load_model()
