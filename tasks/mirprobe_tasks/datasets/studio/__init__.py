"""The embedded data set: short pieces composed by a seeded program and played by a sound font.

Every piece is made from its split and index alone, so that its truth is exact, costs nothing
to store, and stays the same whatever the size of the data set. Each block of 24 pieces has every
key once. Accompaniment patterns and phrases of harmony are the property of one split.

Conventions: a beat in 6/8 is a dotted quarter, two to the bar, and the tempo counts those beats;
beats are the grid, onsets the notes as played, those within 30 ms of an onset merged into it;
chords are Harte labels with inversions, N where no chord is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Split, Track
from mirprobe_tasks.datasets.render_missing import render_missing
from mirprobe_tasks.datasets.studio.compose import BLOCK, TAGS, compose
from mirprobe_tasks.datasets.studio.render import file_name, write

__all__ = ["Studio", "shares"]


def shares(size: int) -> dict[Split, int]:
    """How many pieces of `size` each split gets: about 50, 20 and 30 %, in blocks of 24 keys.

    240 gives 120, 48 and 72; the smallest size, 72, gives 24 to each.

    Raises:
        ConfigError: the size is not a multiple of 24 or below 72.
    """
    if not isinstance(size, int) or size % BLOCK or size < 3 * BLOCK:
        number = size if isinstance(size, int | float) else 0
        nearest = max(3, round(number / BLOCK)) * BLOCK
        raise ConfigError(
            f"studio: size {size!r} cannot give every split all {BLOCK} keys equally often; "
            f"sizes are multiples of {BLOCK} from {3 * BLOCK} on, the nearest is {nearest}"
        )
    blocks = size // BLOCK
    valid, test = max(1, round(0.2 * blocks)), max(1, round(0.3 * blocks))
    return {
        "train": (blocks - valid - test) * BLOCK,
        "valid": valid * BLOCK,
        "test": test * BLOCK,
    }


class Studio:
    """Pieces of 18 to 24 seconds with key, chords, beats, tempo, onsets and tags."""

    name: str = "studio"
    tags: tuple[str, ...] = TAGS
    trim: float = 0.0
    sheet = DatasetInfo(
        tracks=240,
        hours=1.4,
        gigabytes=0.1,
        licence="composed here; played with the sound font TimGM6mb (GPL-2)",
        source="mirprobe itself",
        obtain="nothing to do: it is composed and rendered at the first run",
        generated=True,
    )

    def __init__(self, root: Path, size: int = 240) -> None:
        """Describe the data set; nothing is composed or written yet.

        Args:
            root: folder of the rendered files.
            size: number of pieces, a multiple of 24 from 72 on.

        Raises:
            ConfigError: the size cannot be divided.
        """
        self._root = Path(root)
        self._shares = shares(size)

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """Every track by split: composed, not rendered."""
        return {
            split: [self._track(split, index) for index in range(self._shares[split])]
            for split in SPLITS
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Render those of `tracks` that have no audio yet, on all cores.

        Yields:
            The id of each track as its audio becomes ready.

        Raises:
            ConfigError: a track is not one of this data set.
            StorageError: the folder cannot be written.
        """
        yield from render_missing(tracks, lambda track: partial(_render, track.id, track.audio))

    def _track(self, split: Split, index: int) -> Track:
        piece = compose(split, index)
        return Track(
            id=piece.id,
            audio=self._root / file_name(piece),
            group=piece.id,
            annotations=piece.annotations(),
        )


def _render(track_id: str, path: Path) -> None:
    split, _, number = track_id.partition("-")
    if split not in SPLITS or not number.isdigit():
        raise ConfigError(f"studio: unknown track {track_id!r}; take tracks from splits()")
    write(SPLITS[SPLITS.index(split)], int(number), path)
