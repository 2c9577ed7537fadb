"""Roman numerals as Harte labels, against what mir_eval reads of them."""

from __future__ import annotations

import mir_eval
import numpy as np
import pytest

from mirprobe_tasks.datasets.scores.harte import (
    UNKNOWN,
    chord_label,
    degree,
    harte_label,
    transposed,
)
from mirprobe_tasks.music.chords import QUALITIES
from mirprobe_tasks.music.pitch import spell

roman = pytest.importorskip("music21.roman")


@pytest.mark.parametrize(
    ("figure", "key", "expected"),
    [
        ("I", "C", "C:maj"),
        ("ii6/5", "G", "A:min7/b3"),
        ("V65/V", "C", "D:7/3"),
        ("V2", "e", "B:7/b7"),
        ("viio7", "c", "B:dim7"),
        ("viiø4/3", "C", "B:hdim7/b5"),
        ("iiø6/5", "a", "B:hdim7/b3"),
        ("III+", "a", "C:aug"),
        ("IV7", "A", "D:maj7"),
        ("bVI", "C", "Ab:maj"),
        ("vi", "a", "F#:min"),
        ("N6", "c", "Db:maj/3"),
        ("Cad64", "C", "C:maj/5"),
        ("i6/4", "F#", "F#:min/5"),
        ("Ger65", "c", "Ab:7"),
        ("It6", "c", "Ab:(1,3,b7)"),
        ("Fr43", "c", "Ab:(1,3,#4,b7)"),
        ("V[add9]", "C", "G:maj(9)"),
        ("V9", "C", "G:7(9)"),
        ("I[add4]", "C", "C:maj(11)"),
        ("V[no3]", "F", "C:(1,5)"),
        ("V7[no3]", "C", "G:(1,5,b7)"),
        ("I6[no1]", "C", "C:maj(*1)/3"),
        ("viio6/ii", "G", "G#:dim/b3"),
    ],
)
def test_labels(figure: str, key: str, expected: str) -> None:
    numeral = roman.RomanNumeral(figure, key)
    found = harte_label(numeral)
    assert found == expected
    root, bitmap, bass = mir_eval.chord.encode(found, reduce_extended_chords=True)
    heard = {(root + tone) % 12 for tone in np.flatnonzero(bitmap)}
    assert heard == {pitch.pitchClass for pitch in numeral.pitches}
    assert (root + bass) % 12 == numeral.bass().pitchClass


@pytest.mark.parametrize("figure", ["var", "VIII"])
def test_slips_of_the_pen_are_unknown(figure: str) -> None:
    numeral = roman.RomanNumeral("V", "C")
    numeral.figure = figure
    assert harte_label(numeral) == UNKNOWN


@pytest.mark.parametrize("quality", QUALITIES)
def test_every_shorthand_is_found_again_in_every_inversion(quality: str) -> None:
    root = spell("Eb")
    tones = [
        root.above(int(name.lstrip("b#")) - 1, semitones) for name, semitones in QUALITIES[quality]
    ]
    for (name, _), bass in zip(QUALITIES[quality], tones, strict=True):
        assert degree(root, bass) == name
        inversion = "" if name == "1" else f"/{name}"
        assert chord_label(root, bass, tones) == f"Eb:{quality}{inversion}"


def test_transposition_spells() -> None:
    assert transposed("F#:min7/b3", 2, 3) == "A:min7/b3"
    assert transposed("B:maj(*1)/3", 1, 1) == "C:maj(*1)/3"
    assert transposed("Bb:maj", 6, 11) == "A:maj"
    assert [transposed(label, 3, 5) for label in ("N", "X")] == ["N", "X"]
