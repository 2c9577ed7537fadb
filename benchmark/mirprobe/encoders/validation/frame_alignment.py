"""Measure the times of an encoder's frames with impulses at known times in quiet noise.

Ten minutes of noise have sixteen impulses, eight near the beginning and eight near the end, each at
a different phase between two frames. The noise is encoded with and without the impulses, in the
windows of a run. The response of a frame to an impulse is its squared distance between the two. The
centre of a response is the mean position of its frames, weighted by this energy. Frames with a wide
receptive field, or that are normalised separately, respond more on one side or the other depending
on the noise; the standard error over the impulses gives the uncertainty of the mean.
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
_APART = 4.0  # seconds, and at least 16 frames: longer than most receptive fields
_EACH = 8  # impulses at either end
_PHASES = (np.arange(_EACH) + 0.5) / _EACH  # within a frame; their mean is its middle
_FLOOR = 0.1  # relative to the maximum: weaker frames do not affect the centre
_LOCAL = 0.25  # maximum of the median frame, relative to the strongest
_BATCH = 8


@dataclass(frozen=True)
class ImpulseResponse:
    """Offset and drift of the frames of the layer with the sharpest response.

    Attributes:
        layer: its name.
        offset: mean distance of the responses from their impulses, in frames; positive if late.
        offset_error: its standard error.
        drift: mean offset of the last eight minus that of the first eight, ten minutes earlier.
        drift_error: its standard error.
        localised: whether frames near an impulse respond clearly more than others. If no layer is
            localised, the numbers have no meaning.
    """

    layer: str
    offset: float
    offset_error: float
    drift: float
    drift_error: float
    localised: bool


def measure(encoder: Encoder, device: str = "cpu") -> ImpulseResponse:
    """Measure the responses of an encoder to impulses.

    Raises:
        EncoderError: it fails, has no frames, or breaks its contract.
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
    return ImpulseResponse(
        encoder.layers[layer],
        float(offsets[:, layer].mean()),
        float(offsets[:, layer].std(ddof=1) / len(offsets) ** 0.5),
        float(late.mean() - early.mean()),
        float(np.sqrt((early.var(ddof=1) + late.var(ddof=1)) / _EACH)),
        bool(localised[layer]),
    )


def _places(encoder: Encoder) -> tuple[Floats, int, int]:
    """Positions of the impulses in frames, frames to search around each, and number of samples.

    Each impulse is in the middle of a separate window, so that no window edge cuts its response.
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
        The centre, the number of frames with at least half of the maximum, and the median relative
        to the maximum.
    """
    first = max(0, place - reach)
    around = energy[first : place + reach + 1]
    highest, median = around.max(axis=0), np.median(around, axis=0)
    # a layer that mixes all frames responds a little everywhere
    risen = np.clip(around - median, 0, None)
    risen[risen < risen.max(axis=0) * _FLOOR] = 0
    frames = first + np.arange(len(around))[:, None]
    total = risen.sum(axis=0)
    still = total == 0
    centre = (risen * frames).sum(axis=0) / np.where(still, 1, total)
    width = (risen >= risen.max(axis=0) / 2).sum(axis=0).astype(float)
    return centre, width, np.where(still, 1, median / np.where(still, 1, highest))


def _energy(encoder: Encoder, length: int, impulses: NDArray[np.int_], device: str) -> Floats:
    """(time, layers): the response energy of each frame to the impulses."""
    noise = np.random.default_rng(0).normal(0, NOISE, length).astype(np.float32)
    struck = noise.copy()
    struck[impulses] = IMPULSE
    layout = layout_windows(length, encoder)
    struck_windows, noise_windows = layout.cut(struck), layout.cut(noise)
    # windows without an impulse are equal in both and are not encoded
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
