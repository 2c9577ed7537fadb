"""Real compositions with human analyses: Bach's chorales, Monteverdi's madrigals.

Scores and Roman-numeral analyses (romanText) are those of music21's corpus, laid on each other by
measure numbers. A work stays when at least three quarters of its note weight (notes by their
durations) lie in the labelled chords. The notes are played as `studio` plays its own: by varied
General MIDI programs of one sound font, at varied tempi, in varied rooms.

Conventions:

- A work is played in passages of some 72 quarter notes; its versions take them in turn, each in
  another key. All versions of a work, or of a cycle of madrigals, are one group in one split.
- Chords are Harte labels by the tones that the numerals name; X before the first numeral and in
  bars more than half of whose note weight lies outside of the labelled chords, where analysis and
  score may have come apart; N where all voices rest for a quarter note or more.
- Local keys are those of the analysis, from the passage's first beat to its end. Its one key is
  the one it stays in for more than half of the passage; X where there is none, which the task `key`
  neither learns nor scores.
- Repeats are played; a beat is that of the time signature; a pickup keeps its place in the bar.
  Fermatas are not held. Tempo is 60 over the median time between beats.
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
from mirprobe_tasks.music.rendering import audio_file_name, render_parts, write_flac

__all__ = ["Scores"]

MOST = 12
"""Versions of a work at most: there are no more keys of one mode."""

_REVISION = 1  # raise when the same corpus is to be read differently


class Scores:
    """Passages of about 45 seconds with chords, local keys, key, beats, tempo and onsets."""

    name: str = "scores"
    tags: tuple[str, ...] = ()
    trim: float = 0.0
    sheet = DatasetInfo(
        tracks=268,
        hours=3.5,
        gigabytes=0.3,
        licence="music in the public domain; editions and analyses as music21's corpus has them, "
        "some not for commercial use; played with the sound font TimGM6mb (GPL-2)",
        source="https://github.com/cuthbertLab/music21 (corpus: bach, monteverdi)",
        obtain="pip install 'mirprobe[scores]': it is read and rendered at the first run",
        generated=True,
    )

    def __init__(self, root: Path, versions: int = 4) -> None:
        """Describe the data set; nothing is read or written yet.

        Args:
            root: folder of the rendered files and of what was read of the corpus.
            versions: of each work, 1 to 12: how many passages or keys of it are heard.

        Raises:
            ConfigError: `versions` is out of range.
        """
        if not isinstance(versions, int) or not 1 <= versions <= MOST:
            raise ConfigError(f"scores: versions {versions!r} is not a number from 1 to {MOST}")
        self._root = Path(root)
        self._versions = versions
        self._played: dict[str, Performance] = {}
        self._splits: Mapping[Split, Sequence[Track]] = {}

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every track by split: performed, not rendered. The first call reads the corpus.

        Raises:
            ConfigError: music21 or its corpus is missing.
            StorageError: the folder cannot be written, or what was read is damaged.
        """
        if not self._splits:
            dealt = plan_tracks(self._works(), self._versions)
            self._splits = {split: [self._track(take) for take in dealt[split]] for split in SPLITS}
        return self._splits

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Render those of `tracks` that have no audio yet, on all cores.

        Yields:
            The id of each track as its audio becomes ready.

        Raises:
            ConfigError: a track is not one of this data set.
            StorageError: the folder cannot be written.
        """
        yield from render_missing(tracks, self._job)

    def _job(self, track: Track) -> Render:
        self.splits()  # performs them, at the first call
        if track.id not in self._played:
            raise ConfigError(f"scores: unknown track {track.id!r}; take tracks from splits()")
        return partial(_render, self._played[track.id], track.audio)

    def _works(self) -> Sequence[Work]:
        path = self._root / f"works-{digest(version(), _REVISION)[:8]}.json"
        if not path.exists():
            write_works(path, *read_corpus())
        return read_works(path)

    def _track(self, take: PlannedTrack) -> Track:
        id = f"{take.work.id}-{take.version}"
        played = perform(take.work, take.passage, take.version, take.key)
        self._played[id] = played
        return Track(
            id=id,
            audio=self._root / audio_file_name(id, played.parts, played.mix, played.duration),
            group=take.work.group,
            annotations=played.annotations,
        )


def _render(played: Performance, path: Path) -> None:
    write_flac(path, render_parts(played.parts, played.mix, played.duration))
