"""SALAMI: musical structure."""

from __future__ import annotations

from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Segments
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields, read_sections

NO_ARTIST = {None, "", "Compilations", "Various_Artists"}


def read_uppercase_sections(track: Any) -> Segments | None:
    """The large-scale sections (`A`, `B'`, `Silence`) of the first annotator with any."""
    given = [data for data in track.sections_uppercase.annotations if data is not None]
    return read_sections(given[0]) if given else None


class Salami(MirdataDataset):
    """Recordings of popular, classical, jazz, world and live music: large-scale sections.

    Of two annotators the first counts. Groups are artists; a track of a compilation is its own
    group.
    """

    name = "salami"
    trim = 5.0
    sheet = DatasetInfo(
        tracks=1359,
        licence="CC0 (annotations); audio: commercial recordings and the Internet Archive",
        source="https://github.com/DDMAL/salami-data-public (Smith et al., ISMIR 2011), corrected",
        obtain="annotations download; audio from its sources into audio/2.mp3 and so on, "
        "named by SALAMI's song id",
    )
    fields = read_fields(sections=read_uppercase_sections)

    def group(self, track: Any) -> str:
        """The artist, or the track if it has none."""
        named = track.artist not in NO_ARTIST
        return str(track.artist) if named else f"track {track.track_id}"
