"""Real compositions with human analyses: Bach's chorales, Monteverdi's madrigals.

Scores and Roman-numeral analyses (romanText) are from music21's corpus, aligned by measure numbers.
A work is used if the labelled chords contain at least three quarters of its note weight (sum of the
durations of its notes). It is rendered like the pieces of `studio`: with various General MIDI
programs of one sound font, tempi and rooms.

Conventions:

- A work is divided into passages of about 72 quarter notes. Its versions take the passages in turn,
  each in another key. All versions of a work, or of a cycle of madrigals, are one group.
- Chords are Harte labels of the tones of the numerals. The label is X before the first numeral and
  in bars with more than half of the note weight outside the labelled chords, where analysis and
  score may disagree. It is N where all voices rest for at least a quarter note.
- Local keys are those of the analysis, from the first beat of the passage to its end. The key is
  the one that lasts for more than half of the passage, X if there is none; X is neither a target of
  the task `key` nor scored.
- Repeats are played. A beat is that of the time signature. A pickup has its position in the bar.
  Fermatas are not held. The tempo is 60 over the median interval between beats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe_tasks.datasets.render_missing import Render, render_missing
from mirprobe_tasks.datasets.scores.music21_corpus import read_corpus, version
from mirprobe_tasks.datasets.scores.perform import Performance, perform
from mirprobe_tasks.datasets.scores.planning import PlannedTrack, plan_tracks
from mirprobe_tasks.datasets.scores.works import Work, read_works, write_works
from mirprobe_tasks.music.rendering import (
    UNCHANGED,
    audio_file_name,
    played,
    render_parts,
    write_flac,
)

__all__ = ["Scores"]

MAX_VERSIONS = 12
"""Largest number of versions of a work: the number of keys of one mode."""

_REVISION = 1  # increase it to read the same corpus differently


class Scores:
    """Rendered score passages of about 45 s: chords, local keys, key, beats, tempo, onsets."""

    name: str = "scores"
    tags: tuple[str, ...] = ()
    trim: float = 0.0
    sheet = DatasetInfo(
        tracks=268,
        hours=3.5,
        gigabytes=0.3,
        licence="music in the public domain; editions and analyses as in music21's corpus, some "
        "not for commercial use; played with the sound font TimGM6mb (GPL-2)",
        source="https://github.com/cuthbertLab/music21 (corpus: bach, monteverdi)",
        obtain="pip install 'mirprobe[scores]': the first run reads and renders it",
        generated=True,
    )

    def __init__(self, root: Path, versions: int = 4) -> None:
        """Set the options; nothing is read or written yet.

        Args:
            root: folder of the rendered files and of the works read from the corpus.
            versions: of each work, 1 to 12, in different passages or keys.

        Raises:
            ConfigError: `versions` is out of range.
        """
        if not isinstance(versions, int) or not 1 <= versions <= MAX_VERSIONS:
            raise ConfigError(
                f"scores: versions {versions!r} is not a number from 1 to {MAX_VERSIONS}"
            )
        self._root = Path(root)
        self._versions = versions
        self._performed: dict[str, Performance] = {}
        self._splits: Mapping[Split, Sequence[Track]] = {}
        self._effects: dict[Path, tuple[str, float]] = {}

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split, performed but not rendered. The first call reads the corpus.

        Raises:
            ConfigError: music21 or its corpus is missing.
            StorageError: the folder cannot be written, or the file of works is damaged.
        """
        if not self._splits:
            planned = plan_tracks(self._works(), self._versions)
            self._splits = {split: [self._track(one) for one in planned[split]] for split in SPLITS}
        return self._splits

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Render the missing audio of `tracks` on all cores.

        Yields:
            The id of each track as soon as its audio exists.

        Raises:
            ConfigError: a track does not belong to this data set.
            StorageError: the folder cannot be written.
        """
        yield from render_missing(tracks, self._job)

    def played(self, track: Track, effect: str, strength: float) -> Path:
        """The audio file of a track, transposed or at another tempo; see `Playable`."""
        own = self._performance(track)
        parts, duration = played(own.parts, own.duration, effect, strength)
        path = self._root / audio_file_name(track.id, parts, own.mix, duration)
        self._effects[path] = effect, strength
        return path

    def _job(self, track: Track) -> Render:
        own = self._performance(track)
        return partial(_render, own, track.audio, self._effects.get(track.audio, UNCHANGED))

    def _performance(self, track: Track) -> Performance:
        self.splits()  # the first call performs the tracks
        if track.id not in self._performed:
            raise ConfigError(f"scores: unknown track {track.id!r}; take tracks from splits()")
        return self._performed[track.id]

    def _works(self) -> Sequence[Work]:
        path = self._root / f"works-{digest(version(), _REVISION)[:8]}.json"
        if not path.exists():
            write_works(path, *read_corpus())
        return read_works(path)

    def _track(self, planned: PlannedTrack) -> Track:
        id = f"{planned.work.id}-{planned.version}"
        own = perform(planned.work, planned.passage, planned.version, planned.key)
        self._performed[id] = own
        return Track(
            id=id,
            audio=self._root / audio_file_name(id, own.parts, own.mix, own.duration),
            group=planned.work.group,
            annotations=own.annotations,
        )


def _render(own: Performance, path: Path, effect: tuple[str, float]) -> None:
    parts, duration = played(own.parts, own.duration, *effect)
    write_flac(path, render_parts(parts, own.mix, duration))
