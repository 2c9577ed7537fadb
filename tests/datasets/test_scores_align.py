"""Analyses laid on scores, with scores and analyses made here: every number can be counted."""

from __future__ import annotations

from typing import Any

import pytest

from mirprobe_tasks.datasets.scores.align import Bar, Numeral, align, place, silences
from mirprobe_tasks.datasets.scores.music21_corpus import (
    analyses,
    bars_of,
    drop_doubled_rests,
    group_of,
    read_work,
    work_of,
)
from mirprobe_tasks.datasets.scores.repeats import order, play_beats, play_notes, stretches
from mirprobe_tasks.pretraining_corpus.exclusions import is_annotated

music21 = pytest.importorskip("music21")

TRIAD = frozenset({0, 4, 7})


def numeral(number: int, at: float, label: str = "C:maj", tones: frozenset[int] = TRIAD) -> Numeral:
    return Numeral(number, at, label, "C major", tones)


def analysis(text: str) -> Any:
    return music21.converter.parse(f"Title: Made here\n{text}\n", format="romantext")


def score(*lines: str, metre: str = "4/4") -> Any:
    """Parts in tinyNotation, measures numbered from 1."""
    parts = [music21.converter.parse(f"tinynotation: {metre} {line}") for line in lines]
    whole = music21.stream.Score()
    for part in parts:
        whole.insert(0, part)
    return whole


def test_beats_are_found_in_both_halves_of_a_measure() -> None:
    bars = [Bar(0, 0, 1, padding=3), Bar(1, 1, 4), Bar(2, 5, 3), Bar(2, 8, 1, padding=3)]
    assert place(bars, numeral(0, 3)) == 0
    assert place(bars, numeral(1, 2.5)) == 3.5
    assert place(bars, numeral(2, 2)) == 7
    assert place(bars, numeral(2, 3)) == 8
    assert place(bars, numeral(2, 4)) is None
    assert place(bars, numeral(3, 0)) is None


def test_chords_last_until_the_next_and_rests_have_none() -> None:
    bars = [Bar(1, 0, 4), Bar(2, 4, 4), Bar(3, 8, 4)]
    notes = [(0.0, 4.0, 60), (4.0, 2.0, 67), (8.0, 4.0, 62)]
    g = frozenset({7, 11, 2})
    found = align(bars, [numeral(1, 2), numeral(2, 0, "G:maj", g), numeral(9, 0)], notes)
    assert found.chords == (
        (0.0, 2.0, "X"),
        (2.0, 4.0, "C:maj"),
        (4.0, 6.0, "G:maj"),
        (6.0, 8.0, "N"),
        (8.0, 12.0, "G:maj"),
    )
    assert (found.fit, found.shift, found.unplaced) == (8 / 10, 0, 1)
    assert found.keys == ((0.0, 12.0, "C major"),)


def test_a_bar_that_the_labels_do_not_fit_is_unknown() -> None:
    bars = [Bar(number, 4.0 * number, 4.0) for number in range(4)]
    notes = [(4.0 * number, 4.0, pitch) for number, pitch in enumerate((60, 64, 61, 67))]
    found = align(bars, [numeral(0, 0)], notes)
    assert found.fit == 3 / 4
    assert found.chords == ((0.0, 8.0, "C:maj"), (8.0, 12.0, "X"), (12.0, 16.0, "C:maj"))


@pytest.mark.parametrize("lift", [-5, -2, 0, 1, 6])
def test_an_edition_in_another_key_is_moved(lift: int) -> None:
    notes = [(0.0, 4.0, pitch - lift) for pitch in (60, 64, 67)]
    found = align([Bar(1, 0, 4)], [numeral(1, 0)], notes)
    assert (found.shift, found.fit) == (lift, 1.0)


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(ValueError, match="no chord of the analysis"):
        align([Bar(1, 0, 4)], [numeral(2, 0)], [(0.0, 4.0, 60)])


def test_short_rests_keep_their_chord() -> None:
    assert silences([(0.0, 1.0, 60), (1.5, 1.0, 60), (4.0, 1.0, 60)], 7.0) == [(2.5, 4.0), (5, 7)]


def test_repeats_go_back_to_the_sign_or_the_last_repeat() -> None:
    plain = [Bar(k, 4.0 * k, 4.0, closes=k in (1, 3)) for k in range(5)]
    assert order(plain) == [0, 1, 0, 1, 2, 3, 2, 3, 4]
    signed = [Bar(k, 4.0 * k, 4.0, opens=k == 1, closes=k == 2) for k in range(4)]
    assert order(signed) == [0, 1, 2, 1, 2, 3]
    way = stretches(signed)
    assert [(part.start, part.end, part.moved) for part in way] == [(0, 12, 0), (4, 16, 8)]
    # tied over the repeat sign: cut off there the first time, held the second
    assert play_notes([(11.0, 2.0, 60)], way) == ((11.0, 1.0, 60), (19.0, 2.0, 60))


