"""Renders tunes with bands into a bank, on all cores, without intermediate audio files.

Tunes are in a seeded order. One or several bands play each tune (versions), and each band plays it
once or in several takes, which differ in key and chords. Seed and number determine a track, so that
more hours add tracks after the same first ones.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from math import inf
from pathlib import Path

import numpy as np

from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.core.parallel import parallel_map
from mirprobe.pretraining import bank_shards
from mirprobe.pretraining.merge_shards import known_keys
from mirprobe_tasks.music.midi import part_to_midi, parts_to_midi
from mirprobe_tasks.music.notes import Note, Part
from mirprobe_tasks.music.rendering import loudness, record, synthesise
from mirprobe_tasks.music.sound_fonts import (
    font_digest,
    list_fonts,
    presets,
    read_font,
    studio_share,
)
from mirprobe_tasks.pretraining_corpus.arrange import TAKES, Arrangement, arrange, take_count
from mirprobe_tasks.pretraining_corpus.bands import Band, make_band
from mirprobe_tasks.pretraining_corpus.leadsheet import LeadSheet, lead_sheet
from mirprobe_tasks.pretraining_corpus.timing import Timing, draw_timing
from mirprobe_tasks.pretraining_corpus.tunes import Tune, read_tunes

RATE = 16_000
"""Sample rate, in Hz."""

_RECIPE = 3  # increase it to make the same tune and band sound different
_CHORDS = ((55, 60, 64), (57, 60, 65), (55, 59, 62), (55, 60, 64))
_PHRASES = {
    "melody": ((67,), (71,), (72,), (76,)),
    "comp": _CHORDS,
    "pad": _CHORDS,
    "bass": ((36,), (41,), (43,), (36,)),
    "drums": ((36, 42), (38, 42), (36, 42), (38, 42)),
}


@dataclass(frozen=True)
class RenderPlan:
    """Amount and seed of renderings.

    Attributes:
        hours: of audio, at least.
        seed: of the order of tunes and bands, and of all random choices.
        bands: per sound font.
        versions: bands that play each tune.
        takes: takes of each tune by each of these bands, see `arrange.TAKES`.
    """

    hours: float = 100.0
    seed: int = 0
    bands: int = 24
    versions: int = 1
    takes: int = 1

    def __post_init__(self) -> None:
        for name in ("hours", "bands", "versions"):
            if not 0 < getattr(self, name) < inf:
                raise ConfigError(f"{name}={getattr(self, name)}: a number above 0")
        if not 1 <= self.takes <= TAKES:
            raise ConfigError(f"takes={self.takes}: 1 to {TAKES}")


@dataclass(frozen=True, eq=False)
class Job:
    """One track: a take of a tune by a band on its font, and the seed of the draws."""

    index: int
    take: int
    seed: int
    tune: Tune
    sheet: LeadSheet
    band: Band
    font: Path

    @property
    def key(self) -> str:
        """Digest of everything that the audio depends on."""
        notes = hashlib.sha256()
        for line in self.tune.voices:
            for array in (line.onsets, line.durations, line.pitches):
                notes.update(array.astype("<i8").tobytes())
        signature = (self.tune.id, self.tune.metre, self.tune.pickup, self.tune.sharps)
        renderer = importlib.metadata.version("midirenderer")
        made_by = (_RECIPE, renderer, font_digest(self.font), repr(self.band))
        number = (self.index, self.take, self.seed)
        return digest("render", *number, *signature, notes.hexdigest(), *made_by)

    @property
    def source(self) -> str:
        """Description, which `exclusions.exclusion_reason` reads too."""
        share = studio_share(self.font)
        kin = f" ({share:.0%} of it in the sound font of studio)" if share else ""
        played = f"tune {self.tune.id} band {self.band.name} take {self.take}"
        return f"{played} font {self.band.font}{kin}"

    def timing(self) -> Timing:
        """Tempo, passes and key."""
        return draw_timing(self._rng("time"), self.sheet, self.band, take=self.take)

    def perform(self) -> Arrangement:
        """The notes."""
        return arrange(self._rng("play"), self.sheet, self.band, self.timing(), take=self.take)

    def _rng(self, aspect: str) -> np.random.Generator:
        """The generator for one aspect; the same for all takes."""
        return np.random.default_rng([self.seed, self.index - self.take, *aspect.encode()])


@dataclass(frozen=True)
class Rendered:
    """The result of a run.

    Attributes:
        tracks: of the plan.
        present: tracks that the bank already had.
        hours: of audio rendered by this run.
        core_hours: processor time, log-mel frames included.
    """

    tracks: int
    present: int
    hours: float
    core_hours: float

    @property
    def speed(self) -> float:
        """Hours of audio per core-hour."""
        return self.hours / self.core_hours if self.core_hours else 0.0


def plan_jobs(tunes: Sequence[Tune], font_files: Sequence[Path], plan: RenderPlan) -> Iterator[Job]:
    """Tracks up to the hours of the plan.

    Raises:
        ConfigError: no tune has a lead sheet.
    """
    bands = [
        (make_band(path.stem, number, presets(path)), path)
        for path in font_files
        for number in range(plan.bands)
    ]
    if not tunes:
        raise ConfigError("there is no tune to render")
    order = np.random.default_rng([plan.seed, 1]).permutation(len(tunes))
    seconds, index = 0.0, 0
    for lap, place in ((lap, int(place)) for lap in count() for place in order):
        if lap and not index:
            raise ConfigError(f"none of {len(tunes)} tunes can be played by a band")
        tune = tunes[place]
        if (sheet := lead_sheet(tune)) is None:
            continue
        chosen = np.random.default_rng([plan.seed, 2, lap, place]).permutation(len(bands))
        for band, path in (bands[number] for number in chosen[: plan.versions]):
            for take in range(min(plan.takes, take_count(sheet))):
                if seconds >= 3600 * plan.hours:
                    return
                job = Job(index, take, plan.seed, tune, sheet, band, path)
                seconds += job.timing().grid.duration
                index += 1
                yield job


def render_audio(job: Job) -> bank_shards.Samples:
    """(samples,) mono audio of a track at `RATE`."""
    from scipy.signal import butter, lfilter

    arrangement = job.perform()
    mix, duration = arrangement.mix, arrangement.duration
    parts = list(zip(arrangement.parts, volumes(job.font, arrangement.parts), strict=True))
    midi = parts_to_midi(parts, mix.tuning, duration)
    dry = synthesise(read_font(job.font), midi, round(duration * RATE), RATE)
    dry = lfilter(*butter(1, job.band.low_cut, "highpass", fs=RATE), dry)
    return record(np.asarray(dry), mix, RATE).astype(np.float32)


def volumes(font: Path, parts: Sequence[Part]) -> list[int]:
    """Volumes of the channels of parts, 1 to 127, so that one pass of the synthesiser plays all.

    The volume of a channel is 40 dB per decade. The level of a part matches its gain within some
    dB, since the level is measured per instrument on a standard phrase.
    """
    gains = np.array([part.gain - _level(font, part.role, part.program) for part in parts])
    found = np.rint(127 * 10 ** ((gains - gains.max()) / 40))
    return [int(volume) for volume in found.clip(min=1)]


@lru_cache(maxsize=512)
def _level(font: Path, role: str, program: int) -> float:
    """Level of an instrument at full volume, in dB, on a typical phrase of the role."""
    notes = tuple(
        Note(0.5 * place, 0.5 * place + 0.5, pitch, 88)
        for place, chord in enumerate(_PHRASES[role])
        for pitch in chord
    )
    seconds = 0.5 * len(_PHRASES[role])
    midi = part_to_midi(Part(role, role, program, notes, 0.0), 0.0, seconds)
    heard = synthesise(read_font(font), midi, round(seconds * RATE), RATE)
    return 20 * float(np.log10(loudness(heard, RATE)))


def render(
    bank: Path, tunes: Path, font_folder: Path, plan: RenderPlan, *, jobs: int = 0
) -> Rendered:
    """Render the tracks of a plan that the bank does not have, into shards.

    After an interruption, the same call continues. `merge_shards` moves the shards into the bank.

    Args:
        bank: folder of the bank.
        tunes: the file of tunes.
        font_folder: folder of the sound fonts (.sf2); all of them are used.
        plan: amount and seed.
        jobs: processes; 0 for one per core.

    Raises:
        ConfigError: there is no sound font or no tune, the bank has another front end, or `jobs` is
            negative.
        StorageError: a file is missing or damaged, the disk is full, or a process died.
    """
    planned = list(plan_jobs(read_tunes(tunes).tunes, list_fonts(font_folder), plan))
    present = known_keys(bank)
    missing = [job for job in planned if job.key not in present]
    # consecutive jobs have the same font, so that a worker has it in memory
    missing.sort(key=lambda job: (job.index // 500, job.font, job.index))
    calls = [(job, bank) for job in missing]
    seconds = spent = 0.0
    for audio, cost in parallel_map(render_one, calls, jobs, "rendering"):
        seconds, spent = seconds + audio, spent + cost
    return Rendered(len(planned), len(planned) - len(missing), seconds / 3600, spent / 3600)


def render_one(job: Job, bank: Path) -> tuple[float, float]:
    """Render a track into a shard of the bank; may run in any process.

    Returns:
        Seconds of audio and of processor time.
    """
    began = time.process_time()
    track = bank_shards.write_shard(
        bank,
        job.key,
        render_audio(job),
        id=f"render-{job.key[:16]}",
        source=job.source,
        group=f"band {job.band.name}",
        work=f"tune {job.tune.id}",
    )
    seconds = track.duration if isinstance(track, bank_shards.Shard) else 0.0
    return seconds, time.process_time() - began
