"""Beat times from an activation curve with a bar-pointer hidden Markov model.

A state is a tempo (an integer number of frames per beat) and a position in the beat. The position
advances by one frame; the tempo changes only at beat boundaries. The first 1 / `OBSERVATION_LAMBDA`
of each beat emits the activation, the rest its complement.

Source: Krebs, Böck & Widmer, *An efficient state-space model for joint tempo and meter tracking*,
ISMIR 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.peak_picking import refine_peaks
from mirprobe.core.schema import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Pulse:
    """Range of tempi.

    Attributes:
        slowest: pulses per minute.
        fastest: pulses per minute.
        tempos: maximum number of tempi, logarithmically spaced; None for all integer numbers of
            frames.
        silence: threshold on the activation; no pulse lies before the first or after the last
            activation that reaches it.
    """

    slowest: float
    fastest: float
    tempos: int | None
    silence: float


BEATS = Pulse(slowest=55.0, fastest=215.0, tempos=None, silence=0.05)
BARS = Pulse(slowest=12.0, fastest=80.0, tempos=60, silence=0.01)

OBSERVATION_LAMBDA = 16
MIN_RATE, MAX_RATE = 50.0, 100.0

_EPSILON = 1e-6


def dbn_beats(
    activation: Floats, frame_rate: float, transition_lambda: float, pulse: Pulse = BEATS
) -> Floats:
    """Beat times in seconds from the centre of the first frame, increasing.

    The activation is interpolated linearly to a frame rate in [`MIN_RATE`, `MAX_RATE`].

    Args:
        activation: (time,) beat probability of each frame.
        frame_rate: frames per second.
        transition_lambda: stiffness of the tempo: the change from a beat of i frames to one of j
            has the weight exp(-transition_lambda * abs(j / i - 1)).
        pulse: `BEATS`, or `BARS` for downbeats.
    """
    rate = min(max(frame_rate, MIN_RATE), MAX_RATE)
    if rate != frame_rate:
        last = (len(activation) - 1) / frame_rate
        at = np.arange(int(last * rate + 1e-9) + 1) / rate
        activation = np.interp(at * frame_rate, np.arange(len(activation)), activation)
    loud = np.flatnonzero(activation >= pulse.silence)
    if not len(loud):
        return np.empty(0)
    first, heard = loud[0], activation[loud[0] : loud[-1] + 1]

    intervals = beat_intervals(rate, pulse)
    starts, lengths = best_beats(
        *observations(heard), intervals, tempo_changes(intervals, transition_lambda)
    )
    heads = zip(np.maximum(starts, 0), starts + beat_frames(lengths), strict=True)
    peaks = np.array([a + int(heard[a:b].argmax()) for a, b in heads], dtype=np.int64)
    if len(starts) and starts[0] < 0 and heard[peaks[0]] <= 1 / OBSERVATION_LAMBDA:
        peaks = peaks[1:]  # the end of a beat that starts before the first frame
    frames = first + refine_peaks(heard, peaks)
    return np.asarray(frames / rate, dtype=np.float64)


def beat_intervals(rate: float, pulse: Pulse = BEATS) -> Ints:
    """(tempos,) frames per beat, integers, increasing."""
    shortest, longest = round(60 * rate / pulse.fastest), round(60 * rate / pulse.slowest)
    if pulse.tempos is None:
        return np.arange(shortest, longest + 1)
    return np.unique(np.geomspace(shortest, longest, pulse.tempos).round().astype(np.int64))


def beat_frames(intervals: Ints) -> Ints:
    """Number of frames at the start of each beat that emit the activation."""
    return -(-intervals // OBSERVATION_LAMBDA)


def tempo_changes(intervals: Ints, transition_lambda: float) -> Floats:
    """(tempos before, tempos after) log probability of a change of interval."""
    ratios = intervals[None, :] / intervals[:, None]
    scores = -transition_lambda * np.abs(ratios - 1)
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


def observations(activation: Floats) -> tuple[Floats, Floats]:
    """(time,) log densities of each frame at the start of a beat and in the rest of a beat."""
    probability = np.clip(activation, _EPSILON, 1 - _EPSILON)
    return np.log(probability), np.log((1 - probability) / (OBSERVATION_LAMBDA - 1))


def best_beats(
    on_beat: Floats, off_beat: Floats, intervals: Ints, changes: Floats
) -> tuple[Ints, Ints]:
    """The Viterbi path over (tempo, position); all states are equally likely in the first frame.

    Between two boundaries the path is fixed. The search therefore treats a beat as one step, whose
    score is a difference of cumulative sums. Boundaries closer than the shortest interval are
    independent of each other and are computed together. Frames outside the track have a score of 0:
    the track may start and end within a beat.

    Args:
        on_beat: (time,) log density at the start of a beat.
        off_beat: (time,) log density in the rest of a beat.
        intervals: (tempos,) frames per beat, increasing.
        changes: (tempos before, tempos after) log probability at a boundary.

    Returns:
        The first frame of each beat, and its interval in frames. The first start is negative if
        its beat starts before the track.
    """
    frames, tempos, pad = len(on_beat), len(intervals), int(intervals[-1])
    on = np.cumsum(np.pad(on_beat, (pad + 1, pad)))
    off = np.cumsum(np.pad(off_beat, (pad + 1, pad)))
    start = np.arange(pad + frames)[:, None]  # row r: the boundary before frame r - pad
    head, tail = start + beat_frames(intervals), start + intervals
    # score of the best path to the end of the beat that starts at a boundary; (boundaries, tempos)
    score = on[head] - on[start] + off[tail] - off[head]
    score[: pad + 1][start[: pad + 1] <= pad - intervals] = -np.inf  # beats that end before frame 0

    came_from = np.zeros((pad + frames, tempos), dtype=np.int64)
    changes = np.ascontiguousarray(changes.T)  # (after, before)
    column = np.arange(tempos)
    for first in range(pad + 1, pad + frames, int(intervals[0])):
        rows = slice(first, min(first + int(intervals[0]), pad + frames))
        ended = score[start[rows] - intervals, column]  # (boundaries, before)
        arrivals = ended[:, None, :] + changes  # (boundaries, after, before)
        best = arrivals.argmax(axis=2)
        came_from[rows] = best
        score[rows] += np.take_along_axis(arrivals, best[:, :, None], axis=2)[:, :, 0]

    open_end = np.where(tail >= pad + frames, score, -np.inf)  # the last beat of the track
    row, tempo = divmod(int(open_end.argmax()), tempos)
    beats = [(row, tempo)]
    while row > pad:
        tempo = int(came_from[row, tempo])
        row -= int(intervals[tempo])
        beats.append((row, tempo))
    path = np.array(beats[::-1], dtype=np.int64)
    starts, lengths = path[:, 0] - pad, intervals[path[:, 1]]
    sounding = starts + beat_frames(lengths) > 0
    return starts[sounding], lengths[sounding]
