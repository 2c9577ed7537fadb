"""Harmonising and arranging: chords that fit, keys that are found, patterns of the train split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from helpers.tunes import JACQUES, make_tune

from mirprobe_tasks.datasets.studio.band import Lineup, play
from mirprobe_tasks.music.chords import Span
from mirprobe_tasks.music.metre import Grid
from mirprobe_tasks.music.notes import Part
from mirprobe_tasks.music.pitch import Key
from mirprobe_tasks.music.random_choice import split_of_template
from mirprobe_tasks.pretraining_corpus import arrange as arranging
from mirprobe_tasks.pretraining_corpus.arrange import Arrangement, arrange
from mirprobe_tasks.pretraining_corpus.bands import FAMILIES, Band, make_band
from mirprobe_tasks.pretraining_corpus.harmonise import best_path, harmonise
from mirprobe_tasks.pretraining_corpus.leadsheet import LeadSheet, lead_sheet
from mirprobe_tasks.pretraining_corpus.timing import LONGEST, Timing, draw_timing
from mirprobe_tasks.pretraining_corpus.tunes import Tune

GENERAL_MIDI = frozenset([(0, program) for program in range(128)] + [(128, 0)])


def read(tune: Tune) -> LeadSheet:
    sheet = lead_sheet(tune)
    assert sheet is not None
    return sheet


def played(seed: int, sheet: LeadSheet, band: Band, timing: Timing) -> Arrangement:
    return arrange(np.random.default_rng(seed), sheet, band, timing)


@pytest.mark.parametrize("up", range(12))
def test_the_key_is_found_wherever_the_tune_is_moved(up: int) -> None:
    key = read(make_tune(JACQUES, up=up)).key
    assert (key.tonic.pitch_class, key.mode) == (up, "major")


def test_a_pickup_fills_the_end_of_whole_beats() -> None:
    sheet = read(make_tune([(67, 0.5), *JACQUES], pickup=0.5))
    assert (sheet.pickup, sheet.bars) == (1, 8)
    assert sheet.voices[0][0].start == 0.5
    assert sheet.voices[0][1].start == 1.0


def test_compound_bars_are_counted_in_dotted_quarters() -> None:
    sheet = read(make_tune([(60, 0.5), (62, 0.5), (64, 0.5)] * 16, metre="6/8"))
    assert (sheet.metre.name, sheet.bars) == ("6/8", 8)
    assert sheet.voices[0][3].start == pytest.approx(1.0)


@pytest.mark.parametrize("metre", ["", "5/4", "9/8"])
def test_a_melody_of_no_usable_metre_is_not_played(metre: str) -> None:
    assert lead_sheet(make_tune(JACQUES, metre=metre)) is None


def test_voices_need_no_metre() -> None:
    tune = make_tune(JACQUES, metre="")
    sheet = lead_sheet(replace(tune, voices=tune.voices * 2))
    assert sheet is not None
    assert len(sheet.voices) == 2


def test_the_best_path_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    reward, follow = rng.normal(size=(5, 3)), rng.normal(size=(3, 3))

    def worth(path: tuple[int, ...]) -> float:
        steps = sum(follow[a, b] for a, b in pairwise(path))
        return float(steps + sum(reward[time, state] for time, state in enumerate(path)))

    assert tuple(best_path(reward, follow)) == max(product(range(3), repeat=5), key=worth)


def test_chords_fit_the_melody_and_end_at_home() -> None:
    sheet = read(make_tune(JACQUES))
    for seed in range(5):
        spans = harmonise(np.random.default_rng(seed), sheet)
        assert spans[0].start == 0
        assert spans[-1].end == 32
        assert all(a.end == b.start for a, b in pairwise(spans))
        roots = [span.chord.root.name for span in spans if span.chord]
        assert roots[0] == roots[-1] == "C"
        held = sum(
            note.length
            for note in sheet.voices[0]
            for span in spans
            if span.start <= note.start < span.end
            and span.chord
            and note.pitch % 12 in span.chord.pitch_classes
        )
        assert held > 0.6 * 32


def test_other_chords_are_others_and_fit_too() -> None:
    sheet = read(make_tune(JACQUES))
    for seed in range(5):
        first = harmonise(np.random.default_rng(seed), sheet)
        second = harmonise(np.random.default_rng(seed), sheet, other_than=first)
        chords = [
            [span.chord for span in spans for _ in range(span.start, span.end)]
            for spans in (first, second)
        ]
        assert np.mean([a == b for a, b in zip(*chords, strict=True)]) < 0.4
        held = sum(
            note.length
            for note in sheet.voices[0]
            if (chord := chords[1][int(note.start)]) and note.pitch % 12 in chord.pitch_classes
        )
        assert held > 0.4 * 32


def test_an_arrangement_has_the_melody_in_the_new_key() -> None:
    sheet = read(make_tune(JACQUES))
    classes = {pitch % 12 for pitch, _ in JACQUES}
    for number in range(16):
        band = make_band("Any", number, GENERAL_MIDI)
        timing = draw_timing(np.random.default_rng(number), sheet, band)
        done = played(number, sheet, band, timing)
        assert timing.grid.duration < LONGEST + 5
        for part in done.parts:
            assert all(note.end > note.start >= 0 for note in part.notes)
            assert all(0 <= note.pitch < 128 for note in part.notes)
            if part.role == "melody":
                heard = {(note.pitch - timing.transposition) % 12 for note in part.notes}
                assert heard <= classes
        assert {part.role for part in done.parts} >= {"melody"}


def test_a_key_is_never_pressed_twice() -> None:
    sheet = read(make_tune([(60, 0.5)] * 8 + JACQUES))
    for number in range(16):
        band = make_band("Any", number, GENERAL_MIDI)
        timing = draw_timing(np.random.default_rng(number), sheet, band)
        for part in played(number, sheet, band, timing).parts:
            ends: dict[int, float] = {}
            for note in sorted(part.notes, key=lambda note: note.start):
                assert ends.get(note.pitch, 0.0) <= note.start
                ends[note.pitch] = note.end


def test_patterns_are_of_the_train_split(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns: list[str] = []

    def spy(
        rng: np.random.Generator, lineup: Lineup, key: Key, grid: Grid, spans: Sequence[Span]
    ) -> tuple[Part, ...]:
        patterns.extend(pattern.name for pattern in lineup.patterns)
        return play(rng, lineup, key, grid, spans)

    monkeypatch.setattr(arranging, "play", spy)
    sheet = read(make_tune(JACQUES))
    for number in range(8):
        band = make_band("Any", number, GENERAL_MIDI)
        timing = draw_timing(np.random.default_rng(number), sheet, band)
        played(number, sheet, band, timing)
    assert len(patterns) >= 16
    assert {split_of_template(name) for name in patterns} == {"train"}


def test_voices_are_played_as_written() -> None:
    tune = make_tune(JACQUES)
    low = make_tune(JACQUES, up=-12).voices
    sheet = read(replace(tune, voices=tune.voices + low))
    band = make_band("Any", 1, GENERAL_MIDI)
    timing = draw_timing(np.random.default_rng(0), sheet, band)
    upper, lower = played(0, sheet, band, timing).parts
    count = len(sheet.voices[0])
    moved = [note.pitch + timing.transposition for note in sheet.voices[0]]
    assert [note.pitch for note in upper.notes[:count]] == moved
    assert [note.pitch + 12 for note in lower.notes[:count]] == moved


def test_bands_differ_and_stay() -> None:
    bands = [make_band("Any", number, GENERAL_MIDI) for number in range(24)]
    assert bands == [make_band("Any", number, GENERAL_MIDI) for number in range(24)]
    assert len({(band.leads, band.players) for band in bands}) == 24
    assert {band.family for band in bands} == set(FAMILIES)
    drummers = sum(any(player.role == "drums" for player in band.players) for band in bands)
    assert 0 < drummers < 24


def test_a_band_plays_only_what_its_font_has() -> None:
    few = frozenset([(0, 0), (0, 40), (0, 73)])
    for number in range(16):
        band = make_band("Few", number, few)
        programs = {player.program for player in (*band.leads, *band.players)} | set(band.choir)
        assert programs <= {0, 40, 73}
        assert all(player.role != "drums" for player in band.players)