def test_beats_count_on_through_pickup_repeat_and_change_of_metre() -> None:
    bars = [
        Bar(0, 0, 1, padding=3),
        Bar(1, 1, 3, closes=True),
        Bar(1, 4, 1, padding=3),
        Bar(2, 5, 4),
        Bar(3, 9, 3, beats=3),
        Bar(4, 12, 3, beat=1.5, beats=2),
        Bar(5, 15, 8),
    ]
    beats = play_beats(bars)
    assert [place for _, place in beats] == [
        *(4, 1, 2, 3),
        *(4, 1, 2, 3),
        *(4, 1, 2, 3, 4),
        *(1, 2, 3),
        *(1, 2),
        *(1, 2, 3, 4, 1, 2, 3, 4),
    ]
    assert [at for at, _ in beats[13:18]] == [13.0, 14.0, 15.0, 16.0, 17.5]


def test_a_pickup_that_is_no_whole_beat_has_its_first_beat_later() -> None:
    assert play_beats([Bar(0, 0, 0.5, padding=3.5), Bar(1, 0.5, 4)])[0] == (0.5, 1)


def test_a_work_of_a_score_with_pickup_repeat_and_metre_change() -> None:
    part = music21.stream.Part()
    for number, metre, tones in (
        (0, "4/4", "g4"),
        (1, "", "c4 e4 g4 c5"),
        (2, "3/4", "d4 f#4 a4"),
        (3, "", "g4 g4 b4"),
    ):
        measure = music21.stream.Measure(number=number)
        if metre:
            measure.append(music21.meter.TimeSignature(metre))
        for tone in tones.split():
            measure.append(music21.note.Note(tone, quarterLength=1.0))
        measure.paddingLeft = 3.0 if number == 0 else 0.0
        part.append(measure)
    part.getElementsByClass("Measure")[1].rightBarline = music21.bar.Repeat(direction="end")
    whole = music21.stream.Score([part])
    read = analysis("Time Signature: 4/4\nm0 b4 C: V\nm1 I\nTime Signature: 3/4\nm2 G: V\nm3 I")
    work = work_of("made", read, whole, "here")
    assert work.fit == 1.0
    assert work.title == "Made here"
    assert work.chords == (
        (0.0, 1.0, "G:maj"),
        (1.0, 5.0, "C:maj"),
        (5.0, 6.0, "G:maj"),
        (6.0, 10.0, "C:maj"),
        (10.0, 13.0, "D:maj"),
        (13.0, 16.0, "G:maj"),
    )
    assert work.keys == ((0.0, 10.0, "C major"), (10.0, 16.0, "G major"))
    assert [at for at, place in work.beats if place == 1] == [1.0, 6.0, 10.0, 13.0]
    assert len(work.voices[0]) == 2 * 5 + 6


def test_measures_of_rest_that_are_written_twice_are_single() -> None:
    music = score("c1 d1 e1", "r1 g1 c'1")
    second = music.parts[1]
    second.getElementsByClass("Measure")[0].append(music21.note.Rest(quarterLength=4.0))
    drop_doubled_rests(music)
    assert [bar.start for bar in bars_of(second)] == [0.0, 4.0, 8.0]
    second.getElementsByClass("Measure")[1].append(music21.note.Note("C", quarterLength=4.0))
    with pytest.raises(ValueError, match="disagree about the starts of measures"):
        drop_doubled_rests(music)


def test_the_second_half_of_a_measure_belongs_to_the_first_whatever_its_number() -> None:
    part = score("c4 d4 e4 f4 g2. a4").parts[0]
    measures = list(part.getElementsByClass("Measure"))
    last = measures[1].notes[-1]
    measures[1].remove(last)
    half = music21.stream.Measure(number=0)
    half.append(last)
    part.append(half)
    bars = bars_of(part)
    assert (bars[2].number, bars[2].padding, bars[2].length) == (2, 3.0, 1.0)


def test_parts_of_a_cycle_are_one_group() -> None:
    assert group_of("madrigal.5.7") == group_of("madrigal.5.4") == "madrigal.5.4"
    assert group_of("madrigal.5.3") == "madrigal.5.3"
    assert group_of("bwv269") == "bwv269"


def test_a_chorale_of_the_corpus() -> None:
    pairs = {path.stem: editions for path, editions in analyses() for path in [path]}
    assert len(pairs) == 68
    # none of them is heard in pretraining
    assert all(
        is_annotated(f"{path.parent.name}/{path.name}")
        for paths in pairs.values()
        for path in paths
    )
    (path,) = [path for path, _ in analyses() if path.stem == "riemenschneider001"]
    work = read_work(path, pairs[path.stem])
    assert (work.id, work.group, work.shift, work.unplaced) == ("bwv269", "bwv269", 0, 0)
    assert work.fit == pytest.approx(0.948, abs=0.001)
    # 61 and a pickup of 1 with the last two quarters, the first 21 of which are repeated
    assert work.length == 63 + 21
    assert [place for _, place in work.beats[:5]] == [3, 1, 2, 3, 1]
    assert work.chords[0] == (0.0, 2.0, "G:maj")
    assert {key for _, _, key in work.keys} == {"G major"}
