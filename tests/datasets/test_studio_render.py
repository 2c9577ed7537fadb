"""Rendering: what is annotated is what is heard, and when."""

from __future__ import annotations

import dataclasses
import io

import midirenderer
import numpy as np
import pytest
import soundfile

from mirprobe_tasks.datasets.studio import file_name, render
from mirprobe_tasks.datasets.studio.compose import compose
from mirprobe_tasks.datasets.studio.instruments import INSTRUMENTS
from mirprobe_tasks.music.midi import part_to_midi
from mirprobe_tasks.music.mix import Mix
from mirprobe_tasks.music.notes import Note, Part
from mirprobe_tasks.music.rendering import SAMPLE_RATE
from mirprobe_tasks.music.sound_fonts import studio_font

CLOSE = Mix(-3.0, -20.0, 0.3, -60.0, 0.0, 9000.0, 0.0, 1)

# Bowed, blown and padded sounds grow over tens of milliseconds: an onset that has no one instant.
ATTACKS = sorted(
    {
        program
        for name in ("piano", "electric piano", "acoustic guitar", "electric guitar", "mallets")
        for program in INSTRUMENTS[name].comp
    }
    | {program for instrument in INSTRUMENTS.values() for program in instrument.bass}
)


def _staccato(program: int, pitch: int) -> Part:
    starts = (0.5, 1.25, 2.0)
    notes = tuple(Note(start, start + 0.08, pitch, 100) for start in starts)
    return Part("comp", "piano", program, notes, 0.0)


@pytest.mark.parametrize("program", ATTACKS)
def test_notes_sound_when_the_score_says(program: int) -> None:
    piece = compose("train", 0)
    piece = dataclasses.replace(
        piece,
        parts=(_staccato(program, 60),),
        grid=dataclasses.replace(piece.grid, duration=3.0),
        mix=CLOSE,
    )
    audio = render(piece)
    assert len(audio) == 3 * SAMPLE_RATE
    for start in piece.onsets:
        at = int(start * SAMPLE_RATE)
        before = np.abs(audio[at - 1000 : at]).max()
        attack = np.abs(audio[at : at + 2000])
        rise = np.argmax(attack > before + 0.1 * (attack.max() - before))
        assert rise / SAMPLE_RATE < 0.010


def test_drums_sound_when_the_score_says() -> None:
    piece = compose("train", 0)
    notes = tuple(Note(start, start + 0.1, pitch, 100) for start, pitch in ((0.5, 36), (1.5, 38)))
    drums = Part("drums", "drums", 0, notes, 0.0)
    grid = dataclasses.replace(piece.grid, duration=2.5)
    audio = render(dataclasses.replace(piece, parts=(drums,), grid=grid, mix=CLOSE))
    for note in notes:
        at = int(note.start * SAMPLE_RATE)
        attack = np.abs(audio[at : at + 2000])
        assert np.argmax(attack > 0.2 * attack.max()) / SAMPLE_RATE < 0.010
        assert np.abs(audio[at - 400 : at]).max() < 0.1 * attack.max()


def test_midi_says_what_the_part_says() -> None:
    pretty_midi = pytest.importorskip("pretty_midi")
    part = next(part for part in compose("train", 2).parts if part.role == "bass")
    read = pretty_midi.PrettyMIDI(io.BytesIO(part_to_midi(part, 10.0, 25.0)))
    (instrument,) = read.instruments
    assert instrument.program == part.program
    found = sorted((note.start, note.end, note.pitch, note.velocity) for note in instrument.notes)
    expected = sorted((note.start, note.end, note.pitch, note.velocity) for note in part.notes)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert instrument.pitch_bends[0].pitch == round(8192 * 10 / 200)


def test_tuning_reaches_the_sound() -> None:
    spectra = []
    for cents in (0.0, 30.0):
        note = Part("comp", "organ", 16, (Note(0.0, 3.0, 69, 100),), 0.0)
        wave, rate = soundfile.read(
            io.BytesIO(midirenderer.render_wave_from(studio_font(), part_to_midi(note, cents, 3.0)))
        )
        spectrum = np.abs(np.fft.rfft(wave[:, 0] * np.hanning(len(wave)), n=2**20))
        low, high = (int(f * 2**20 / rate) for f in (420, 465))
        spectra.append((low + np.argmax(spectrum[low:high])) * rate / 2**20)
    assert 1200 * np.log2(spectra[1] / spectra[0]) == pytest.approx(30.0, abs=2.0)


def test_rendering_is_deterministic_and_keeps_its_headroom() -> None:
    piece = compose("test", 3)
    audio = render(piece)
    assert np.array_equal(audio, render(piece))
    assert np.abs(audio).max() == pytest.approx(10 ** (piece.mix.peak / 20))
    assert len(audio) == round(piece.grid.duration * SAMPLE_RATE)


def test_the_file_name_covers_score_and_mix() -> None:
    piece = compose("test", 3)
    louder = dataclasses.replace(piece, mix=dataclasses.replace(piece.mix, peak=-2.0))
    thinner = dataclasses.replace(piece, parts=piece.parts[:-1])
    names = {file_name(piece), file_name(louder), file_name(thinner)}
    assert len(names) == 3
    assert all(name.startswith("2.0-test-0003-") for name in names)
