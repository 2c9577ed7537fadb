"""The Encoder protocol: audio in, tokens out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import nan
from typing import TYPE_CHECKING, Any, Protocol

from mirprobe.api.optional import OptionalMember
from mirprobe.core.errors import PluginError
from mirprobe.core.schema import Tokens

if TYPE_CHECKING:  # `mirprobe list` starts without torch
    import torch
    from torch import Tensor


class Encoder(Protocol):
    """Turns windows of audio into tokens. It does not see data sets, files or the cache.

    A plug-in of the entry-point group `mirprobe.encoders` is a class that is built as
    `factory(**options)`. Construction must be cheap. Load weights at the first call: construction
    must work where they are missing. A run whose embeddings are all cached encodes one track, to
    compare it with the cache; not so for the encoders of this package whose code has not changed.

    Attributes are read once and cast to the types below. What construction or a call changes in the
    process is put back at its end: settings and random state of torch, settings of numpy, working
    folder, standard streams, search path, modules, environment. Added paths, modules and variables
    stay.

    Attributes:
        sample_rate: in Hz. The harness resamples audio to it.
        window: seconds of audio per call, or None for any length. The harness cuts the track into
            windows, pads a short track and joins the frames of all windows.
        frame_rate: tokens per second; None for an encoder without frames.
        layers: the names of the layers of the tokens, in order.
        dim: size of one token.
        sources: the poolings that give a clip vector: `class` (the class token), `sequence` (mean
            of the sequence tokens), `both` (mean of all tokens).
        fingerprint: a hash over weights, configuration and preprocessing. Encoders with equal
            fingerprints give equal embeddings, except for the last bits, which depend on device,
            batch and number of threads. It is known before the weights are loaded. For a class in
            a file the harness adds a hash of the source.

    Optional attributes:
        context: seconds of the track before and after each window that a call needs as well;
            default 0. Only for an encoder with a window. Tokens are those of the window: frame i is
            centred at `context` + i / `frame_rate` seconds of the input. Read by `context_of`.
        draw_option: name of the option that seeds random weights, empty if it was given; default
            empty. With a name the encoder is a family: a run encodes several draws and averages
            their scores. Read by `draw_option_of`.
        info: an `EncoderInfo`; default `EncoderInfo()`. Read by `info_of`.
        positional: on the class: names of the options whose `key=` may be left out of a
            specification; default `()`. Read by `positional_of`.
    """

    sample_rate: int
    window: float | None
    frame_rate: float | None
    layers: tuple[str, ...]
    dim: int
    sources: tuple[str, ...]
    fingerprint: str

    def __call__(self, audio: Tensor) -> Tokens:
        """Encode mono windows (batch, samples) in [-1, 1] on the device of `audio`, a copy."""
        ...


context_of = OptionalMember("context", 0.0)
"""Seconds of audio that an encoder needs on either side of a window."""


draw_option_of = OptionalMember("draw_option", "")
"""The option that seeds random weights, if it was not given: the encoder is a family of draws."""


@dataclass(frozen=True)
class EncoderInfo:
    """Facts about an encoder that the leaderboard shows with its scores.

    Attributes:
        parameters: number of weights, trained or random; 0 for signal processing, None if unknown.
        licence: of the weights, as an SPDX identifier if there is one; empty if unknown.
        supervised: the tasks for which the encoder was trained with labels. On these tasks it is a
            ceiling: it is shown, but not ranked.
        trained_on: names of the data sets with whose audio it was trained, such as `magnatagatune`,
            or of other corpora; empty if there are none, None if that is not declared. On these
            data sets it is marked, and ranked apart.
        training_ids: of tracks that it was trained on; default none. A run warns of test tracks
            among them, and leaves them out with `--drop-leaks test`.
    """

    parameters: int | None = None
    licence: str = ""
    supervised: tuple[str, ...] = ()
    trained_on: tuple[str, ...] | None = None
    training_ids: Collection[str] = ()


About = EncoderInfo  # former name


class _LazyInfo(cached_property[EncoderInfo]):
    """A cached property; on the class it gives the static facts."""

    def __init__(self, compute: Callable[[Any], EncoderInfo], static: EncoderInfo) -> None:
        super().__init__(compute)
        self._static = static

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self._static if instance is None else super().__get__(instance, owner)


def lazy_info(licence: str) -> Callable[[Callable[[Any], EncoderInfo]], Any]:
    """Decorator of a method `info` that is computed once per encoder.

    `mirprobe list encoders` reads the class, where `info` gives the licence only.
    """
    return lambda compute: _LazyInfo(compute, EncoderInfo(licence=licence))


INFO_COLUMNS = {
    "model_parameters": "Int64",
    "dim": "int",
    "frame_rate": "float",
    "licence": "str",
    "supervised": "str",
    "trained_on": "str",
}
"""The last columns of `scores.csv`, with their pandas types."""
NOT_DECLARED = "not declared"  # in the column `trained_on`


def info_of(name: str, encoder: Encoder) -> EncoderInfo:
    """The attribute `info` of an encoder, or `EncoderInfo()` where it has none.

    Args:
        name: the specification of the encoder, for messages.
        encoder: its weights are not loaded.

    Raises:
        PluginError: the attribute is not an `EncoderInfo`, or one of its fields is text.
    """
    former: object = getattr(encoder, "about", EncoderInfo())  # former name of the attribute
    found = OptionalMember("info", former)(encoder)
    if not isinstance(found, EncoderInfo):
        kind = type(found).__name__
        raise PluginError(f"encoder '{name}': its info is a {kind}, not an EncoderInfo")
    for field in ("supervised", "trained_on", "training_ids"):
        if isinstance(getattr(found, field), str):
            raise PluginError(
                f"encoder '{name}': {field} of its info is text; give a tuple of names"
            )
    return found


def info_columns(name: str, encoder: Encoder) -> dict[str, Any]:
    """The values of `INFO_COLUMNS` for an encoder.

    Tasks in `supervised` are joined by spaces, names in `trained_on` by commas.

    Raises:
        PluginError: as for `info_of`.
    """
    info = info_of(name, encoder)
    frame_rate = nan if encoder.frame_rate is None else encoder.frame_rate
    corpora = NOT_DECLARED if info.trained_on is None else ", ".join(info.trained_on)
    texts = (info.licence, " ".join(info.supervised), corpora)
    values = (info.parameters, encoder.dim, frame_rate, *texts)
    return dict(zip(INFO_COLUMNS, values, strict=True))


def combined_info(parts: Sequence[EncoderInfo]) -> EncoderInfo:
    """The info of encoders used together: all parameters, licences, tasks and data sets."""
    known = [part.trained_on for part in parts if part.trained_on is not None]
    corpora = tuple(dict.fromkeys(name for names in known for name in names))
    counts = [part.parameters for part in parts if part.parameters is not None]
    return EncoderInfo(
        sum(counts) if len(counts) == len(parts) else None,
        " AND ".join(dict.fromkeys(part.licence for part in parts if part.licence)),
        tuple(dict.fromkeys(task for part in parts for task in part.supervised)),
        corpora if corpora or len(known) == len(parts) else None,
        tuple(id for part in parts for id in part.training_ids),
    )


def count_parameters(build: Callable[[], torch.nn.Module]) -> int:
    """The number of parameters of a model, without allocating or initialising them.

    Args:
        build: makes the model; called with `meta` as torch's default device.
    """
    import torch

    with torch.device("meta"):
        model = build()
    return sum(parameter.numel() for parameter in model.parameters())
