"""How the families of audio models in transformers turn windows into tokens, and at what times.

Each is built from a model's configuration and feature extractor alone, and says where its frames
lie. Frame i of the tokens is centred at i / frame_rate: silence (`lead`) before the audio moves the
first frame, which stands for more than its own hop, to 0 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor, prod
from typing import Any, Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.schema import Tokens

Window = float | Literal["auto"] | None
"""Seconds; `auto` for what the model fixes, else ten; None for any length."""


class Family(Protocol):
    """What the encoder `hf` asks of a family: the facts of `Encoder`, and one call."""

    sample_rate: int
    window: float | None
    frame_rate: float | None
    layers: tuple[str, ...]
    dim: int
    sources: tuple[str, ...]

    def tokens(self, model: Any, audio: Tensor) -> Tokens:
        """Encode mono windows (batch, samples) by a loaded model on the same device."""
        ...


class ConvFrontEnd:
    """wav2vec 2.0, HuBERT, WavLM, MERT: strided convolutions over samples, then a transformer.

    Frames come every prod(conv_stride) samples, each heard through the receptive field of the
    convolutions (25 ms at 16 kHz). Half of it in silence goes before and after the normalised
    window. All hidden states are layers: `0` is the transformer's input. No attention mask is
    passed: there is no padding within a window.
    """

    sources: tuple[str, ...] = ("sequence",)

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        strides = list(config.conv_stride)
        reach = 1 + sum(
            (kernel - 1) * prod(strides[:index]) for index, kernel in enumerate(config.conv_kernel)
        )
        self.sample_rate: int = extractor.sampling_rate
        self.window = 10.0 if window == "auto" else window
        self.frame_rate: float | None = self.sample_rate / prod(strides)
        self.layers = tuple(str(layer) for layer in range(config.num_hidden_layers + 1))
        self.dim: int = config.hidden_size
        self._extractor = extractor
        self._lead = reach // 2

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        values = _extract(self._extractor, audio, "input_values")
        values = F.pad(values, (self._lead, self._lead))
        states = model(values, output_hidden_states=True).hidden_states
        return Tokens(sequence=torch.stack(states, dim=2))


class SpectrogramTransformer:
    """AST: overlapping patches of a log-mel spectrogram, with a class and a distillation token.

    A frame is the mean of the patches at one time over frequency; the class token is the mean of
    the two, as the model's own pooling has it. The window is as long as the model's positions.
    """

    sources: tuple[str, ...] = ("class", "sequence", "both")

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        rate: int = extractor.sampling_rate
        hop, length = rate // 100, rate // 40  # of Kaldi's filter bank: 10 and 25 ms
        step = config.time_stride * hop
        self._bands = (config.num_mel_bins - config.patch_size) // config.frequency_stride + 1
        self._times = (config.max_length - config.patch_size) // config.time_stride + 1
        self.sample_rate = rate
        self.window = (self._times - 1) * step / rate
        self.frame_rate: float | None = rate / step
        self.layers = tuple(str(layer) for layer in range(config.num_hidden_layers + 1))
        self.dim: int = config.hidden_size
        self._extractor = extractor
        self._lead = ((config.patch_size - 1) * hop + length) // 2
        self._samples = (config.max_length - 1) * hop + length
        _fixed(window, self.window)

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        assert self.frame_rate is not None
        seconds = audio.shape[1] / self.sample_rate
        _fits(seconds, self.window)
        padded = F.pad(audio, (self._lead, self._samples - self._lead - audio.shape[1]))
        values = _extract(self._extractor, padded, "input_values")
        states = torch.stack(model(values, output_hidden_states=True).hidden_states, dim=2)
        batch, _, layers, dim = states.shape
        patches = states[:, 2:].view(batch, self._bands, self._times, layers, dim)
        count = floor(seconds * self.frame_rate + 1e-6) + 1
        return Tokens(sequence=patches.mean(1)[:, :count], class_token=states[:, :2].mean(1))


class Clap:
    """CLAP's audio tower: one vector a window, before the projection into the space of texts.

    Its transformer folds time into an image, whose stages have sizes and grids of their own: it
    has neither frames nor layers of one size.
    """

    sources: tuple[str, ...] = ("class",)
    layers: tuple[str, ...] = ("pooled",)
    frame_rate: float | None = None

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        self.sample_rate: int = extractor.sampling_rate
        self.window = extractor.nb_max_samples / self.sample_rate
        self.dim: int = config.audio_config.hidden_size
        self._extractor = extractor
        _fixed(window, self.window)

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        _fits(audio.shape[1] / self.sample_rate, self.window)
        features = _extract(self._extractor, audio, "input_features")
        # the extractor would call a clip at random longer than the window
        longer = torch.zeros(len(audio), 1, dtype=torch.bool, device=audio.device)
        pooled = model.audio_model(input_features=features, is_longer=longer).pooler_output
        return Tokens(class_token=pooled[:, None])


class Encodec:
    """EnCodec's encoder, before quantisation; MusicGen hears through it.

    Frame i stands for the hop of samples that the codec decodes it to. The whole window is encoded
    at once, also by the 48 kHz model, which otherwise goes second by second; mono audio goes to
    both of its channels, and its loudness is normalised for each window.
    """

    sources: tuple[str, ...] = ("sequence",)
    layers: tuple[str, ...] = ("encoder",)

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        hop = prod(config.upsampling_ratios)
        self.sample_rate: int = config.sampling_rate
        self.window = 10.0 if window == "auto" else window
        self.frame_rate: float | None = self.sample_rate / hop
        self.dim: int = config.hidden_size
        self._channels: int = config.audio_channels
        self._normalize: bool = config.normalize
        self._lead = hop // 2

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        if self._normalize:
            audio = audio / (audio.square().mean(1, keepdim=True).sqrt() + 1e-8)
        padded = F.pad(audio, (self._lead, 0))
        frames = model.encoder(padded[:, None].expand(-1, self._channels, -1))  # (B, D, T)
        return Tokens(sequence=frames.transpose(1, 2)[:, :, None])


FAMILIES: Mapping[str, Callable[[Any, Any, Window], Family]] = {
    "wav2vec2": ConvFrontEnd,
    "hubert": ConvFrontEnd,
    "wavlm": ConvFrontEnd,
    "mert_model": ConvFrontEnd,
    "audio-spectrogram-transformer": SpectrogramTransformer,
    "clap": Clap,
    "encodec": Encodec,
}
"""By the `model_type` of a configuration."""


def _extract(extractor: Any, audio: Tensor, name: str) -> Tensor:
    """What the model's own feature extractor makes of windows of one length."""
    values: Tensor = extractor(
        list(audio.cpu().numpy()), sampling_rate=extractor.sampling_rate, return_tensors="pt"
    )[name]
    return values.to(audio.device)


def _fixed(asked: Window, window: float) -> None:
    if asked not in ("auto", window):
        raise ConfigError(f"works in windows of {window} s alone; leave window={asked} out")


def _fits(seconds: float, window: float) -> None:
    if seconds > window + 1e-6:
        raise EncoderError(f"was given {seconds:.3f} s of audio; its window is {window} s")
