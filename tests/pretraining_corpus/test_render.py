"""Rendering: what is played is what is heard, it stays, and goes on where it was killed."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.tunes import JACQUES, make_tune

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.bank import Bank
from mirprobe_tasks.music.midi import part_to_midi, parts_to_midi
from mirprobe_tasks.music.notes import Part
from mirprobe_tasks.music.rendering import loudness, synthesise
from mirprobe_tasks.music.sound_fonts import studio_font
from mirprobe_tasks.pretraining_corpus import render as rendering
from mirprobe_tasks.pretraining_corpus import timing
from mirprobe_tasks.pretraining_corpus.recipe import WorkDir, bank_renderings, check
from mirprobe_tasks.pretraining_corpus.render import (
    RATE,
    Job,
    RenderPlan,
    plan_jobs,
    render_audio,
    volumes,
)
from mirprobe_tasks.pretraining_corpus.tunes import read_tunes, write_tunes

FLUTE, VIOLA = 73, 41
TUNES = [replace(make_tune(JACQUES, up=up), id=f"oneills1850/made.abc#{up}") for up in (0, 3)]
SMALL = RenderPlan(hours=0.01, bands=2, versions=2, takes=1)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SHORTEST", 12.0)
    monkeypatch.setattr(timing, "LONGEST", 18.0)


@pytest.fixture
def work_dir(tmp_path: Path) -> WorkDir:
    made = WorkDir(tmp_path)
    made.fonts.mkdir()
    for name in ("One", "TimGM6mb"):
        (made.fonts / f"{name}.sf2").write_bytes(studio_font())
    write_tunes(made.tunes, TUNES, {})
    return made


def _jobs(work_dir: WorkDir, plan: RenderPlan = SMALL) -> list[Job]:
    return list(
        plan_jobs(read_tunes(work_dir.tunes).tunes, sorted(work_dir.fonts.glob("*.sf2")), plan)
    )


def _alone(job: Job, program: int) -> Job:
    """The same track with the melody alone, in a dry and quiet room, in tune."""
    lead = replace(job.band.leads[0], program=program, centre=72)
    band = replace(job.band, leads=(lead, lead), players=(), swings=0.0, tuning=0.0)
    return replace(job, band=replace(band, wet=-60.0, noise=-80.0, low_cut=20.0, high_cut=7800.0))


def _strongest(samples: np.ndarray, start: float, end: float) -> int:
    """The pitch class whose partials hold most of a stretch of sound."""
    stretch = samples[round(start * RATE) : round(end * RATE)]
    spectrum = np.abs(np.fft.rfft(stretch * np.hanning(len(stretch)), 1 << 16)) ** 2
    sums = []
    for pitch in range(60, 72):
        places = [440 * 2 ** ((pitch - 69 + octave) / 12) for octave in (0, 12, 24)]
        bins = [round(place * (1 << 16) / RATE) for place in places]
        sums.append(sum(float(spectrum[b - 6 : b + 7].sum()) for b in bins))
    return int(np.argmax(sums))


@pytest.mark.parametrize("program", [FLUTE, VIOLA])
def test_the_melody_is_heard_in_its_key(work_dir: WorkDir, program: int) -> None:
    jobs = [_alone(job, program) for job in _jobs(work_dir)[:2]]
    moved = []
    for job in jobs:
        shift = job.timing().transposition
        samples = render_audio(job)
        notes = job.perform().parts[0].notes[:8]
        heard = [_strongest(samples, note.start + 0.03, note.end) for note in notes]
        written = [note.pitch for note in job.sheet.voices[0][:8]]
        assert heard == [(pitch + shift) % 12 for pitch in written]
        moved.append((shift, heard[0]))
    (one, first), (two, second) = moved
    assert one != two
    assert (second - first) % 12 == (two - one) % 12


def test_parts_that_are_played_together_are_the_sum_of_each(work_dir: WorkDir) -> None:
    arrangement = _jobs(work_dir)[0].perform()
    low, high = arrangement.parts[0], arrangement.parts[-1]
    length = round(arrangement.duration * RATE)

    def heard(*parts: tuple[Part, int]) -> np.ndarray:
        midi = parts_to_midi(parts, 0.0, arrangement.duration)
        return synthesise(studio_font(), midi, length, RATE)

    both = heard((low, 127), (high, 64))
    alone = heard((low, 127)), heard((high, 127))
    expected = alone[0] + alone[1] * (64 / 127) ** 2
    assert np.abs(both - expected).max() < 0.01 * np.abs(both).max()


def test_parts_are_about_as_loud_as_their_gains_say(work_dir: WorkDir) -> None:
    for job in _jobs(work_dir)[:3]:
        arrangement = job.perform()
        departures = []
        for part, volume in zip(
            arrangement.parts, volumes(job.font, arrangement.parts), strict=True
        ):
            midi = part_to_midi(part, 0.0, arrangement.duration)
            sound = synthesise(studio_font(), midi, round(arrangement.duration * RATE), RATE)
            level = 20 * np.log10(loudness(sound, RATE)) + 40 * np.log10(volume / 127)
            if part.role != "drums":
                departures.append(level - part.gain)
        assert max(departures) - min(departures) < 9.0


def test_a_track_stays_as_it_is(work_dir: WorkDir) -> None:
    once, again = _jobs(work_dir)[0], _jobs(work_dir)[0]
    assert once.key == again.key
    samples = render_audio(once)
    np.testing.assert_array_equal(samples, render_audio(again))
    assert samples.dtype == np.float32
    assert len(samples) == round(once.perform().duration * RATE)
    assert 0.1 < np.abs(samples).max() <= 1.0
    other = _jobs(work_dir, replace(SMALL, seed=1))[0]
    assert other.key != once.key


def test_another_process_plays_the_same(work_dir: WorkDir) -> None:
    jobs = _jobs(work_dir, RenderPlan(hours=0.03, bands=6, takes=1))
    jobs = [replace(job, band=replace(job.band, swings=1.0)) for job in jobs]
    assert all(job.timing().grid.swing != 0.5 for job in jobs)
    assert any(part.role == "drums" for job in jobs for part in job.perform().parts)
    for job in jobs:
        here, there = job.perform(), pickle.loads(pickle.dumps(job)).perform()
        assert (there.duration, there.mix) == (here.duration, here.mix)
        assert [part.notes for part in there.parts] == [part.notes for part in here.parts]


def test_a_bank_takes_a_second_plan(work_dir: WorkDir) -> None:
    bank = work_dir.tunes.parent / "bank"
    plans = SMALL, replace(SMALL, takes=2)
    keys = {job.key for plan in plans for job in _jobs(work_dir, plan)}
    assert len(keys) > len(_jobs(work_dir))
    for plan in plans:
        bank_renderings(work_dir, bank, plan, jobs=1)
    assert {track.key for track in Bank.open(bank).tracks} == keys


def test_more_hours_are_the_same_tracks_and_more(work_dir: WorkDir) -> None:
    few, many = _jobs(work_dir), _jobs(work_dir, replace(SMALL, hours=0.04))
    assert len(many) > len(few)
    assert [job.key for job in many[: len(few)]] == [job.key for job in few]
    assert len({job.key for job in many}) == len(many)


def test_bands_play_many_tunes_and_tunes_have_many_bands(work_dir: WorkDir) -> None:
    jobs = _jobs(work_dir, RenderPlan(hours=0.08, bands=2, versions=2, takes=1))
    tunes = {job.tune.id: {j.band.name for j in jobs if j.tune is job.tune} for job in jobs}
    bands = {job.band.name: {j.tune.id for j in jobs if j.band == job.band} for job in jobs}
    assert all(len(played) >= 2 for played in tunes.values())
    assert any(len(played) >= 2 for played in bands.values())
    assert len({job.font for job in jobs}) == 2


def test_takes_differ_in_key_or_chords_alone(work_dir: WorkDir) -> None:
    plan = RenderPlan(hours=0.03, bands=2, takes=4)
    first, *others = _jobs(work_dir, plan)[:4]
    assert [job.take for job in (first, *others)] == [0, 1, 2, 3]
    assert len({job.key for job in (first, *others)}) == 4
    once = first.perform()
    for job in others:
        assert (job.band, job.tune) == (first.band, first.tune)
        again = job.perform()
        assert (again.duration, again.mix) == (once.duration, once.mix)
        assert [p.role for p in again.parts] == [p.role for p in once.parts]
        assert [p.gain for p in again.parts] == [p.gain for p in once.parts]
        melodies = [[p for p in take.parts if p.role == "melody"] for take in (once, again)]
        times = [[(n.start, n.end) for p in melody for n in p.notes] for melody in melodies]
        assert times[0] == times[1]
        moved = job.timing().transposition - first.timing().transposition
        assert (moved != 0) == (job.take % 2 == 1)
        heard = [[n.pitch % 12 for p in melody for n in p.notes] for melody in melodies]
        assert heard[1] == [(pitch + moved) % 12 for pitch in heard[0]]
        basses = [
            [n.pitch % 12 for p in take.parts if p.role == "bass" for n in p.notes]
            for take in (once, again)
        ]
        same_chords = basses[1] == [(pitch + moved) % 12 for pitch in basses[0]]
        assert same_chords == (job.take < 2)


def test_voices_as_written_have_two_takes(work_dir: WorkDir) -> None:
    choral = [replace(tune, voices=tune.voices * 2) for tune in TUNES]
    write_tunes(work_dir.tunes, choral, {})
    assert {job.take for job in _jobs(work_dir, RenderPlan(hours=0.03, bands=2, takes=4))} == {0, 1}


def test_a_killed_run_goes_on(work_dir: WorkDir, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = work_dir.tunes.parent / "bank"
    jobs = _jobs(work_dir)
    rendering.render_one(jobs[0], bank)  # all that a killed run had done
    done = bank_renderings(work_dir, bank, SMALL, jobs=1)
    assert (done.tracks, done.present) == (len(jobs), 1)
    assert done.hours > 0
    assert done.speed > 0
    opened = check(bank)
    assert {track.key for track in opened.tracks} == {job.key for job in jobs}
    assert {track.group for track in opened.tracks} == {f"band {job.band.name}" for job in jobs}
    assert {track.work for track in opened.tracks} == {f"tune {job.tune.id}" for job in jobs}
    assert all("of it in the sound font of studio" in track.source for track in opened.tracks)

    def never(job: Job) -> None:
        raise AssertionError(job)

    monkeypatch.setattr(rendering, "render_audio", never)
    assert bank_renderings(work_dir, bank, SMALL, jobs=1).present == len(jobs)
    assert len(Bank.open(bank).tracks) == len(jobs)


def test_nothing_to_play_is_an_error(work_dir: WorkDir) -> None:
    write_tunes(work_dir.tunes, [make_tune(JACQUES, metre="")], {})
    with pytest.raises(ConfigError, match="none of 1 tunes"):
        _jobs(work_dir)
    with pytest.raises(ConfigError, match="no tune"):
        list(plan_jobs([], sorted(work_dir.fonts.glob("*.sf2")), SMALL))
    with pytest.raises(ConfigError, match="hours=0: a number above 0"):
        RenderPlan(hours=0)
    with pytest.raises(ConfigError, match="takes=5: 1 to 4"):
        RenderPlan(takes=5)
