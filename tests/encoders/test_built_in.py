from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.encoders.spectral import Chroma, LogMel, Mfcc
from mirprobe.encoders.vit1d import RandomViT1D, TrainedViT1D, random_model
from mirprobe.encoders.windows import layout_windows, samples_per_call, stitch
from mirprobe.vit1d import frontend
from mirprobe.vit1d.checkpoint import SHIPPED, read_config, read_notes, save_checkpoint
from mirprobe.vit1d.model import CONFIGS

Array = NDArray[np.float64]

RATE = 16_000
SPECTRAL: dict[str, Callable[[], Encoder]] = {"logmel": LogMel, "mfcc": Mfcc, "chroma": Chroma}
ALL: dict[str, Callable[[], Encoder]] = {
    **SPECTRAL,
    "vit1d": TrainedViT1D,
    "vit1d-random": RandomViT1D,
}


def audio_for(encoder: Encoder, samples: int) -> Tensor:
    """Two windows of noise of so many samples, context and all."""
    return 0.1 * torch.randn(2, samples_per_call(encoder, samples / RATE))


def sequence_of(encoder: Encoder, audio: Tensor) -> Tensor:
    sequence = encoder(audio).sequence
    assert sequence is not None
    return sequence


def chord(*frequencies: float, seconds: float = 3.0) -> Tensor:
    time = torch.arange(int(RATE * seconds)) / RATE
    return sum((torch.sin(2 * torch.pi * f * time) for f in frequencies), torch.zeros(()))[None] / 4


@pytest.mark.parametrize("name", ALL)
def test_promises_are_kept(name: str) -> None:
    encoder = ALL[name]()
    audio = audio_for(encoder, 4 * RATE)
    tokens = encoder(audio)
    shape = (2, 126, len(encoder.layers), encoder.dim)
    assert tokens.sequence is not None
    assert tokens.sequence.shape == shape
    assert tokens.sequence.dtype == torch.float32
    assert tokens.sequence.isfinite().all()
    assert (encoder.sample_rate, encoder.frame_rate) == (16_000, 31.25)
    if "class" in encoder.sources:
        assert tokens.class_token is not None
        assert tokens.class_token.shape == (2, *shape[2:])
    else:
        assert tokens.class_token is None
        assert encoder.sources == ("sequence",)
    assert sequence_of(ALL[name](), audio).equal(tokens.sequence)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("samples", [1, 100, 1024, 1025, 5000])
