"""Harmony: spelling, labels, functions, and accompaniment that says what the label says."""

from __future__ import annotations

from collections import Counter

import mir_eval
import numpy as np
import pytest

from mirprobe.core.schema import SPLITS
from mirprobe_tasks.datasets.studio import version1
from mirprobe_tasks.datasets.studio.compose import compose
from mirprobe_tasks.datasets.studio.harmony import FINAL, STARTS, make_phrase, realise
from mirprobe_tasks.datasets.studio.piece import Piece
from mirprobe_tasks.music.chords import QUALITIES, Chord
from mirprobe_tasks.music.pitch import KEYS, Key, spell
from mirprobe_tasks.music.random_choice import split_of_template


@pytest.fixture(scope="module", params=[1, 2])
def pieces(request: pytest.FixtureRequest) -> list[Piece]:
    """About as many chords of either version; those of version 2 are shorter."""
    compose_piece, count = {1: (version1.compose, 24), 2: (compose, 48)}[request.param]
    return [compose_piece(split, index) for split in SPLITS for index in range(count)]


@pytest.mark.parametrize("quality", QUALITIES)
def test_labels_mean_what_is_played(quality: str) -> None:
    for name in ("C", "Eb", "F#", "Cb"):
        for inversion in range(len(QUALITIES[quality])):
            chord = Chord(spell(name), quality, inversion)
            root, bitmap, bass = mir_eval.chord.encode(chord.label)
            sounding = {(root + int(step)) % 12 for step in np.flatnonzero(bitmap)}
            assert sounding == set(chord.pitch_classes)
            assert (root + bass) % 12 == chord.bass


@pytest.mark.parametrize(
    ("key", "numeral", "root"),
    [
        ("Eb major", "bVI", "Cb"),
        ("Db major", "bVI", "Bbb"),
        ("F# major", "vii", "E#"),
        ("A major", "V/ii", "F#"),
        ("C minor", "bVII", "Bb"),
        ("G# minor", "V", "D#"),
        ("E minor", "vii/V", "A#"),
        ("C minor", "bII", "Db"),
    ],
)
def test_roots_are_spelled_by_function(key: str, numeral: str, root: str) -> None:
    found = next(candidate for candidate in KEYS if candidate.label == key)
    assert realise(np.random.default_rng(0), found, numeral, 0.0).root.name == root


def test_there_are_24_keys() -> None:
    assert len({(key.tonic.pitch_class, key.mode) for key in KEYS}) == 24
    assert Key(spell("A"), "minor").scale == Key(spell("C"), "major").scale


def test_phrases_belong_to_their_split_and_resolve_applied_dominants() -> None:
    rng = np.random.default_rng(5)
    for split in SPLITS:
        for _ in range(100):
            phrase = make_phrase(
                rng,
                split,
                "major",
                lambda: [4, 4, 2, 2, 4],
                starts=STARTS,
                cadences=FINAL,
                applied=0.5,
            )
            assert split_of_template(phrase.name) == split
            for numeral, after in zip(phrase.numerals, phrase.numerals[1:], strict=False):
                _, slash, target = numeral.partition("/")
                assert not slash or target == after


def test_accompaniment_plays_the_labelled_chord(pieces: list[Piece]) -> None:
    heard = 0
    for piece in pieces:
        truth = piece.annotations().chords
        assert truth is not None
        starts = truth.intervals[:, 0]
        for part in piece.parts:
            if part.role not in ("comp", "bass", "pad"):
                continue
            for note in part.notes:
                if note.ornament:
                    continue
                # The chord at the note's middle, well clear of human timing at its edges.
                middle = note.start + min(0.05, (note.end - note.start) / 2)
                label = truth.labels[int(np.searchsorted(starts, middle, side="right")) - 1]
                root, bitmap, _ = mir_eval.chord.encode(label)
                assert bitmap[(note.pitch - root) % 12], (piece.id, part.role, label, note)
                heard += 1
    assert heard > 5000


def test_bass_states_the_inversion_at_each_change(pieces: list[Piece]) -> None:
    for piece in pieces:
        bass = next(part for part in piece.parts if part.role == "bass")
        starts = np.array([note.start for note in bass.notes])
        for span in piece.progression.spans:
            if span.chord is None:
                continue
            time = piece.grid.boundaries[span.start]
            nearest = bass.notes[int(np.argmin(np.abs(starts - time)))]
            assert abs(nearest.start - time) < 0.05
            assert nearest.pitch % 12 == span.chord.bass


def test_nothing_but_drums_sounds_in_empty_bars(pieces: list[Piece]) -> None:
    empty = 0
    for piece in pieces:
        for span in piece.progression.spans:
            if span.chord is not None or span.end <= piece.grid.pickup:
                continue
            empty += 1
            start = piece.grid.boundaries[max(span.start, piece.grid.pickup)] + 0.05
            end = piece.grid.boundaries[span.end] - 0.05
            for part in piece.parts:
                if part.role != "drums":
                    assert not any(start < note.start < end for note in part.notes), piece.id
    assert empty > 5


def test_harmony_is_varied(pieces: list[Piece]) -> None:
    numerals = Counter(n for p in pieces for ph in p.progression.phrases for n in ph.numerals)
    chords = [span.chord for p in pieces for span in p.progression.spans if span.chord]
    assert sum("/" in numeral for numeral in numerals.elements()) > 50
    assert {"iv", "bVI", "bVII", "IV", "V", "v", "bIII"} <= set(numerals)
    assert len({chord.quality for chord in chords}) == len(QUALITIES)
    assert 0.05 < np.mean([chord.inversion > 0 for chord in chords]) < 0.4


def test_melodies_mix_chord_and_other_tones(pieces: list[Piece]) -> None:
    inside, total = 0, 0
    for piece in pieces:
        chords = {b: s.chord for s in piece.progression.spans for b in range(s.start, s.end)}
        for part in piece.parts:
            if part.role != "melody":
                continue
            for note in part.notes:
                beat = int(np.searchsorted(piece.grid.boundaries, note.start + 0.03)) - 1
                if chord := chords[max(0, min(beat, piece.grid.total - 1))]:
                    inside += note.pitch % 12 in chord.pitch_classes
                    total += 1
    assert 0.5 < inside / total < 0.85
