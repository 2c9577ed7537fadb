"""Encoders made of others: side by side, fewer layers, fewer frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose

import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.api.encoder import Encoder, EncoderInfo, combined_info, context_of, info_of
from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Tokens
from mirprobe.core.torch_transforms import VERSION, resample
from mirprobe.encoders.cast_loss import part_dims
from mirprobe.encoders.encode import encode, select_layers, to_device

_REVISION = 1  # part of the fingerprints: raise it when a change here changes the numbers


class _DerivedEncoder:
    """Copies the members of the encoder that it is derived from; a subclass changes some."""

    sample_rate: int
    window: float | None
    context: float
    frame_rate: float | None
    layers: tuple[str, ...]
    dim: int
    sources: tuple[str, ...]
    fingerprint: str
    part_dims: tuple[int, ...]
    _parts: Mapping[str, Encoder]

    @property
    def info(self) -> EncoderInfo:
        """The combined info of its parts."""
        return combined_info([info_of(name, part) for name, part in self._parts.items()])

    def _copy(self, name: str, encoder: Encoder) -> None:
        self._parts, self._name, self._encoder = {name: encoder}, name, encoder
        self.sample_rate, self.window = encoder.sample_rate, encoder.window
        self.context = context_of(encoder)
        self.frame_rate, self.layers = encoder.frame_rate, tuple(encoder.layers)
        self.dim, self.sources = encoder.dim, tuple(encoder.sources)
        self.part_dims = part_dims(encoder)


class Concat(_DerivedEncoder):
    """The concatenated dimensions of several encoders.

    Audio is resampled from the highest sample rate to that of each encoder. Frames are
    interpolated linearly to the highest frame rate. An encoder with one layer is repeated for each
    layer of the others; otherwise layers are paired in order. If only some have a window, the
    others use it too. Each encoder gets the context that it declares.

    Args:
        parts: at least two encoders, by their specifications.

    Raises:
        ConfigError: there are fewer than two; windows or numbers of layers differ; only some have
            frames; no pooling is offered by all.
    """

    def __init__(self, parts: Mapping[str, Encoder]) -> None:
        names = ", ".join(parts)
        if len(parts) < 2:
            raise ConfigError(f"concat({names}): give two different encoders at least")
        encoders = list(parts.values())
        self._parts = dict(parts)
        self.sample_rate = max(encoder.sample_rate for encoder in encoders)
        self.window = _one_window(parts)
        self.context = max(context_of(encoder) for encoder in encoders)
        rates = [encoder.frame_rate for encoder in encoders]
        known = [rate for rate in rates if rate is not None]
        if known and len(known) < len(rates):
            without = next(name for name, part in parts.items() if part.frame_rate is None)
            raise ConfigError(
                f"concat({names}): '{without}' has no frames and others have; leave it"
            )
        self.frame_rate = max(known) if known else None
        self.layers = _paired_layers(parts)
        self.part_dims = tuple(dim for encoder in encoders for dim in part_dims(encoder))
        self.dim = sum(self.part_dims)
        # without frames, sequence tokens cannot be aligned in time
        offered = ("class", "sequence", "both") if known else ("class",)
        self.sources = tuple(
            source for source in offered if all(source in part.sources for part in encoders)
        )
        if not self.sources:
            raise ConfigError(f"concat({names}): they share no source of {', '.join(offered)}")
        self.fingerprint = digest(
            "concat", _REVISION, VERSION, [part.fingerprint for part in encoders]
        )

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode (batch, samples) with each part, and concatenate the tokens."""
        sequences, class_tokens = [], []
        seconds = audio.shape[1] / self.sample_rate
        for name, part in self._parts.items():
            own = audio
            if part.sample_rate != self.sample_rate:
                size = max(1, round(seconds * part.sample_rate))
                own = resample(audio, self.sample_rate, part.sample_rate)
                own = F.pad(own, (0, size - own.shape[1]))
            surplus = round((self.context - context_of(part)) * part.sample_rate)
            own = own[:, surplus : own.shape[1] - surplus]
            tokens = _part_call(name, part, own)
            if self.frame_rate is not None and tokens.sequence is not None:
                sequences.append((tokens.sequence, part.frame_rate))
            if tokens.class_token is not None:
                class_tokens.append(self._spread(tokens.class_token, 1))
        count = len(self._parts)
        sequence = None
        if len(sequences) == count:
            time = max(s.shape[1] for s, r in sequences if r == self.frame_rate)
            aligned = [self._aligned(s, r, time) for s, r in sequences]
            sequence = torch.cat(aligned, dim=-1)
        together = torch.cat(class_tokens, dim=-1) if len(class_tokens) == count else None
        return Tokens(sequence, together)

    def _aligned(self, sequence: Tensor, rate: float | None, time: int) -> Tensor:
        """(B, t, l, D) at one frame rate to (B, time, L, D) at the highest."""
        assert rate is not None
        assert self.frame_rate is not None
        if rate != self.frame_rate or sequence.shape[1] != time:
            positions = torch.arange(time, device=sequence.device) * (rate / self.frame_rate)
            positions = positions.clamp(max=sequence.shape[1] - 1)
            below = positions.floor().long()
            above = (below + 1).clamp(max=sequence.shape[1] - 1)
            share = (positions - below).to(sequence.dtype)[:, None, None]
            sequence = sequence[:, below] * (1 - share) + sequence[:, above] * share
        return self._spread(sequence, 2)

    def _spread(self, tokens: Tensor, dim: int) -> Tensor:
        """Repeat a single layer for each layer of the others."""
        sizes = [-1] * tokens.ndim
        sizes[dim] = len(self.layers)
        return tokens.expand(sizes)


