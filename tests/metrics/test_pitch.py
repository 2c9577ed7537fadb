from __future__ import annotations

from itertools import product

import librosa
import pytest

from mirprobe.metrics import pitch as metrics


@pytest.mark.parametrize(
    ("note", "number"),
    [("A4", 69), ("C4", 60), ("C-1", 0), ("G9", 127), ("A#4", 70), ("Bb4", 70), ("B#3", 60)],
)
def test_known_notes(note: str, number: int) -> None:
    assert metrics.midi_number(note) == number


def test_all_spellings_against_librosa() -> None:
    for letter, accidental, octave in product("CDEFGAB", ("", "#", "b", "##", "bb"), range(9)):
        note = f"{letter}{accidental}{octave}"
        assert metrics.midi_number(note) == librosa.note_to_midi(note)


def test_the_classes_are_midi_numbers() -> None:
    assert len(metrics.NOTES) == 128
    assert [metrics.midi_number(note) for note in metrics.NOTES] == list(range(128))
    assert (metrics.NOTES[0], metrics.NOTES[69], metrics.NOTES[-1]) == ("C-1", "A4", "G9")


@pytest.mark.parametrize("note", ["", "A", "4", "H4", "a4", "A4.5", "A#b4", "A 4", "A4 ", "La4"])
def test_no_notes(note: str) -> None:
    with pytest.raises(ValueError, match="not a letter from A to G"):
        metrics.midi_number(note)


@pytest.mark.parametrize("note", ["Cb-1", "G#9", "C10", "A-2"])
def test_notes_outside_midi(note: str) -> None:
    with pytest.raises(ValueError, match="outside C-1 to G9"):
        metrics.midi_number(note)


def test_scores_by_hand() -> None:
    corpus = metrics.corpus_scores(["A4", "Bb3", "C4", "C4"], ["A4", "A#5", "C#4", "B#3"])
    assert {name: value.value() for name, value in corpus.items()} == {
        "accuracy": 0.5,
        "chroma_accuracy": 0.75,
    }
    assert set(corpus) == set(metrics.METRICS)


def test_lists_of_different_length() -> None:
    with pytest.raises(ValueError, match="zip"):
        metrics.corpus_scores(["C4"], [])
