"""Cut a track into the windows of an encoder, and stitch their frames to one sequence.

Windows start on whole frames, so that frame i of the stitched track is centred at i / frame_rate
seconds. A frame that two windows share (the last of one and the first of the next) is used once.
The last window is shifted to end with the track. Only a track that is shorter than a window is
padded with zeros; frames after its end are dropped. An encoder with a context also gets that much
of the track on either side of each window. Before the start and after the end of the track, the
context is the mirrored track.
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
    """The positions of the windows of a track.

    Attributes:
        starts: the first sample of each window.
        frames: the index of the first frame of each window in the stitched track.
        size: samples per window.
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
        if self.context:  # the missing part of a frame is mirrored too
            audio = np.pad(audio, (self.context, self.context + missing), mode="reflect")
        return [audio[start : start + self.size + 2 * self.context] for start in self.starts]


def samples_per_call(encoder: Encoder, seconds: float) -> int:
    """The samples of a call for a window of `seconds`, including its context."""
    return round(seconds * encoder.sample_rate) + 2 * _context(encoder)


def _context(encoder: Encoder) -> int:
    return 0 if encoder.window is None else round(context_of(encoder) * encoder.sample_rate)


def layout_windows(samples: int, encoder: Encoder) -> WindowLayout:
    """The windows of a track of `samples` samples at the sample rate of the encoder.

    Raises:
        EncoderError: the window of the encoder is shorter than a frame.
    """
    if encoder.window is None:
        return WindowLayout((0,), (0,), samples, samples)
    size = round(encoder.window * encoder.sample_rate)
    # without frames, a window may start at any sample
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
    """The number of frames that are centred within `samples` samples."""
    assert encoder.frame_rate is not None
    return floor(samples / encoder.sample_rate * encoder.frame_rate + 1e-6) + 1


def check_frame_count(count: int, samples: int, encoder: Encoder) -> None:
    """Check a number of frames against the declared frame rate.

    Args:
        count: the number of frames that were returned.
        samples: of the input, including the context.
        encoder: one with a frame rate.

    Raises:
        EncoderError: there is none, or the number differs by more than one from the expected one.
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
    """Join the frames (time, layers, dim) of all windows of a track to one (time, layers, dim).

    If a window has one frame too few before the next window, its last frame is repeated, so that
    the following frames keep their times.
    """
    parts = []
    for window, first, end in zip(windows, layout.frames, layout.frames[1:], strict=False):
        short = max(0, end - first - len(window))
        parts.append(np.pad(window, ((0, short), (0, 0), (0, 0)), mode="edge")[: end - first])
    return np.concatenate(
        [*parts, windows[-1][: max_frames(layout.samples, encoder) - layout.frames[-1]]]
    )
