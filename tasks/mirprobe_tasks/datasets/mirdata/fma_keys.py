"""FMAK: songs of the Free Music Archive with their keys."""

from __future__ import annotations

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields
from mirprobe_tasks.datasets.normalise import normalise_key


class FmaKeys(MirdataDataset):
    """Whole songs of the Free Music Archive in 17 genres: key (FMAKv2).

    The metadata do not name the artists, so every song is its own group: songs of one artist may be
    in two splits. This does not matter if all songs are for training and another data set is
    tested.
    """

    name = "fma_keys"
    trim = 5.0
    sheet = DatasetInfo(
        tracks=5489,
        hours=340.0,
        licence="annotations CC BY 4.0; audio as each artist chose, for research",
        source="https://zenodo.org/records/10719860 (Wong & Hernandez, ISMIR 2023)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields(key=lambda track: normalise_key(f"{track.key} {track.mode}"))
