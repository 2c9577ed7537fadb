"""Three of madmom's networks in PyTorch, each up to the input of its output layer.

Each maps audio (B, samples) at 44.1 kHz to the outputs of some of its layers (B, T, layers, dim).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirprobe.encoders.pretrained.madmom_pickles import Layer
from mirprobe.encoders.pretrained.madmom_spectrogram import RATE, OnsetSpectrogram, Spectrogram

_CONTEXT = 15  # spectrogram frames per frame of the chroma network
_BORDER = 11  # zero frames at each end, removed again by the convolutions of the chord network


class Chroma(nn.Module):
    """The deep chroma extractor: a dense network on 1.5 s of a spectrogram, 10 frames per second.

    Frames are the output of the third of its four layers. They follow a chord change 0.07 s late; a
    click in quiet noise has its largest effect 0.4 s late.

    Source: Korzeniowski & Widmer, *Feature learning for chord recognition: the deep chroma
    extractor*, ISMIR 2016.
    """

    files: tuple[str, ...] = ("chroma/2016/chroma_dnn.pkl",)
    rate, layers, dim = 10, ("penultimate",), 256
    supervised: tuple[str, ...] = ("chord",)

    def __init__(self, networks: Sequence[list[Layer]]) -> None:
        super().__init__()
        (layers,) = networks
        self.spectrogram = Spectrogram(
            8192, RATE // self.rate, per_octave=24, lowest=65, highest=2100
        )
        self.dense = nn.ModuleList([_linear(layer) for layer in layers[:-1]])

    def forward(self, audio: Tensor) -> Tensor:
        """(B, samples) to (B, T, 1, 256)."""
        bands = self.spectrogram(audio)
        half = _CONTEXT // 2
        near = F.pad(bands, (0, 0, half, half)).unfold(1, _CONTEXT, 1)  # (B, T, bands, 15)
        x = near.transpose(2, 3).flatten(2)
        for layer in self.dense:
            x = F.relu(layer(x))
        return x[:, :, None]


class Chords(nn.Module):
    """A convolutional network for chord recognition, 10 frames per second.

    Frames are the features that madmom decodes with a conditional random field.

    Source: Korzeniowski & Widmer, *A fully convolutional deep auditory model for musical chord
    recognition*, MLSP 2016.
    """

    files: tuple[str, ...] = ("chords/2016/chords_cnnfeat.pkl",)
    rate, layers, dim = 10, ("penultimate",), 128
    supervised: tuple[str, ...] = ("chord",)

    def __init__(self, networks: Sequence[list[Layer]]) -> None:
        super().__init__()
        (layers,) = networks
        self.spectrogram = Spectrogram(
            8192, RATE // self.rate, per_octave=24, lowest=60, highest=2600
        )
        modules: list[nn.Module] = []
        for layer in layers:
            if layer.kind == "ConvolutionalLayer":
                modules.append(_convolution(layer))
            elif layer.kind == "BatchNormLayer":
                modules += [_batch_norm(layer), nn.ReLU()]
            else:
                modules.append(nn.MaxPool2d((1, 2)))
        self.network = nn.Sequential(*modules)

    def forward(self, audio: Tensor) -> Tensor:
        """(B, samples) to (B, T, 1, 128)."""
        bands = F.pad(self.spectrogram(audio), (0, 0, _BORDER, _BORDER))
        maps = self.network(bands[:, None])  # (B, 128, T + 2, F)
        return F.avg_pool1d(maps.mean(3), 3, stride=1).transpose(1, 2)[:, :, None]


class Downbeats(nn.Module):
    """An ensemble of eight bidirectional LSTMs for beats and downbeats, 100 frames per second.

    Frames are the 50 units of each of the three recurrent layers, concatenated over the eight
    networks. The networks react to a click about one frame early (their output 1.1, their first
    layer 0.9 frames); the frames are delayed by one frame to compensate.

    Source: Böck, Krebs & Widmer, *Joint beat and downbeat tracking with recurrent neural networks*,
    ISMIR 2016.
    """

    files = tuple(f"downbeats/2016/downbeats_blstm_{number}.pkl" for number in range(1, 9))
    rate, layers, dim = 100, ("1", "2", "3"), 8 * 50
    supervised: tuple[str, ...] = ("beat", "downbeat")

    def __init__(self, networks: Sequence[list[Layer]]) -> None:
        super().__init__()
        self.spectrograms = nn.ModuleList(
            [
                OnsetSpectrogram(
                    length, RATE // self.rate, per_octave=bands, lowest=30, highest=17_000
                )
                for length, bands in ((1024, 3), (2048, 6), (4096, 12))
            ]
        )
        depths = list(zip(*networks, strict=True))[:-1]
        self.recurrent = nn.ModuleList([_Bidirectional(layers) for layers in depths])

    def forward(self, audio: Tensor) -> Tensor:
        """(B, samples) to (B, T, 3, 400)."""
        bands = torch.cat([spectrogram(audio) for spectrogram in self.spectrograms], dim=2)
        x = bands[None]  # (1, B, T, 314): the same input for all networks
        found = []
        for layer in self.recurrent:
            x = layer(x)  # (8, B, T, 50)
            found.append(x.permute(1, 2, 0, 3).flatten(2))
        frames = torch.stack(found, dim=2)
        return torch.cat([frames[:, :1], frames[:, :-1]], dim=1)


class _Bidirectional(nn.Module):
    """One bidirectional layer of several LSTMs with peepholes (Gers & Schmidhuber, 2000)."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        ways = [layer[way] for layer in layers for way in ("fwd_layer", "bwd_layer")]
        gates = ("input_gate", "forget_gate", "cell", "output_gate")

        def stacked(name: str, of: Sequence[str] = gates) -> nn.Parameter:
            """(2 * networks, ..., gates * units), concatenated over the gates."""
            values = [torch.cat([_tensor(way[gate][name]) for gate in of], -1) for way in ways]
            return nn.Parameter(torch.stack(values))

        self.weights = stacked("weights")  # (2N, in, 4H)
        self.bias = stacked("bias")  # (2N, 4H)
        self.recurrent = stacked("recurrent_weights")  # (2N, H, 4H)
        self.peepholes = stacked("peephole_weights", [gate for gate in gates if gate != "cell"])

    def forward(self, x: Tensor) -> Tensor:
        """(N or 1, B, T, in) to (N, B, T, 2 * H)."""
        networks = len(self.weights) // 2
        weights = self.weights.view(networks, 2, *self.weights.shape[1:])  # (N, 2, in, 4H)
        if len(x) == 1:
            given = torch.einsum("bti,nwig->tnwbg", x[0], weights)
        else:
            given = torch.einsum("nbti,nwig->tnwbg", x, weights)
        # (T, N, 2, B, 4H), the second direction reversed in time
        given[:, :, 1] = given[:, :, 1].flip(0)
        given = given.flatten(1, 2) + self.bias[:, None]
        to_input, to_forget, to_output = self.peepholes[:, None].chunk(3, dim=2)
        units = self.recurrent.shape[1]
        heard = given.new_empty(*given.shape[:3], units)  # (T, 2N, B, H)
        out = state = given.new_zeros(heard.shape[1:])
        for time, now in enumerate(given):
            entry, keep, cell, exit_ = torch.baddbmm(now, out, self.recurrent).chunk(4, dim=2)
            entry = torch.sigmoid(entry + state * to_input)
            keep = torch.sigmoid(keep + state * to_forget)
            state = torch.tanh(cell) * entry + state * keep
            out = torch.tanh(state) * torch.sigmoid(exit_ + state * to_output)
            heard[time] = out
        ways = heard.view(len(heard), networks, 2, -1, units).permute(
            2, 1, 3, 0, 4
        )  # (2, N, B, T, H)
        return torch.cat([ways[0], ways[1].flip(2)], dim=3)


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values.copy())


def _linear(layer: Layer) -> nn.Linear:
    weights, bias = _tensor(layer["weights"]), _tensor(layer["bias"])
    linear = nn.Linear(*weights.shape)
    linear.load_state_dict({"weight": weights.T, "bias": bias})
    return linear


def _convolution(layer: Layer) -> nn.Conv2d:
    """A true convolution: the kernel is flipped. The biases of madmom are 0 and are left out."""
    weights = _tensor(layer["weights"]).transpose(0, 1).flip(2, 3)  # (out, in, time, bands)
    out, given, time, bands = weights.shape
    convolution = nn.Conv2d(given, out, (time, bands), bias=False)
    convolution.load_state_dict({"weight": weights})
    return convolution


def _batch_norm(layer: Layer) -> nn.BatchNorm2d:
    values = {name: _tensor(layer[name]) for name in ("gamma", "beta", "mean", "inv_std")}
    norm = nn.BatchNorm2d(len(values["mean"]), eps=1e-12)  # torch does not accept 0
    norm.load_state_dict(
        {
            "weight": values["gamma"],
            "bias": values["beta"],
            "running_mean": values["mean"],
            "running_var": values["inv_std"] ** -2,
            "num_batches_tracked": torch.tensor(0),
        }
    )
    return norm
