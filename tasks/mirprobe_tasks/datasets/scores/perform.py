"""Performance of a passage: key, tempo, instruments, room, and the annotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Annotations, Beats, Floats, Segments
from mirprobe_tasks.datasets.scores.harte import transposed
from mirprobe_tasks.datasets.scores.works import LabelSpan, ScoreNote, Work
from mirprobe_tasks.music.chords import chord_segments
from mirprobe_tasks.music.metre import drift
from mirprobe_tasks.music.midi import TICK
from mirprobe_tasks.music.mix import Mix, draw_mix
from mirprobe_tasks.music.notes import Note, Part, onset_times
from mirprobe_tasks.music.pitch import KEYS, Key, spell
from mirprobe_tasks.music.random_choice import chance, pick

SEED = 1607
"""Part of every seed, with the work and the version."""

PASSAGE = 72.0
"""Approximate quarter notes of a passage; longer works are cut into equal passages at downbeats."""

TEMPI = (66.0, 138.0)
"""Beats per minute."""

_TAIL = 1.2  # seconds after the end of the last note in the score
_SHORTEST = 0.14  # least seconds of the median note

CONSORTS: tuple[tuple[int, int], ...] = (
    (0, 0),
    (1, 1),
    (4, 4),
    (6, 6),
    (11, 11),
    (16, 16),
    (19, 19),
    (21, 21),
    (24, 24),
    (40, 42),
    (46, 46),
    (48, 48),
    (52, 52),
    (56, 57),
    (65, 66),
    (68, 70),
    (71, 71),
    (73, 42),
)
"""General MIDI programs of the upper and the lower voices."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A passage as played; times in seconds.

    Attributes:
        parts: one per voice.
        mix: level, room, noise and tuning.
        duration: of the audio.
        annotations: of the passage.
    """

    parts: tuple[Part, ...]
    mix: Mix
    duration: float
    annotations: Annotations


def passages(work: Work) -> list[tuple[float, float]]:
    """Start and end of the passages of a work, in quarter notes.

    They have about equal lengths, near `PASSAGE`, and start at downbeats.
    """
    count = max(1, round(work.length / PASSAGE))
    downbeats = np.array([at for at, place in work.beats if place == 1])
    aims = [work.length * k / count for k in range(1, count)]
    cuts = [float(downbeats[np.abs(downbeats - aim).argmin()]) for aim in aims]
    return list(zip([0.0, *cuts], [*cuts, work.length], strict=True))


def clip(spans: Sequence[LabelSpan], start: float, end: float) -> list[LabelSpan]:
    """Labelled spans, cut to an interval."""
    return [
        (max(low, start), min(high, end), label)
        for low, high, label in spans
        if min(high, end) > max(low, start)
    ]


def longest(keys: Sequence[LabelSpan]) -> str:
    """The key with the longest total duration, the first of equal ones."""
    lasts: dict[str, float] = {}
    for start, end, label in keys:
        lasts[label] = lasts.get(label, 0.0) + end - start
    return max(lasts, key=lambda label: lasts[label])


def key_of(keys: Sequence[LabelSpan]) -> str:
    """The key that lasts longer than all others together; X if there is none."""
    main = longest(keys)
    held = sum(end - start for start, end, label in keys if label == main)
    return main if held > (keys[-1][1] - keys[0][0]) / 2 else "X"


def perform(work: Work, passage: tuple[float, float], version: int, tonic: Key) -> Performance:
    """Perform a passage.

    Args:
        work: notes and labels.
        passage: one of `passages(work)`.
        version: part of the seed.
        tonic: the key to which the longest key of the passage is transposed, of the same mode.
    """
    rng = np.random.default_rng([SEED, version, *work.id.encode()])
    start, end = passage
    local = clip(work.keys, start, end)
    letters, semitones = interval(longest(local), tonic)
    voices = [_cut(line, start, end) for line in work.voices]
    knots, seconds = _time(rng, work, start, end, [note for line in voices for note in line])
    duration = float(seconds[-1]) + _TAIL
    parts = _play(rng, voices, semitones, knots, seconds)
    beats = [(at, place) for at, place in work.beats if start <= at < end]
    times = np.interp([at for at, _ in beats], knots, seconds)
    spans = clip(work.chords, start, end)
    chords = [(low, transposed(label, letters, semitones)) for low, _, label in spans]
    edges = np.interp([*(low for low, _ in chords), spans[-1][1]], knots, seconds)
    labels = [*(label for _, label in chords), "N"]
    keys = [(low, high, moved(label, letters, semitones)) for low, high, label in local]
    changes = np.interp([[low, high] for low, high, _ in keys], knots, seconds)
    return Performance(
        parts=parts,
        mix=draw_mix(rng),
        duration=duration,
        annotations=Annotations(
            key=key_of(keys),
            keys=Segments(changes, tuple(label for *_, label in keys)),
            chords=chord_segments(zip(edges, labels, strict=True), duration),
            beats=Beats(times, np.array([place for _, place in beats], dtype=np.int64)),
            tempo=float(60.0 / np.median(np.diff(times))),
            onsets=onset_times(parts),
        ),
    )


def interval(key: str, tonic: Key) -> tuple[int, int]:
    """Diatonic steps and semitones, from -5 to 6, from a key such as `"Bb major"` to another."""
    origin = spell(key.split()[0])
    letters = (tonic.tonic.letter - origin.letter) % 7
    return letters, (tonic.tonic.pitch_class - origin.pitch_class + 5) % 12 - 5


def moved(key: str, letters: int, semitones: int) -> str:
    """A key transposed, in its common spelling."""
    name, mode = key.split()
    pitch_class = spell(name).above(letters, semitones).pitch_class
    return next(k.label for k in KEYS if k.tonic.pitch_class == pitch_class and k.mode == mode)


def _cut(line: Sequence[ScoreNote], start: float, end: float) -> list[ScoreNote]:
    """The notes of a passage, cut at its start and end."""
    return [
        (max(at, start), min(at + length, end) - max(at, start), pitch)
        for at, length, pitch in line
        if min(at + length, end) - max(at, start) > 1e-6
    ]


def _time(
    rng: np.random.Generator, work: Work, start: float, end: float, notes: Sequence[ScoreNote]
) -> tuple[Floats, Floats]:
    """Beats and the ends of the passage in quarter notes, and their times in seconds."""
    inside = [at for at, _ in work.beats if start < at < end]
    knots = np.array([start, *inside, end])
    beat = float(np.median(np.diff(knots)))
    tempo = float(np.exp(rng.uniform(*np.log(TEMPI))))
    quarter = max(60.0 / tempo / beat, _SHORTEST / float(np.median([n[1] for n in notes])))
    lengths = np.diff(knots) * quarter * (1.0 + drift(rng, len(knots) - 1))
    lead = float(rng.uniform(0.05, 0.8))
    return knots, lead + np.append(0.0, np.cumsum(lengths))


def _play(
    rng: np.random.Generator,
    voices: Sequence[Sequence[ScoreNote]],
    semitones: int,
    knots: Floats,
    seconds: Floats,
) -> tuple[Part, ...]:
    """The parts: each voice is played by the upper or the lower instrument of one or two consorts.

    A player has a constant deviation in time, scatters by milliseconds and shortens notes. Times
    are rounded to MIDI ticks, so that annotation and audio agree.
    """
    consorts = [pick(rng, CONSORTS)] * 2
    if chance(rng, 0.4):
        consorts[1] = pick(rng, CONSORTS)
    legato = float(rng.uniform(0.75, 1.0))
    parts = []
    for place, line in enumerate(voices):
        low = place >= len(voices) / 2
        lean, scatter = float(rng.normal(0.0, 0.004)), float(rng.uniform(0.002, 0.009))
        velocity = int(rng.integers(76, 104))
        gain = float(np.clip(rng.normal(0.0, 1.5), -3.0, 3.0))
        if not line:
            continue
        at, length, pitch = np.array(line).T
        delays = np.clip(rng.normal(lean, scatter, size=len(line)), -0.03, 0.03)
        touches = np.clip(velocity + rng.integers(-8, 9, size=len(line)), 20, 127)
        begins = np.maximum(np.interp(at, knots, seconds) + delays, 0.0)
        ends = np.maximum(np.interp(at + legato * length, knots, seconds), begins + 0.04)
        rows = np.stack([np.rint(begins / TICK), np.rint(ends / TICK), pitch + semitones, touches])
        notes = tuple(
            Note(begin * TICK, end * TICK, tone, touch)
            for begin, end, tone, touch in rows.T.astype(int).tolist()
        )
        parts.append(Part("voice", f"voice {place}", consorts[low][low], notes, gain))
    return tuple(parts)
