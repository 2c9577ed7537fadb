"""FMAK: keys of songs of the Free Music Archive."""

from __future__ import annotations

from collections.abc import Mapping

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.key_name import key_name


class FmaKeys(MirdataDataset):
    """Whole songs of the Free Music Archive in 17 genres with one key each (FMAKv2).

    Its metadata name no artist, so every song is its own group: a division of it may have songs of
    one artist on both sides. To train on all of it and test on another data set avoids that.
    """

    name: str = "fma_keys"
    trim: float = 5.0
    sheet = DatasetInfo(
        tracks=5489,
        hours=340.0,
        gigabytes=None,
        licence="annotations CC BY 4.0; audio as each artist chose, for research",
        source="https://zenodo.org/records/10719860 (Wong & Hernandez, ISMIR 2023)",
        obtain="download, from Zenodo by mirdata",
    )
    fields: Mapping[str, Reader] = {"key": lambda track: key_name(f"{track.key} {track.mode}")}
