"""A complete mirdata data set in one file: recordings of Uruguayan candombe drumming."""

from __future__ import annotations

from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields


class Candombe(MirdataDataset):
    """Recordings of drum ensembles: beats, time signature. Groups are recording sessions."""

    name = "candombe"
    sheet = DatasetInfo(
        tracks=35,
        hours=2.0,
        licence="CC BY 4.0",
        source="https://zenodo.org/record/6533068 (Nunes et al., ISMIR 2015)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields("beats", time_signature=lambda track: f"{max(track.beats.positions)}/4")

    def group(self, track: Any) -> str:
        """The session: the track id up to the number of the take."""
        return str(track.track_id).rpartition("_")[0]
