"""Beat times from an activation curve with a bar-pointer hidden Markov model.

A state is a tempo (an integer number of frames per beat) and a position in the beat. The position
advances by one frame; the tempo changes only at beat boundaries. The first 1 / `OBSERVATION_LAMBDA`
of each beat emits the activation, the rest its complement.

Source: Krebs, Böck & Widmer, *An efficient state-space model for joint tempo and meter tracking*,
ISMIR 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.compiled import compiled
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

LANES = 4
"""Tempi that the search compares at a time, so that their sums stay in registers."""

_EPSILON = 1e-6


def dbn_beats(
    activation: Floats,
    frame_rate: float,
    transition_lambdas: Sequence[float],
    pulse: Pulse = BEATS,
) -> list[Floats]:
    """Beat times in seconds from the centre of the first frame, for each stiffness of the tempo.

    The activation is interpolated linearly to a frame rate in [`MIN_RATE`, `MAX_RATE`].

    Args:
        activation: (time,) beat probability of each frame.
        frame_rate: frames per second.
        transition_lambdas: stiffness of the tempo: the change from a beat of i frames to one of j
            has the weight exp(-transition_lambda * abs(j / i - 1)).
        pulse: `BEATS`, or `BARS` for downbeats.

    Returns:
        (beats,) increasing times for each of `transition_lambdas`.
    """
    rate = min(max(frame_rate, MIN_RATE), MAX_RATE)
    if rate != frame_rate:
        last = (len(activation) - 1) / frame_rate
        at = np.arange(int(last * rate + 1e-9) + 1) / rate
        activation = np.interp(at * frame_rate, np.arange(len(activation)), activation)
    loud = np.flatnonzero(activation >= pulse.silence)
    if not len(loud):
        return [np.empty(0) for _ in transition_lambdas]
    first, heard = loud[0], activation[loud[0] : loud[-1] + 1]

    intervals = beat_intervals(rate, pulse)
    changes = [tempo_changes(intervals, value) for value in transition_lambdas]
    return [
        (first + refine_peaks(heard, highest(heard, *beats))) / rate
        for beats in best_beats(*observations(heard), intervals, changes)
    ]


def highest(heard: Floats, starts: Ints, lengths: Ints) -> Ints:
    """(beats,) the frame with the highest activation at the start of each beat."""
    if not len(starts):
        return starts
    sizes = beat_frames(lengths)[:, None]
    offsets = np.arange(sizes.max())
    frames = starts[:, None] + offsets  # (beats, frames)
    inside = (frames >= 0) & (frames < len(heard)) & (offsets < sizes)
    values = np.where(inside, heard[frames.clip(0, len(heard) - 1)], -np.inf)
    peaks: Ints = starts + values.argmax(axis=1)
    if starts[0] < 0 and heard[peaks[0]] <= 1 / OBSERVATION_LAMBDA:
        peaks = peaks[1:]  # the end of a beat that starts before the first frame
    return peaks


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
    on_beat: Floats, off_beat: Floats, intervals: Ints, changes: Sequence[Floats]
) -> list[tuple[Ints, Ints]]:
    """The Viterbi path over (tempo, position); all states are equally likely in the first frame.

    Between two boundaries the path is fixed. The search therefore treats a beat as one step, whose
    score is a difference of cumulative sums. Frames outside the track have a score of 0: the track
    may start and end within a beat. Boundary b lies before frame b - pad, where pad is the longest
    interval.

    Args:
        on_beat: (time,) log density at the start of a beat.
        off_beat: (time,) log density in the rest of a beat.
        intervals: (tempos,) frames per beat, increasing.
        changes: several matrices of the log probability at a boundary, (tempos before, tempos
            after).

    Returns:
        For each of `changes`, the first frame of each beat, and its interval in frames. The first
        start is negative if its beat starts before the track.
    """
    tempos, pad, heads = len(intervals), int(intervals[-1]), beat_frames(intervals)
    on, off = (np.cumsum(np.pad(density, (pad + 1, pad))) for density in (on_beat, off_beat))
    scores = beat_scores(on, off, intervals, heads)
    found = []
    for matrix in changes:
        padded = np.pad(matrix, (0, -tempos % LANES), constant_values=-np.inf)
        boundaries, at = best_path(scores, intervals, padded)
        starts, lengths = boundaries - pad, intervals[at]
        sounding = starts + beat_frames(lengths) > 0
        found.append((starts[sounding], lengths[sounding]))
    return found


@compiled
def beat_scores(on: Floats, off: Floats, intervals: Ints, heads: Ints) -> Floats:
    """(boundaries, tempos) log density of the beat of each interval that starts at each boundary.

    Args:
        on: cumulative sums of the log density at the start of a beat, with a leading 0.
        off: the same in the rest of a beat.
        intervals: (tempos,) frames per beat.
        heads: (tempos,) frames at the start of a beat.
    """
    boundaries = len(on) - intervals[-1] - 1
    scores = np.empty((boundaries, len(intervals)))
    for start in range(boundaries):
        for tempo in range(len(intervals)):
            head, tail = start + heads[tempo], start + intervals[tempo]
            scores[start, tempo] = on[head] - on[start] + off[tail] - off[head]
    return scores


@compiled
def best_path(scores: Floats, intervals: Ints, changes: Floats) -> tuple[Ints, Ints]:
    """The boundary at which each beat of the best path starts, and the index of its tempo.

    Args:
        scores: (boundaries, tempos) of single beats.
        intervals: (tempos,) frames per beat, increasing.
        changes: log probabilities, padded with minus infinity to a multiple of `LANES`.
    """
    boundaries, tempos = scores.shape
    pad, width = intervals[-1], len(changes)
    # score of the best path to each boundary, by the tempo of the beat that ends there
    ended = np.full((boundaries + pad, width), -np.inf)
    arrived = np.zeros(width)
    best, start, tempo = -np.inf, 0, 0
    for boundary in range(boundaries):
        if boundary > pad:
            now = ended[boundary]
            arrived[:] = -np.inf
            for old in range(0, width, LANES):
                a, b, c, d = now[old], now[old + 1], now[old + 2], now[old + 3]
                for new in range(width):  # vectorised by the compiler
                    ab = max(a + changes[old, new], b + changes[old + 1, new])
                    cd = max(c + changes[old + 2, new], d + changes[old + 3, new])
                    arrived[new] = max(arrived[new], max(ab, cd))
        for new in range(tempos):
            end = boundary + intervals[new]
            if end > pad:  # not before frame 0
                score = scores[boundary, new] + arrived[new]
                ended[end, new] = score
                if end >= boundaries and score > best:  # the last beat of the track
                    best, start, tempo = score, boundary, new

    starts, at = np.empty(boundaries, dtype=np.int64), np.empty(boundaries, dtype=np.int64)
    count = 0
    while True:
        starts[count], at[count] = start, tempo
        count += 1
        if start <= pad:
            return starts[:count][::-1], at[:count][::-1]
        before = 0
        for old in range(tempos):
            if ended[start, old] + changes[old, tempo] > (
                ended[start, before] + changes[before, tempo]
            ):
                before = old
        tempo = before
        start -= intervals[tempo]
