"""Cut a track into an encoder's windows, and stitch the windows' frames back into one track.

Windows begin on whole frames, so that frame i of the stitched track is centred at i / frame_rate
seconds. A frame that two windows share (the last of one is the first of the next when frames are
centred) is taken once. The last window is drawn back to end with the track rather than padded; only
a track shorter than a window is padded with zeros, and frames past its end are dropped. An encoder
that declares a context is given that much of the track on either side of each window too; before
the track's start and past its end it is the track mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.encoder import Encoder, context_of
from mirprobe.core.errors import EncoderError
from mirprobe.core.schema import Floating

Array = NDArray[np.float32]


@dataclass(frozen=True)
class WindowLayout:
    """Where the windows of one track lie.

    Attributes:
        starts: first sample of each window.
        frames: index, in the stitched track, of each window's first frame.
        size: samples in a window.
        samples: of the track.
        context: samples of the track on either side of a window.
    """

    starts: tuple[int, ...]
    frames: tuple[int, ...]
    size: int
    samples: int
    context: int = 0

    @property
    def padded(self) -> bool:
        """Whether the track is shorter than its one window."""
        return self.samples < self.size

    def cut(self, audio: Array) -> list[Array]:
        """(samples,) to the windows, each (size + 2 * context,)."""
        missing = max(0, self.starts[-1] + self.size - len(audio))
        if missing and (self.padded or not self.context):
            audio, missing = np.pad(audio, (0, missing)), 0
        if self.context:  # what the last window lacks of a frame is mirrored with the rest
            audio = np.pad(audio, (self.context, self.context + missing), mode="reflect")
        return [audio[start : start + self.size + 2 * self.context] for start in self.starts]


def samples_per_call(encoder: Encoder, seconds: float) -> int:
    """Samples that a call takes for a window of so many seconds, context and all."""
    return round(seconds * encoder.sample_rate) + 2 * _context(encoder)


def _context(encoder: Encoder) -> int:
    return 0 if encoder.window is None else round(context_of(encoder) * encoder.sample_rate)


def layout_windows(samples: int, encoder: Encoder) -> WindowLayout:
    """Plan the windows of a track of `samples` samples at the encoder's sample rate.

    Raises:
        EncoderError: the encoder's window holds less than one of its frames.
    """
    if encoder.window is None:
        return WindowLayout((0,), (0,), samples, samples)
    size = round(encoder.window * encoder.sample_rate)
    # an encoder without frames may begin a window anywhere: every sample is a frame to it
    rate = encoder.frame_rate or float(encoder.sample_rate)
    step = floor(encoder.window * rate + 1e-6)
    if step < 1:
        raise EncoderError(
            f"window {encoder.window} s holds no frame at frame_rate {rate}; use a longer one"
        )
    last = max(0, ceil((samples - size) / encoder.sample_rate * rate - 1e-6))
    frames = [*range(0, last, step), last]
    starts = tuple(round(frame * encoder.sample_rate / rate) for frame in frames)
    return WindowLayout(starts, tuple(frames), size, samples, _context(encoder))


def max_frames(samples: int, encoder: Encoder) -> int:
    """How many centred frames a stretch of `samples` can have: those centred within it."""
    assert encoder.frame_rate is not None
    return floor(samples / encoder.sample_rate * encoder.frame_rate + 1e-6) + 1


def check_frame_count(count: int, samples: int, encoder: Encoder) -> None:
    """Hold the frames that came back against the declared rate.

    Args:
        count: of the frames.
        samples: that the encoder was given, context and all.
        encoder: it declares a frame rate.

    Raises:
        EncoderError: none, or not within one frame of what the window calls for.
    """
    assert encoder.frame_rate is not None
    seconds = (samples - 2 * _context(encoder)) / encoder.sample_rate
    wanted = seconds * encoder.frame_rate
    if not max(1.0, wanted - 1 - 1e-6) <= count <= wanted + 1 + 1e-6:
        raise EncoderError(
            f"returned {count} frames for {seconds:.3f} s, {count / seconds:.2f} a second; it "
            f"declares frame_rate {encoder.frame_rate}, which calls for about {max(1, wanted):.0f}"
        )


def stitch(windows: list[Floating], layout: WindowLayout, encoder: Encoder) -> Floating:
    """Join the frames (time, layers, dim) of a track's windows into one (time, layers, dim).

    Where a window's frames fall one short of the next window's first, its last frame is repeated,
    so that the grid keeps its time.
    """
    parts = []
    for window, first, end in zip(windows, layout.frames, layout.frames[1:], strict=False):
        short = max(0, end - first - len(window))
        parts.append(np.pad(window, ((0, short), (0, 0), (0, 0)), mode="edge")[: end - first])
    return np.concatenate(
        [*parts, windows[-1][: max_frames(layout.samples, encoder) - layout.frames[-1]]]
    )
