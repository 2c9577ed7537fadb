"""The families of audio models in transformers: their tokens and frame times.

A family needs only the configuration and the feature extractor of a model. Frame i of its tokens
is centred at i / frame_rate. To centre the first frame at 0 s, `lead` samples of silence precede
the audio.
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
"""Seconds; `auto`: the length that the model requires, else 10 s; None: any length."""


class Family(Protocol):
    """The part of the encoder `hf` that depends on the family; attributes as in `Encoder`."""

    sample_rate: int
    window: float | None
    frame_rate: float | None
    layers: tuple[str, ...]
    dim: int
    sources: tuple[str, ...]

    def tokens(self, model: Any, audio: Tensor) -> Tokens:
        """Encode mono windows (batch, samples) with a loaded model on the same device."""
        ...


class ConvFrontEnd:
    """wav2vec 2.0, HuBERT, WavLM, data2vec-audio, MERT: convolutions, then a transformer.

    The hop is prod(conv_stride) samples. The convolutions have a receptive field of 25 ms at 16
    kHz; the normalised window is padded with half of it at each end. All hidden states are layers;
    layer `0` is the input of the transformer. No attention mask is needed, since no window contains
    padding.
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
        _require_features(extractor, "input_values", 2 * reach, (2 * reach,))

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        values = _extract(self._extractor, audio, "input_values")
        values = F.pad(values, (self._lead, self._lead))
        states = model(values, output_hidden_states=True).hidden_states
        return Tokens(sequence=torch.stack(states, dim=2))


class SpectrogramTransformer:
    """AST: overlapping patches of a log-mel spectrogram, with a class and a distillation token.

    A frame is the mean over frequency of the patches at one time. The class token is the mean of
    the class and the distillation token, as in the pooling of the model. The position embeddings
    of the model determine the length of the window.
    """

    sources: tuple[str, ...] = ("class", "sequence", "both")

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        rate: int = extractor.sampling_rate
        hop, length = rate // 100, rate // 40  # of the Kaldi filter bank: 10 and 25 ms
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
        taken = (config.max_length, config.num_mel_bins)
        _require_features(extractor, "input_values", self._samples, taken)

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


class Whisper:
    """The encoder of Whisper, up to 30 s of log-mel frames; the decoder is not used.

    A frame is two frames of the spectrogram, which are centred: frame i is centred at i * 20 ms.
    The position embeddings determine the length of the window. All hidden states are layers; layer
    `0` is the input of the transformer.
    """

    sources: tuple[str, ...] = ("sequence",)

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        self.sample_rate: int = extractor.sampling_rate
        self.frame_rate: float | None = self.sample_rate / (2 * extractor.hop_length)
        self.window = (config.max_source_positions - 1) / self.frame_rate
        self.layers = tuple(str(layer) for layer in range(config.encoder_layers + 1))
        self.dim: int = config.d_model
        self._extractor = extractor
        _fixed(window, self.window)
        taken = (config.num_mel_bins, 2 * config.max_source_positions)
        _require_features(extractor, "input_features", self.sample_rate, taken)

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        assert self.frame_rate is not None
        seconds = audio.shape[1] / self.sample_rate
        _fits(seconds, self.window)
        features = _extract(self._extractor, audio, "input_features")
        states = model.encoder(features, output_hidden_states=True).hidden_states
        count = floor(seconds * self.frame_rate + 1e-6) + 1
        return Tokens(sequence=torch.stack(states, dim=2)[:, :count])


class Clap:
    """The audio tower of CLAP: one vector per window, before the projection to the text space.

    The transformer reshapes the spectrogram to an image, and its stages differ in dimension and
    resolution. The family therefore has no frames and only one layer.
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
        tower = config.audio_config
        frames = 1 + extractor.nb_max_samples // extractor.hop_length
        if frames > tower.spec_size * (tower.spec_size // tower.num_mel_bins):
            raise ConfigError(
                f"takes fewer frames than the {frames} of its feature extractor; fetch both again"
            )
        channels = 4 if tower.enable_fusion and extractor.truncation == "fusion" else 1
        taken = (channels, frames, tower.num_mel_bins)
        _require_features(extractor, "input_features", extractor.nb_max_samples, taken)

    def tokens(self, model: Any, audio: Tensor) -> Tokens:  # noqa: D102
        _fits(audio.shape[1] / self.sample_rate, self.window)
        features = _extract(self._extractor, audio, "input_features")
        # the extractor marks a random clip as longer than the window
        longer = torch.zeros(len(audio), 1, dtype=torch.bool, device=audio.device)
        pooled = model.audio_model(input_features=features, is_longer=longer).pooler_output
        return Tokens(class_token=pooled[:, None])


class Encodec:
    """The encoder of EnCodec before quantisation, which MusicGen uses, too.

    Frame i represents the samples of one hop that the codec decodes from it. A window is encoded in
    one call, also by the 48 kHz model, which by default encodes segments of one second. For the 48
    kHz model, both channels receive the mono audio, normalised to equal power for each window.
    """

    sources: tuple[str, ...] = ("sequence",)
    layers: tuple[str, ...] = ("encoder",)

    def __init__(self, config: Any, extractor: Any, window: Window) -> None:
        hop = prod(config.upsampling_ratios)
        self.sample_rate: int = config.sampling_rate
        self.window = 10.0 if window == "auto" else window
        self.frame_rate: float | None = self.sample_rate / hop
        self.dim: int = config.hidden_size
        if extractor.sampling_rate != self.sample_rate:
            raise ConfigError(
                f"works at {self.sample_rate} Hz and its feature extractor at "
                f"{extractor.sampling_rate}; fetch both from one model"
            )
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
    "data2vec-audio": ConvFrontEnd,
    "mert_model": ConvFrontEnd,
    "audio-spectrogram-transformer": SpectrogramTransformer,
    "whisper": Whisper,
    "clap": Clap,
    "encodec": Encodec,
}
"""`model_type` of a configuration -> family."""


def _extract(extractor: Any, audio: Tensor, name: str) -> Tensor:
    """The features that the feature extractor of the model computes for windows of one length."""
    values: Tensor = extractor(
        list(audio.cpu().numpy()), sampling_rate=extractor.sampling_rate, return_tensors="pt"
    )[name]
    return values.to(audio.device)


def _require_features(extractor: Any, name: str, samples: int, taken: tuple[int, ...]) -> None:
    """Refuse a feature extractor that does not give what the model takes of so many samples.

    Raises:
        ConfigError: it fails, or its features have another shape.
    """
    kind = type(extractor).__name__
    try:
        found = tuple(_extract(extractor, torch.zeros(1, samples), name).shape[1:])
    except Exception as error:
        raise ConfigError(
            f"cannot use its feature extractor, a {kind} ({type(error).__name__}: {error}); fetch "
            "both from one model"
        ) from error
    if found != taken:
        raise ConfigError(
            f"takes {name} of shape {taken}, and its feature extractor, a {kind}, gives {found}; "
            "fetch both from one model"
        )


def _fixed(asked: Window, window: float) -> None:
    if asked not in ("auto", window):
        raise ConfigError(f"supports only windows of {window} s; omit window={asked}")


def _fits(seconds: float, window: float) -> None:
    if seconds > window + 1e-6:
        raise EncoderError(f"received {seconds:.3f} s of audio; its window is {window} s")