class Layers(_DerivedEncoder):
    """An encoder with only some of its layers.

    Args:
        name: the encoder's specification.
        encoder: the encoder.
        kept: the names of these layers.

    Raises:
        ConfigError: there is no name, a name twice, or an unknown one.
    """

    def __init__(self, name: str, encoder: Encoder, kept: Sequence[str]) -> None:
        for layer in kept:
            if layer not in encoder.layers:
                has = ", ".join(encoder.layers)
                raise ConfigError(f"layers({name}, ...): unknown layer '{layer}'; it has {has}")
        if not kept or len(set(kept)) < len(kept):
            raise ConfigError(f"layers({name}, ...): name one layer at least, and none twice")
        self._copy(name, encoder)
        self._indices = [list(encoder.layers).index(layer) for layer in kept]
        self.layers = tuple(kept)
        self.fingerprint = digest("layers", _REVISION, encoder.fingerprint, list(kept))

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode (batch, samples); the tokens of the other layers are dropped."""
        return select_layers(_part_call(self._name, self._encoder, audio), self._indices)


class Pool(_DerivedEncoder):
    """An encoder with every `hop` frames averaged into one, and its frame rate divided by `hop`.

    Pooled frame j is the mean of the frames within hop / 2 of frame j * hop. If `hop` is even, the
    two outermost frames have half the weight. At the ends of a window, fewer frames are averaged.

    Args:
        name: the encoder's specification.
        encoder: the encoder.
        hop: number of frames, at least two.

    Raises:
        ConfigError: `hop` is smaller, or longer than a window, or the encoder has no frames.
    """

    def __init__(self, name: str, encoder: Encoder, hop: int) -> None:
        if encoder.frame_rate is None:
            raise ConfigError(f"pool({name},{hop}): '{name}' has no frames")
        if hop < 2:
            raise ConfigError(f"pool({name},{hop}): hop must be 2 at least")
        if encoder.window is not None and encoder.window * encoder.frame_rate < hop:
            raise ConfigError(f"pool({name},{hop}): a window has fewer frames; take a smaller hop")
        self._copy(name, encoder)
        self._hop = hop
        self.frame_rate = encoder.frame_rate / hop
        self.fingerprint = digest("pool", _REVISION, encoder.fingerprint, hop)

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode (batch, samples); class tokens stay as they are."""
        tokens = _part_call(self._name, self._encoder, audio)
        if tokens.sequence is None:
            raise EncoderError(f"'{self._name}' returned no sequence of tokens")
        _, time, layers, dim = tokens.sequence.shape
        flat = tokens.sequence.flatten(2)  # (B, T, L * D)
        centres = torch.arange(0, time, self._hop, device=flat.device)
        reach = self._hop // 2
        total, weights = torch.zeros_like(flat[:, centres]), flat.new_zeros(len(centres), 1)
        for step in range(-reach, reach + 1):
            weight = 0.5 if self._hop % 2 == 0 and abs(step) == reach else 1.0
            places = centres + step
            there = ((places >= 0) & (places < time)).to(flat.dtype)[:, None] * weight
            total += flat[:, places.clamp(0, time - 1)] * there
            weights += there
        pooled = (total / weights).reshape(len(flat), len(centres), layers, dim)
        return Tokens(pooled, tokens.class_token)


def _part_call(name: str, part: Encoder, audio: Tensor) -> Tokens:
    """Call a part on the device of `audio`, and check its tokens."""
    to_device(part, audio.device)
    try:
        return encode(part, audio)
    except EncoderError as error:
        raise EncoderError(f"has the part '{name}', which {error}") from error


def _one_window(parts: Mapping[str, Encoder]) -> float | None:
    windows = {name: part.window for name, part in parts.items() if part.window is not None}
    if not windows:
        return None
    (first, window), *others = windows.items()
    for name, other in others:
        if not isclose(window, other):
            raise ConfigError(
                f"concat({', '.join(parts)}): '{first}' takes windows of {window:g} s and '{name}' "
                f"of {other:g} s; combine encoders of one window, or of any length"
            )
    return window


def _paired_layers(parts: Mapping[str, Encoder]) -> tuple[str, ...]:
    """The names of the paired layers; different names are joined by `+`."""
    several = [(name, tuple(part.layers)) for name, part in parts.items() if len(part.layers) > 1]
    if not several:
        return ("+".join(dict.fromkeys(part.layers[0] for part in parts.values())),)
    first, layers = several[0]
    for name, other in several[1:]:
        if len(other) != len(layers):
            raise ConfigError(
                f"concat({', '.join(parts)}): '{first}' has {len(layers)} layers and '{name}' "
                f"{len(other)}; choose as many of each, as in layers({name},{other[-1]})"
            )
    rows = zip(*(names for _, names in several), strict=True)
    return tuple("+".join(dict.fromkeys(row)) for row in rows)
