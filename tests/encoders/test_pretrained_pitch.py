"""The encoders of `torchcrepe`, `pesto-pitch` and `basic-pitch`, held against the packages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.pretrained_audio import arpeggio, needs
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.encoders.pretrained.basic_pitch import BasicPitch
from mirprobe.encoders.pretrained.crepe import Crepe
from mirprobe.encoders.pretrained.pesto import Pesto


def frames_of(encoder: Encoder, audio: Tensor) -> Tensor:
    """(B, T, L, D)."""
    with torch.inference_mode():
        sequence = encoder(audio).sequence
    assert sequence is not None
    return sequence


@pytest.mark.parametrize("hop", [50, 10])
def test_crepe_is_the_package(hop: int) -> None:
    needs("torchcrepe")
    import torchcrepe

    encoder = Crepe(capacity="tiny", hop=hop)
    assert encoder.frame_rate == 1000 / hop
    audio = arpeggio(16_000, 12_345)
    frames = frames_of(encoder, audio)[0]
    with torch.inference_mode():
        given = next(torchcrepe.preprocess(audio, 16_000, 16 * hop))
        network = encoder._model
        torch.testing.assert_close(frames[:, 0], network.embed(given).flatten(1))
        # what is flattened here by channel, the package flattens by time
        six = frames[:, 1].view(len(frames), -1, 4).transpose(1, 2).flatten(1)
        torch.testing.assert_close(torch.sigmoid(network.classifier(six)), network(given))


def test_pesto_is_the_package() -> None:
    needs("pesto-pitch")
    encoder = Pesto(hop=10)
    audio = arpeggio(16_000, 12_345)
    frames = frames_of(encoder, audio)[0, :, 0]
    model = encoder._model
    with torch.inference_mode():
        *_, activations = model(audio, sr=16_000, return_activations=True)
        own = model.encoder.final_norm(model.encoder.fc(frames))
    shift = round(model.shift.item() * model.bins_per_semitone)
    torch.testing.assert_close(own.roll(-shift, -1), activations[0])


def test_pesto_hears_a_pitch_rise() -> None:
    needs("pesto-pitch")
    encoder = Pesto()
    time = torch.arange(16_000) / 16_000
    low, high = (torch.sin(2 * torch.pi * frequency * time)[None] for frequency in (220, 440))
    one, other = (frames_of(encoder, tone)[0, 25, 0].view(3, -1) for tone in (low, high))
    # an octave is 36 bins: the network does not know one pitch from another but by its place
    moved = torch.nn.functional.cosine_similarity(one[:, 60:120], other[:, 96:156], dim=1).mean()
    stayed = torch.nn.functional.cosine_similarity(one[:, 60:120], other[:, 60:120], dim=1).mean()
    assert moved > 0.8
    assert moved > stayed + 0.1


@pytest.mark.parametrize("make", [lambda: Crepe(capacity="tiny"), Pesto])
def test_a_click_stands_in_its_frame(make: type[Pesto]) -> None:
    needs("torchcrepe")
    needs("pesto-pitch")
    encoder = make()
    assert encoder.frame_rate is not None
    quiet = 1e-3 * torch.randn(1, 32_000, generator=torch.Generator().manual_seed(0))
    for time in (0.503, 0.91, 1.512):
        struck = quiet.clone()
        struck[0, round(16_000 * time)] = 0.9
        energy = (frames_of(encoder, struck) - frames_of(encoder, quiet))[0, :, 0].square().sum(1)
        energy[energy < energy.max() / 2] = 0
        centre = (energy * torch.arange(len(energy))).sum() / energy.sum()
        assert abs(float(centre) - time * encoder.frame_rate) < 1


def note(start: float, midi: int, seconds: float) -> Tensor:
    """(1, samples) at 22.05 kHz: half a second of a decaying tone of four partials."""
    since = torch.arange(round(22_050 * seconds)) / 22_050 - start
    frequency = 440 * 2 ** ((midi - 69) / 12)
    partials = [torch.sin(2 * torch.pi * frequency * n * since) / n for n in (1, 2, 3, 4)]
    sounding = (since >= 0) & (since < 0.5)
    tone = 0.2 * torch.stack(partials).sum(0) * torch.exp(-4 * since) * sounding
    return tone[None]


@pytest.mark.parametrize("start", [0.3, 1.61, 3.3, 5.02])  # across the windows of the model
def test_basic_pitch_finds_a_note(start: float) -> None:
    needs("basic-pitch")
    needs("onnxruntime")
    encoder = BasicPitch()
    frames = frames_of(encoder, note(start, 60, 6.0))[0, :, 0]
    notes, onsets = frames[:, :88], frames[:, 88:176]
    begun, pitch = divmod(int(onsets.argmax()), 88)
    assert pitch + 21 == 60
    assert encoder.frame_rate is not None
    assert abs(begun - start * encoder.frame_rate) < 2
    middle = round((start + 0.2) * encoder.frame_rate)
    assert int(notes[middle].argmax()) + 21 == 60


def test_basic_pitch_joins_its_windows() -> None:
    needs("basic-pitch")
    needs("onnxruntime")
    encoder = BasicPitch()
    audio = arpeggio(22_050, 4 * 22_050)
    frames = frames_of(encoder, audio)
    assert frames.shape == (1, 4 * 22_050 // 256 + 1, 1, 440)
    # the second window alone: the first 15 frames of what it hears lie before the 142 it gives
    begin = (142 - 15) * 256
    window = audio[:, begin : begin + 43_844]
    assert encoder._session is not None
    alone = encoder._run(window)[0, 15:-15]
    np.testing.assert_allclose(frames[0, 142:284, 0], alone, atol=1e-5)
