"""Medley-solos-DB: three seconds of one instrument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader, told

INSTRUMENTS = (
    *("clarinet", "distorted electric guitar", "female singer", "flute"),
    *("piano", "tenor saxophone", "trumpet", "violin"),
)
"""In the order of the data set's `instrument_id`."""

SUBSETS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "valid",
    "test": "test",
}


class MedleySolosDb(MirdataDataset):
    """Three-second clips of eight instruments, each playing alone: instrument.

    The official split: training and validation are of MedleyDB, the test of solosDB. Clips of one
    song are one group.
    """

    name: str = "medley_solos_db"
    vocabularies: Mapping[str, tuple[str, ...]] = {"instrument": INSTRUMENTS}
    sheet = DatasetInfo(
        tracks=21571,
        hours=18.0,
        gigabytes=None,
        licence="CC BY 4.0",
        source="https://zenodo.org/record/3464194 (Lostanlen & Cella, ISMIR 2016)",
        obtain="download, from Zenodo by mirdata",
    )
    fields: Mapping[str, Reader] = {"instrument": lambda track: INSTRUMENTS[track.instrument_id]}

    def group(self, track: Any) -> str:
        """The song."""
        return f"song {int(track.song_id)}"

    def official(self, source: Any) -> Mapping[str, Split]:
        """As its metadata say."""
        subsets = {key: told(key, source.track(key).subset) for key in source.track_ids}
        return {key: SUBSETS[subset] for key, subset in subsets.items()}
