"""Chords for a melody: Viterbi decoding of a small model of functional harmony.

States are the triads of the key, one per half bar (per bar in 3/4). Melody notes in the chord add
to its reward, others reduce it, and transitions follow tonic, predominant and dominant. Noise
varies the chords between bands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mirprobe.core.schema import Floats
from mirprobe_tasks.music.chords import Chord, Span
from mirprobe_tasks.music.metre import Metre
from mirprobe_tasks.music.pitch import Mode
from mirprobe_tasks.music.random_choice import chance
from mirprobe_tasks.pretraining_corpus.leadsheet import LeadSheet, MelodyNote

# (letters and semitones above the tonic, quality, function), the tonic first
_TRIADS: dict[Mode, tuple[tuple[int, int, str, str], ...]] = {
    "major": (
        (0, 0, "maj", "T"),
        (1, 2, "min", "S"),
        (2, 4, "min", "T"),
        (3, 5, "maj", "S"),
        (4, 7, "maj", "D"),
        (5, 9, "min", "T"),
    ),
    "minor": (
        (0, 0, "min", "T"),
        (2, 3, "maj", "T"),
        (3, 5, "min", "S"),
        (4, 7, "maj", "D"),
        (4, 7, "min", "D"),
        (5, 8, "maj", "S"),
        (6, 10, "maj", "D"),
    ),
}
_FUNCTIONS = {"T": {"T": 0.0, "S": 0.3, "D": 0.2}, "S": {"T": 0.0, "S": 0.0, "D": 0.5}}
_FUNCTIONS["D"] = {"T": 0.7, "S": -0.8, "D": 0.0}
_COMMON = {0: 0.4, 5: 0.15, 7: 0.35}  # semitones above the tonic -> reward of the chord
_STAY, _FOREIGN, _CLOSE, _OPEN, _NOISE, _TAKEN = 0.2, 0.9, 3.0, 1.0, 0.25, 1.5
_UNITS = {4: 2, 3: 3, 2: 1}  # beats per bar -> beats per chord


def harmonise(
    rng: np.random.Generator, sheet: LeadSheet, *, other_than: Sequence[Span] = ()
) -> tuple[Span, ...]:
    """Chords for the first voice of one pass, from its first downbeat to that of the next pass.

    Args:
        rng: of the noise.
        sheet: the tune; positions of the spans count from the start of its pickup.
        other_than: chords of the same tune, which are penalised at their positions.
    """
    triads = _TRIADS[sheet.key.mode]
    tones = np.zeros((len(triads), 12), bool)
    tonic = sheet.key.tonic
    chords = [Chord(tonic.above(letters, step), quality) for letters, step, quality, _ in triads]
    for state, chord in enumerate(chords):
        tones[state, list(chord.pitch_classes)] = True
    unit = _UNITS[sheet.metre.beats]
    heard = _durations(sheet.voices[0], sheet.pickup, sheet.beats // unit, unit, sheet.metre)
    reward = heard @ np.where(tones, 1.0, -_FOREIGN).T  # (units, states)
    reward += [_COMMON.get(step, 0.0) for _, step, _, _ in triads]
    reward += rng.normal(0.0, _NOISE, reward.shape)
    reward[0, 0] += _OPEN
    reward[-1, 0] += _CLOSE
    starts = [sheet.pickup + unit * place for place in range(len(reward))]
    for place, start in enumerate(starts):
        for taken in (span.chord for span in other_than if span.start <= start < span.end):
            assert taken is not None
            same = [set(chord.pitch_classes) <= set(taken.pitch_classes) for chord in chords]
            reward[place] -= _TAKEN * np.array(same)
    follow = np.array([[_FUNCTIONS[a][b] for *_, b in triads] for *_, a in triads])
    follow += _STAY * np.eye(len(triads))
    path = best_path(reward, follow)
    seventh = chance(rng, 0.4)
    spans: list[Span] = []
    for start, state in zip(starts, path, strict=True):
        dominant = seventh and triads[state][1:3] == (7, "maj")
        chord = Chord(chords[state].root, "7") if dominant else chords[state]
        within = (start - sheet.pickup) % sheet.metre.beats
        if within and spans and spans[-1].chord == chord:
            spans[-1] = Span(spans[-1].start, start + unit, chord)
        else:
            spans.append(Span(start, start + unit, chord))
    return tuple(spans)


def best_path(reward: Floats, follow: Floats) -> list[int]:
    """The states of the path with the largest sum of rewards.

    Args:
        reward: (time, states), of a state at a time.
        follow: (states, states), of a transition.
    """
    total, back = reward[0], []
    for row in reward[1:]:
        options = total[:, None] + follow
        back.append(options.argmax(axis=0))
        total = options.max(axis=0) + row
    path = [int(total.argmax())]
    for choice in reversed(back):
        path.append(int(choice[path[-1]]))
    return path[::-1]


def _durations(
    notes: Sequence[MelodyNote], first: int, units: int, unit: int, metre: Metre
) -> Floats:
    """(units, 12) duration of each pitch class in each unit in beats; accents count more."""
    heard = np.zeros((units, 12))
    for note in notes:
        start, end = note.start - first, note.start - first + note.length
        for place in range(max(0, int(start // unit)), min(units, int(np.ceil(end / unit)))):
            sounding = min(end, (place + 1) * unit) - max(start, place * unit)
            accented = abs(start - place * unit) < 1e-6
            heard[place, note.pitch % 12] += sounding * (1.5 if accented else 1.0)
    # in 6/8 each beat has a chord, with the weight of a half bar
    return heard * (2.0 / unit if metre.beats == 2 else 1.0)
