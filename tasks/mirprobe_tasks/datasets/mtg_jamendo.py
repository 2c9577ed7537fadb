"""MTG-Jamendo: whole songs with the tags of their uploaders.

Bogdanov, Won, Tovstogan, Porter, Serra: The MTG-Jamendo dataset for automatic music tagging,
Machine Learning for Music Discovery WorkDir, ICML 2019.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Split, Track
from mirprobe_tasks.datasets.table_files import Row, TableDataset, bad_row, read_rows

SUBSETS: Mapping[str, str] = {
    "top50": "autotagging_top50tags",
    "genre": "autotagging_genre",
    "instrument": "autotagging_instrument",
    "moodtheme": "autotagging_moodtheme",
    "all": "autotagging",
}
"""Subset -> prefix of its files."""

SPLIT_COUNT = 5

_PARTS: Mapping[Split, str] = {"train": "train", "valid": "validation", "test": "test"}
_HEADER = ("TRACK_ID", "ARTIST_ID", "ALBUM_ID", "PATH", "DURATION", "TAGS")


class MtgJamendo(TableDataset):
    """Songs with tags such as `genre---rock`, with a choice of five official splits by artist.

    The vocabulary has the tags in any of the five splits of a subset, so it is the same for every
    split, and a tag that one split lacks is still in it. The authors have dropped tags that are not
    in all splits.
    """

    name = "mtg_jamendo"
    trim = 5.0
    sheet = DatasetInfo(
        tracks=55_525,
        gigabytes=508.0,
        licence="audio: Creative Commons, each song its own; metadata: CC BY-NC-SA 4.0",
        source="Bogdanov et al., 2019; https://github.com/MTG/mtg-jamendo-dataset",
        obtain="clone the repository, put its folder data here, and download raw_30s/audio or "
        "audio-low with its script into the folder audio: audio/00/1000.mp3 or 1000.low.mp3",
    )

    def __init__(self, root: Path, split: int = 0, subset: str = "top50") -> None:
        """Set the options; nothing is read yet.

        Args:
            root: contains `data/splits/split-0` to `split-4` and `audio/NN/ID.mp3` or `ID.low.mp3`.
            split: 0 to 4.
            subset: `top50`, `genre`, `instrument`, `moodtheme` or `all`.

        Raises:
            ConfigError: there is no such split or subset.
        """
        if subset not in SUBSETS:
            raise ConfigError(
                f"{self.name}: unknown subset '{subset}'; it is one of {', '.join(SUBSETS)}"
            )
        if split not in range(SPLIT_COUNT) or isinstance(split, bool):
            raise ConfigError(f"{self.name}: unknown split '{split}'; it is 0, 1, 2, 3 or 4")
        super().__init__(root)
        self._split = split
        self._subset = SUBSETS[subset]

    def _tags(self) -> tuple[str, ...]:
        """The tags in any part of any of the five splits of the subset, sorted.

        Raises:
            ConfigError: a file is missing or differs from the published one.
        """
        found = {
            tag
            for split in range(SPLIT_COUNT)
            for part in _PARTS
            for _, fields in self._rows(self._file(split, part))
            for tag in fields[5:]
        }
        return tuple(sorted(found))

    # read on demand, from 15 files; the protocol has an attribute
    tags: tuple[str, ...] = cached_property(_tags)  # type: ignore[assignment]

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split; needs no audio.

        Raises:
            ConfigError: a file is missing or differs from the published one, or an artist is in two
                parts of the split.
        """
        owners: dict[str, Split] = {}
        parts = {}
        for part in _PARTS:
            path = self._file(self._split, part)
            tracks = []
            for line, fields in self._rows(path):
                owner = owners.setdefault(fields[1], part)
                if owner != part:
                    raise bad_row(path, line, f"{fields[1]} is also in {_PARTS[owner]}")
                tracks.append(self._track(fields))
            parts[part] = tracks
        return parts

    def _file(self, split: int, part: Split) -> Path:
        folder = self._root / "data" / "splits" / f"split-{split}"
        path = folder / f"{self._subset}-{_PARTS[part]}.tsv"
        return self.require(path)

    def _rows(self, path: Path) -> Iterator[Row]:
        """Rows of five fields and the tags."""
        for line, fields in read_rows(path, "\t", _HEADER):
            if not all("---" in tag for tag in fields[5:]):
                raise bad_row(path, line, f"'{fields[5:]}' are not all tags such as genre---rock")
            yield line, fields

    def _track(self, fields: Sequence[str]) -> Track:
        track, artist, _, place, _, *tags = fields
        audio = self._root / "audio" / place
        low = audio.with_suffix(".low.mp3")
        return Track(
            id=track,
            audio=low if low.exists() and not audio.exists() else audio,
            group=artist,
            annotations=Annotations(tags=dict.fromkeys(tags, 1.0)),
        )
