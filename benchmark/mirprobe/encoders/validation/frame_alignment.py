"""When an encoder's frames react: impulses at known times, in noise that is otherwise quiet.

Sixteen impulses lie in ten minutes of noise, eight near the beginning and eight near the end, each
at another place between two frames. The noise is encoded with and without them, through the windows
that a run would cut. Where the two differ, a frame has reacted; the centre of a reaction is the
mean of its frames, each weighted by its energy, the squared distance between the two. Frames that
hear a second around them, or are normalised one by one, react more to one side or the other as the
noise will have it; the standard error over the impulses says how far a mean can be trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import torch
from numpy.typing import NDArray

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import EncoderError
from mirprobe.core.schema import Floating, Floats
from mirprobe.encoders.encode import encode
from mirprobe.encoders.windows import layout_windows, stitch

SECONDS = 600.0
NOISE, IMPULSE = 1e-3, 0.9  # standard deviation; peak
_APART = 4.0  # seconds, and 16 frames at least: longer than what most frames hear
_EACH = 8  # impulses at either end
_PHASES = (np.arange(_EACH) + 0.5) / _EACH  # of a frame; their mean favours neither neighbour
_FLOOR = 0.1  # of the strongest frame: what reacts less does not move the centre
_LOCAL = 0.25  # what the median frame may do, relative to the strongest
_BATCH = 8


@dataclass(frozen=True)
class Reaction:
    """How the frames of the layer that reacts most sharply lie in time.

    Attributes:
        layer: its name.
        offset: mean distance of the reactions from their impulses, in frames; positive where they
            are late.
        offset_error: its standard error.
        drift: mean distance of the last eight less that of the first eight, ten minutes before.
        drift_error: its standard error.
        localised: whether the frames near an impulse react clearly more than the others; where no
            layer does so, the numbers mean nothing.
    """

    layer: str
    offset: float
    offset_error: float
    drift: float
    drift_error: float
    localised: bool


def measure(encoder: Encoder, device: str = "cpu") -> Reaction:
    """Where an encoder with frames has its reactions to impulses.

    Raises:
        EncoderError: it fails, has no frames, or breaks its promises.
    """
    if encoder.frame_rate is None:
        raise EncoderError("has no frame_rate")
    places, reach, length = _places(encoder)
    samples = np.round(places / encoder.frame_rate * encoder.sample_rate).astype(int)
    energy = _energy(encoder, length, samples, device)
    expected = samples / encoder.sample_rate * encoder.frame_rate
    found = [_centres(energy, round(place), reach) for place in expected]
    centres, widths, floors = (np.stack(values) for values in zip(*found, strict=True))
    offsets = centres - expected[:, None]  # (impulses, layers)
    localised = floors.mean(0) <= _LOCAL
    layer = int(np.argmin(np.where(localised, widths.mean(0), np.inf)))
    early, late = offsets[:_EACH, layer], offsets[_EACH:, layer]
    return Reaction(
        encoder.layers[layer],
        float(offsets[:, layer].mean()),
        float(offsets[:, layer].std(ddof=1) / len(offsets) ** 0.5),
        float(late.mean() - early.mean()),
        float(np.sqrt((early.var(ddof=1) + late.var(ddof=1)) / _EACH)),
        bool(localised[layer]),
    )


def _places(encoder: Encoder) -> tuple[Floats, int, int]:
    """Where the impulses lie, in frames; how far around to look; how many samples there are.

    Each lies in the middle of a window of its own, so that no reaction is cut off by its edge.
    """
    rate = encoder.frame_rate
    assert rate is not None
    apart = max(_APART * rate, 16.0)  # frames
    block = int(apart) if encoder.window is None else floor(encoder.window * rate + 1e-6)
    stride = block * ceil(apart / max(1, block))
    seconds = max(SECONDS, (2 * _EACH + 4) * stride / rate)
    middles = stride * np.arange(_EACH) + block // 2
    last = floor(seconds * rate / stride - 2) * stride
    late = last - stride * np.arange(_EACH)[::-1] + block // 2
    places = np.concatenate([middles + _PHASES, late + _PHASES])
    return places, max(1, (block - 1) // 2), round(seconds * encoder.sample_rate)


def _centres(energy: Floats, place: int, reach: int) -> tuple[Floats, Floats, Floats]:
    """Of the reactions within `reach` frames of `to_device`, each (layers,).

    Returns:
        Their centres, how many frames react at least half as strongly as the strongest, and how
        strongly the median frame does, relative to it.
    """
    first = max(0, place - reach)
    around = energy[first : place + reach + 1]
    highest, median = around.max(axis=0), np.median(around, axis=0)
    # a layer that mixes all frames reacts a little everywhere
    risen = np.clip(around - median, 0, None)
    risen[risen < risen.max(axis=0) * _FLOOR] = 0
    frames = first + np.arange(len(around))[:, None]
    total = risen.sum(axis=0)
    still = total == 0
    centre = (risen * frames).sum(axis=0) / np.where(still, 1, total)
    width = (risen >= risen.max(axis=0) / 2).sum(axis=0).astype(float)
    return centre, width, np.where(still, 1, median / np.where(still, 1, highest))


def _energy(encoder: Encoder, length: int, impulses: NDArray[np.int_], device: str) -> Floats:
    """(time, layers): how strongly each frame of the whole reacts to the impulses."""
    noise = np.random.default_rng(0).normal(0, NOISE, length).astype(np.float32)
    struck = noise.copy()
    struck[impulses] = IMPULSE
    layout = layout_windows(length, encoder)
    struck_windows, noise_windows = layout.cut(struck), layout.cut(noise)
    # the windows without an impulse are the same in both, and are not encoded at all
    hit = [
        number
        for number, start in enumerate(layout.starts)
        if (
            (impulses >= start - layout.context) & (impulses < start + layout.size + layout.context)
        ).any()
    ]
    batch = 1 if encoder.window is None else _BATCH
    reactions: dict[int, Floats] = {}
    for begin in range(0, len(hit), batch):
        numbers = hit[begin : begin + batch]
        with_impulse = _frames(encoder, [struck_windows[n] for n in numbers], device)
        without = _frames(encoder, [noise_windows[n] for n in numbers], device)
        energy = (with_impulse - without).square().sum(-1).double().cpu().numpy()
        reactions.update(zip(numbers, energy, strict=True))
    still = np.zeros_like(next(iter(reactions.values())))
    parts: list[Floating] = [
        reactions.get(number, still)[..., None] for number in range(len(layout.starts))
    ]
    return np.asarray(stitch(parts, layout, encoder)[..., 0], dtype=np.float64)


def _frames(
    encoder: Encoder, windows: list[NDArray[np.float32]], device: str
) -> torch.Tensor:  # (B, T, L, D)
    tokens = encode(encoder, torch.from_numpy(np.stack(windows)).to(device))
    if tokens.sequence is None:
        raise EncoderError("declares a frame_rate but returns no sequence of tokens")
    return tokens.sequence.float()
