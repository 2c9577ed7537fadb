"""MTG-Jamendo with its mood and theme tags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

_TAGS = """
action adventure advertising background ballad calm children christmas commercial cool corporate
dark deep documentary drama dramatic dream emotional energetic epic fast film fun funny game groovy
happy heavy holiday hopeful inspiring love meditative melancholic melodic motivational movie nature
party positive powerful relaxing retro romantic sad sexy slow soft soundscape space sport summer
trailer travel upbeat uplifting
"""
TAGS = tuple(_TAGS.split())
"""The 56 tags with enough tracks in the official splits."""

SPLIT_COUNT = 5


class MtgJamendoMoodtheme(MirdataDataset):
    """Whole tracks of Jamendo: 56 mood and theme tags.

    Uses one of the five official splits, in which no artist is in two parts. Tags outside the 56,
    which have too few tracks, are dropped.
    """

    name = "mtg_jamendo_autotagging_moodtheme"
    trim = 5.0
    tags = TAGS
    sheet = DatasetInfo(
        tracks=18486,
        licence="CC BY-NC-SA 4.0 (annotations); audio Creative Commons, as each artist chose",
        source="https://github.com/MTG/mtg-jamendo-dataset (Bogdanov et al., ICML 2019 workshop)",
        obtain="annotations download; audio by scripts/download/download.py --dataset "
        "autotagging_moodtheme of the source into audios/48/948.mp3 and so on",
    )
    fields = read_fields(tags=lambda track: {name: 1.0 for name in track.tags if name in TAGS})

    def __init__(self, root: Path, version: str | float = "default", split: int = 0) -> None:
        """As `MirdataDataset`.

        Args:
            root: folder of the data set.
            version: of mirdata's index.
            split: number of the official split, 0 to 4.

        Raises:
            ConfigError: there is no such split.
        """
        super().__init__(root, version)
        if split not in range(SPLIT_COUNT):
            raise ConfigError(f"{self.name}: no split {split!r}; splits are 0 to {SPLIT_COUNT - 1}")
        self._split = split

    def group(self, track: Any) -> str:
        """The artist."""
        return str(track.artist_id or "")

    def official_split(self, source: Any) -> Mapping[str, Split]:
        """The official split."""
        lists = source.get_track_splits(self._split)
        names: dict[Split, str] = {"train": "train", "valid": "validation", "test": "test"}
        return {key: split for split, name in names.items() for key in lists[name]}
