"""Medley-solos-DB: three-second clips of solo instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

INSTRUMENTS = (
    *("clarinet", "distorted electric guitar", "female singer", "flute"),
    *("piano", "tenor saxophone", "trumpet", "violin"),
)
"""In the order of `instrument_id`."""


class MedleySolosDb(MirdataDataset):
    """Three-second clips of eight solo instruments: instrument.

    In the official split, training and validation are from MedleyDB, the test is from solosDB.
    Groups are songs.
    """

    name = "medley_solos_db"
    vocabularies: Mapping[str, tuple[str, ...]] = {"instrument": INSTRUMENTS}
    sheet = DatasetInfo(
        tracks=21571,
        hours=18.0,
        licence="CC BY 4.0",
        source="https://zenodo.org/record/3464194 (Lostanlen & Cella, ISMIR 2016)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields(instrument=lambda track: INSTRUMENTS[track.instrument_id])
    split_attribute = "subset"
    split_names: Mapping[str, Split] = {
        **{"train": "train", "training": "train"},
        **{"validation": "valid", "test": "test"},
    }

    def group(self, track: Any) -> str:
        """The song."""
        return f"song {int(track.song_id)}"