def test_short_audio(name: str, samples: int) -> None:
    encoder = ALL[name]()
    size = samples_per_call(encoder, samples / RATE)
    for audio in (torch.ones(2, size), torch.zeros(2, size)):
        sequence = sequence_of(encoder, audio)
        assert sequence.shape[:2] == (2, samples // 512 + 1)
        assert sequence.isfinite().all()


def test_audio_without_a_context() -> None:
    with pytest.raises(ValueError, match="2047 samples: too short for a frame, which needs 1024"):
        RandomViT1D()(torch.zeros(1, 2047))


@pytest.mark.parametrize("name", ALL)
def test_a_window_does_not_depend_on_its_batch(name: str) -> None:
    encoder = ALL[name]()
    audio = torch.randn(3, 3 * RATE) * torch.tensor([[1e-3], [1.0], [0.1]])
    alone = torch.cat([sequence_of(encoder, window[None]) for window in audio])
    torch.testing.assert_close(sequence_of(encoder, audio), alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["logmel", "mfcc"])
def test_an_impulse_stands_in_its_frame(name: str) -> None:
    time = 2.013
    audio = torch.zeros(1, 4 * RATE)
    audio[0, round(time * RATE)] = 1.0
    frames = sequence_of(SPECTRAL[name](), audio)[0, :, 0]
    changed = int((frames - frames[0]).norm(dim=-1).argmax())  # the first frame is silent
    assert abs(changed - time * 31.25) <= 0.5


def test_chroma_changes_where_the_note_does() -> None:
    # Chroma is normalised frame by frame, so it is told when by a change of class: A, then Eb.
    time = 2.013
    samples = torch.arange(4 * RATE) / RATE
    frequency = torch.where(samples < time, 440.0, 622.25)
    phase = frequency.cumsum(0) / RATE
    frames = sequence_of(Chroma(), torch.sin(2 * torch.pi * phase)[None] / 4)[0, :, 0]
    later = frames[:, 3] > frames[:, 9]  # (T,)
    change = int(later[10:-10].int().argmax()) + 10  # first frame of Eb
    assert abs(change - 0.5 - time * 31.25) <= 1.0
    assert later[change:-10].all()


def test_logmel_is_the_front_end_of_vit1d() -> None:
    audio = 0.1 * torch.randn(1, RATE)
    assert sequence_of(LogMel(), audio)[:, :, 0].equal(frontend.LogMel()(audio))
    assert LogMel(bins=64)(audio).sequence is not None
    assert LogMel(bins=64).dim == 64


def test_mfcc_is_the_cosine_transform_of_the_log_mel_spectrum() -> None:
    audio = 0.1 * torch.randn(1, RATE)
    config = frontend.LogMelConfig()
    logmel = frontend.LogMel()(audio)[0] * config.deviation + config.mean  # (T, 128)
    # Noise is far above both floors, so that the two logarithms are alike.
    band = torch.arange(128) + 0.5
    basis = torch.stack([torch.cos(torch.pi * k * band / 128) for k in range(20)])
    basis *= np.sqrt(2 / 128)
    basis[0] /= np.sqrt(2)
    mfcc = sequence_of(Mfcc(), audio)[0, :, 0]
    torch.testing.assert_close(mfcc, logmel @ basis.T, rtol=0, atol=1e-2)


@pytest.mark.parametrize(
    ("frequencies", "classes"),
    [
        ((261.63, 329.63, 392.0), {0, 4, 7}),  # C major
        ((220.0, 261.63, 329.63), {9, 0, 4}),  # A minor
        ((185.0, 233.08, 277.18), {6, 10, 1}),  # F# major
    ],
)
def test_the_chroma_of_a_triad(frequencies: tuple[float, ...], classes: set[int]) -> None:
    frames = sequence_of(Chroma(), chord(*frequencies))[0, 15:-15, 0]  # (T, 12)
    for frame in frames:
        assert set(frame.topk(3).indices.tolist()) == classes
    torch.testing.assert_close(frames.amax(-1), torch.ones(len(frames)))


def test_the_chroma_of_silence_is_zero() -> None:
    assert not sequence_of(Chroma(), torch.zeros(1, RATE)).any()


def test_random_weights_depend_on_the_seed_alone() -> None:
    audio = 0.1 * torch.randn(1, RATE)
    state = torch.get_rng_state()
    first = sequence_of(RandomViT1D(), audio)
    assert torch.get_rng_state().equal(state)
    torch.manual_seed(5)
    assert sequence_of(RandomViT1D(), audio).equal(first)
    assert not sequence_of(RandomViT1D(seed=1), audio).equal(first)


def test_class_token_stands_apart_from_the_sequence() -> None:
    encoder = RandomViT1D(config="vit1d-rope")
    audio = 0.1 * torch.randn(2, 4 * RATE)
    tokens = encoder(audio)
    assert encoder._model is not None
    logmel, model = encoder._model
    layers = model(logmel.inner(audio))
    assert tokens.sequence is not None
    assert tokens.class_token is not None
    for index, layer in enumerate(layers):
        torch.testing.assert_close(tokens.class_token[:, index], layer.tokens[:, 0])
        torch.testing.assert_close(tokens.sequence[:, :, index], layer.tokens[:, 1:])


def stitched(encoder: Encoder, audio: Array) -> tuple[Array, tuple[int, ...]]:
    """Tokens of layers 4, 8 and 12, as a run stitches them, and where windows meet."""
    layout = layout_windows(len(audio), encoder)
    with torch.inference_mode():
        found = sequence_of(
            encoder, torch.from_numpy(np.stack(layout.cut(audio.astype(np.float32))))
        )
    tokens = stitch(list(found[:, :, [3, 7, 11]].numpy()), layout, encoder).astype(np.float64)
    assert len(tokens) == len(audio) // 512 + 1  # 31.25 a second
    return tokens, layout.frames[1:]


@pytest.mark.parametrize("samples", [4 * RATE, 4 * RATE + 1, 12 * RATE, 13 * RATE + 77])
def test_vit1d_reads_the_frames_of_the_whole_track(samples: int) -> None:
    audio = 0.1 * torch.randn(samples)
    encoder, logmel = RandomViT1D(), frontend.LogMel()
    layout = layout_windows(samples, encoder)
    windows = logmel.inner(torch.from_numpy(np.stack(layout.cut(audio.numpy()))))
    frames = stitch(list(windows[:, :, None].numpy()), layout, encoder)[:, 0]
    np.testing.assert_allclose(frames, logmel(audio[None])[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [TrainedViT1D, RandomViT1D])
def test_a_held_tone_is_held_over_the_seams(make: Callable[[], Encoder]) -> None:
    """Windows that hear nothing but the tone give one token throughout, their ends included."""
    time = np.arange(17 * RATE) / RATE
    tokens, seams = stitched(make(), 0.3 * np.sin(2 * np.pi * 440.3 * time))
    assert seams == (125, 250, 375, 407)
    inner = tokens[125:375]  # the first and the last window hear where the tone begins and ends
    inner /= np.linalg.norm(inner, axis=-1, keepdims=True)
    assert np.einsum("tld,ld->tl", inner, inner[60]).min() > 0.999


@pytest.mark.parametrize("make", [TrainedViT1D, RandomViT1D])
def test_stitched_tokens_follow_a_sweep_over_the_seams(make: Callable[[], Encoder]) -> None:
    """The pitch that a linear map reads from layer 4 is as right at the seams as elsewhere."""
    encoder = make()

    def sweep(start: float, octaves: float, seconds: float) -> tuple[Array, Array, tuple[int, ...]]:
        """Tokens of layer 4, octaves above 1 Hz at each of them, and where windows begin."""
        time = np.arange(int(seconds * RATE)) / RATE
        phase = 2 * np.pi * start * (2 ** (octaves * time) - 1) / (octaves * np.log(2))
        tokens, seams = stitched(encoder, 0.3 * np.sin(phase))
        return tokens[:, 0], np.log2(start) + octaves * np.arange(len(tokens)) / 31.25, seams

    known = [sweep(200, 0.15, 19), sweep(260, 0.2, 15), sweep(4000, -0.2, 18)]
    reader = Ridge(0.1).fit(
        np.concatenate([tokens for tokens, _, _ in known]),
        np.concatenate([pitch for _, pitch, _ in known]),
    )
    tokens, pitch, seams = sweep(300, 0.17, 18.3)
    assert seams == (125, 250, 375, 447)  # the last window is drawn back
    missed = 12 * np.abs(reader.predict(tokens) - pitch)  # semitones, of a sweep over 37
    near = np.concatenate([np.arange(seam - 2, seam + 2) for seam in seams])
    assert np.delete(missed, near).mean() < 1.5
    assert missed[near].mean() < 1.1 * np.delete(missed, near).mean()
    for seam in seams:
        assert missed[seam - 2 : seam + 2].mean() < 1.5


def test_built_in_inference_mode_and_used_outside_of_it() -> None:
    encoder, audio = RandomViT1D(), torch.randn(1, RATE)
    assert encoder._model is None  # construction is cheap
    with torch.inference_mode():
        inside = sequence_of(encoder, audio)
    audio.requires_grad_()
    outside = sequence_of(encoder, audio)
    torch.testing.assert_close(outside.detach(), inside)
    torch.autograd.backward(outside.sum())
    assert audio.grad is not None


def test_fingerprints_tell_options_apart() -> None:
    encoders: list[Encoder] = [
        LogMel(),
        LogMel(bins=64),
        Mfcc(),
        Mfcc(coefficients=40),
        Chroma(),
        RandomViT1D(config="vit1d"),
        RandomViT1D(config="vit1d", seed=1),
        RandomViT1D(config="vit1d-rope"),
    ]
    assert len({encoder.fingerprint for encoder in encoders}) == len(encoders)
    assert RandomViT1D(seed=0).fingerprint == RandomViT1D().fingerprint
    shipped = next(name for name, own in CONFIGS.items() if own == read_config(SHIPPED))
    assert RandomViT1D(config=shipped).fingerprint == RandomViT1D().fingerprint
    assert LogMel(bins=128).fingerprint == LogMel().fingerprint


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="logmel: bins=0"):
        LogMel(bins=0)
    with pytest.raises(ConfigError, match="mfcc: coefficients=129"):
        Mfcc(coefficients=129)
    with pytest.raises(ConfigError, match="vit1d-random has no config 'vit2d'"):
        RandomViT1D(config="vit2d")


def test_librosa_is_imported_only_when_chroma_is_computed() -> None:
    code = (
        "import sys; from mirprobe.encoders.spectral import Chroma; Chroma(); "
        "sys.exit('librosa' in sys.modules or 'numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_checkpoint_is_an_encoder(tmp_path: Path) -> None:
    path, model = tmp_path / "own.safetensors", random_model(CONFIGS["vit1d-rope"], seed=3)
    save_checkpoint(model, path, dtype=torch.float32)
    encoder, audio = TrainedViT1D(checkpoint=path), 0.1 * torch.randn(2, 4 * RATE)
    assert sequence_of(encoder, audio).equal(
        sequence_of(RandomViT1D(seed=3, config="vit1d-rope"), audio)
    )
    before = encoder.fingerprint
    assert TrainedViT1D(checkpoint=str(path)).fingerprint == before
    save_checkpoint(random_model(CONFIGS["vit1d"], seed=3), path)
    assert TrainedViT1D(checkpoint=path).fingerprint != before


def test_a_checkpoint_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"gone\.safetensors"):
        TrainedViT1D(checkpoint=tmp_path / "gone.safetensors")
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights at all")
    with pytest.raises(StorageError, match=r"broken\.safetensors: damaged or not a safetensors"):
        TrainedViT1D(checkpoint=broken)


def test_the_weights_that_ship() -> None:
    assert SHIPPED.stat().st_size <= 15e6
    assert read_config(SHIPPED) in CONFIGS.values()
    assert int(read_notes(SHIPPED)["step"]) > 0
    assert "# Model card" in (SHIPPED.parent / "README.md").read_text(encoding="utf-8")
    audio = 0.1 * torch.randn(1, 4 * RATE)
    trained = TrainedViT1D()
    assert trained.fingerprint == TrainedViT1D(checkpoint=SHIPPED).fingerprint
    assert not sequence_of(trained, audio).allclose(sequence_of(RandomViT1D(), audio), atol=0.1)
