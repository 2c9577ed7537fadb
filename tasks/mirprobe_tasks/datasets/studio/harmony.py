"""Functional harmony: chords of a key, their successions, and cadences.

A phrase is a sequence of Roman numerals with a rhythm. The sequence follows weighted successions
(tonic, predominant, dominant), ends with a cadence, and may replace a chord by the secondary
dominant of the next one, written `"V/ii"` or `"vii/ii"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mirprobe.core.schema import Split
from mirprobe_tasks.music.chords import Chord
from mirprobe_tasks.music.pitch import Key, Mode
from mirprobe_tasks.music.random_choice import chance, pick, split_of_template


@dataclass(frozen=True)
class Numeral:
    """A chord relative to the tonic: letters and semitones above it, plain and rich qualities."""

    letters: int
    semitones: int
    plain: tuple[str, ...]
    rich: tuple[str, ...]


def _numerals(table: str) -> dict[str, Numeral]:
    numerals = {}
    for line in table.strip().splitlines():
        name, letters, semitones, plain, rich = line.split()
        numerals[name] = Numeral(
            int(letters), int(semitones), tuple(plain.split(",")), tuple(rich.split(","))
        )
    return numerals


def _successions(table: str) -> dict[str, dict[str, float]]:
    rows = {}
    for line in table.strip().splitlines():
        name, *pairs = line.split()
        rows[name] = {after: float(w) for after, w in (pair.split(":") for pair in pairs)}
    return rows


# name, letters and semitones above the tonic, plain qualities, rich qualities
_NUMERALS: dict[Mode, dict[str, Numeral]] = {
    "major": _numerals("""
        I      0  0  maj           maj7,maj6,sus2,maj
        ii     1  2  min           min7
        iii    2  4  min           min7
        IV     3  5  maj           maj7,maj6
        V      4  7  maj,7         7,7,sus4,aug
        vi     5  9  min           min7
        vii    6  11 dim           hdim7
        iv     3  5  min           min6,min7
        iio    1  2  hdim7,dim     hdim7
        bVI    5  8  maj           maj7
        bVII   6  10 maj           7,maj
        bIII   2  3  maj           maj7
    """),
    "minor": _numerals("""
        i      0  0  min           min7,min6,minmaj7,min
        iio    1  2  dim,hdim7     hdim7
        bIII   2  3  maj           maj7
        iv     3  5  min           min7,min6
        IV     3  5  maj           7
        v      4  7  min           min7
        V      4  7  maj,7         7,7,sus4,aug
        bVI    5  8  maj           maj7
        bVII   6  10 maj           7
        vii    6  11 dim,dim7      dim7
        bII    1  1  maj           maj7
        I      0  0  maj           maj
    """),
}

_FOLLOWS: dict[Mode, dict[str, dict[str, float]]] = {
    "major": _successions("""
        I     IV:3 V:2.5 vi:2.5 ii:2 iii:.8 bVII:.5 iv:.3 bVI:.2 bIII:.2
        ii    V:5 vii:.6 IV:.6 bVII:.2 iii:.4
        iii   vi:3 IV:2 ii:.5
        IV    V:3 I:2 ii:1.2 iv:.7 bVII:.4 vi:.4 iii:.3 vii:.3
        V     I:4 vi:1.8 IV:.8 iii:.3 ii:.2
        vi    IV:2.5 ii:2.5 V:1.5 I:.7 iii:.8
        vii   I:3 iii:.6 vi:.4
        iv    I:2 V:2 bVII:.8
        iio   V:3 I:1
        bVI   bVII:2 V:1.5 I:.6 iv:.4
        bVII  IV:2 I:2 bVI:.3 V:.4
        bIII  IV:2 bVI:1 bVII:1
    """),
    "minor": _successions("""
        i     iv:2.5 bVI:2.2 V:2 bVII:2 bIII:1.3 iio:1 v:.7 IV:.5 bII:.2
        iio   V:4 v:.4 vii:.6
        bIII  bVI:2 iv:1.6 bVII:1.5 i:.6 V:.4
        iv    V:2.5 i:2 bVII:1.3 iio:.7 bIII:.3 bVI:.3
        IV    V:1.5 bVII:1 i:1.5
        v     i:1 bVI:1.6 iv:1
        V     i:4 bVI:1.4 iv:.4
        bVI   bVII:2 V:1.5 iv:1 bIII:1 iio:.7 i:.5 bII:.2
        bVII  bIII:1.8 i:1.8 bVI:1 iv:.3
        vii   i:4 V:.5
        bII   V:3 vii:1
    """),
}

Table = dict[Mode, dict[str, float]]

STARTS: Table = {
    "major": {"I": 6, "vi": 2, "IV": 1.2, "ii": 0.8, "V": 0.6},
    "minor": {"i": 6, "bVI": 1.6, "iv": 1.2, "bIII": 1.2},
}
"""Weights of the first chord of a phrase."""

ANYWHERE: Table = {
    "major": {"I": 2.5, "V": 2, "IV": 1.8, "vi": 1.6, "ii": 1.4, "iii": 0.8},
    "minor": {"i": 2.5, "V": 1.2, "iv": 1.8, "bVI": 1.6, "bVII": 1.6, "bIII": 1.4, "v": 0.5},
}
"""Weights of the first chord of an excerpt."""

INNER: Table = {
    "major": {"V": 3, "IV V": 1, "V I": 1.5, "V vi": 1.5, "IV I": 0.7, "bVII IV": 0.6, "ii": 0.8},
    "minor": {"V": 2.5, "V i": 1.5, "V bVI": 1.3, "bVII": 1.2, "iv i": 0.7, "bVI bVII": 1},
}
"""Weights of the last chords of a phrase: authentic, plagal, half, deceptive and modal cadences."""

FINAL: Table = {
    "major": {"ii V I": 2, "V I": 2, "IV V I": 1, "iv I": 0.6, "bVII I": 0.6, "V vi": 1, "V": 1},
    "minor": {"iio V i": 1.5, "V i": 2, "vii i": 0.7, "iv i": 1, "bVII i": 1, "V I": 0.6, "V": 1},
}
"""Weights of the last chords of a whole piece."""

OPEN: Table = {
    "major": {"": 4, "V I": 0.6, "V": 0.6, "IV": 0.8, "V vi": 0.8, "ii": 0.6},
    "minor": {"": 4, "V i": 0.6, "V": 0.5, "iv": 0.8, "V bVI": 0.8, "bVII": 0.8, "bIII": 0.5},
}
"""Weights of the last chords of an excerpt, which may end without a cadence."""

_APPLIED: dict[Mode, frozenset[str]] = {
    "major": frozenset({"ii", "iii", "IV", "V", "vi"}),
    "minor": frozenset({"bIII", "iv", "V", "bVI", "bVII"}),
}


@dataclass(frozen=True)
class Phrase:
    """Numerals and their lengths in beats.

    A phrase in another key, or with other sevenths and inversions, is the same template.
    """

    mode: Mode
    numerals: tuple[str, ...]
    lengths: tuple[int, ...]

    @property
    def name(self) -> str:
        """Name of the template."""
        slots = " ".join(f"{n}*{k}" for n, k in zip(self.numerals, self.lengths, strict=True))
        return f"phrase {self.mode}: {slots}"


def make_phrase(
    rng: np.random.Generator,
    split: Split,
    mode: Mode,
    rhythm: Callable[[], Sequence[int]],
    *,
    starts: Table,
    cadences: Table,
    applied: float,
) -> Phrase:
    """Draw a phrase that belongs to `split`.

    Args:
        rng: source of the draws.
        split: the split whose phrases may be used.
        mode: of the key.
        rhythm: draws the lengths of the chords, in beats.
        starts: weights of the first chord.
        cadences: weights of the last chords.
        applied: probability that a secondary dominant of the next chord replaces a chord.
    """
    while True:
        lengths = rhythm()
        numerals = _chain(rng, mode, len(lengths), starts, cadences)
        phrase = Phrase(mode, _apply(rng, mode, numerals, applied), tuple(lengths))
        if split_of_template(phrase.name) == split:
            return phrase


def _weighted(rng: np.random.Generator, table: Mapping[str, float]) -> str:
    return pick(rng, list(table), list(table.values()))


def _chain(
    rng: np.random.Generator, mode: Mode, count: int, starts: Table, cadences: Table
) -> list[str]:
    """`count` numerals that end with a cadence, without immediate repetitions."""
    cadence = _weighted(rng, cadences[mode]).split()[-count:]
    body = [_weighted(rng, starts[mode])]
    while len(body) < count - len(cadence):
        body.append(_weighted(rng, _FOLLOWS[mode][body[-1]]))
    body = body[: count - len(cadence)]
    if body and body[-1:] == cadence[:1]:
        body[-1] = "vi" if mode == "major" else "bVI"
    return body + cadence


def _apply(
    rng: np.random.Generator, mode: Mode, numerals: list[str], applied: float
) -> tuple[str, ...]:
    """Replace some chords by the secondary dominant of the next chord.

    Goes backwards, so that a replaced chord is no target and each dominant resolves.
    """
    result = list(numerals)
    for index in range(len(result) - 2, 0, -1):
        target = result[index + 1]
        if target in _APPLIED[mode] and chance(rng, applied):
            result[index] = pick(rng, (f"V/{target}", f"vii/{target}"), (4, 1))
    return tuple(result)


def realise(rng: np.random.Generator, key: Key, numeral: str, richness: float) -> Chord:
    """The chord of a numeral in a key, in root position.

    Args:
        rng: source of the draws.
        key: the key.
        numeral: such as `"ii"` or `"V/ii"`.
        richness: probability of a rich quality instead of a plain one.
    """
    function, _, target = numeral.rpartition("/")
    degree = _NUMERALS[key.mode][target]
    root = key.tonic.above(degree.letters, degree.semitones)
    if function == "V":
        return Chord(root.above(4, 7), "7" if chance(rng, 0.75) else "maj")
    if function == "vii":
        return Chord(root.above(6, 11), pick(rng, ("dim7", "dim"), (2, 1)))
    return Chord(root, pick(rng, degree.rich if chance(rng, richness) else degree.plain))
