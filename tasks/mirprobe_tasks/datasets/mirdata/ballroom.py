"""Ballroom: excerpts of ballroom dance music."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

REPLICAS = {
    "Albums-Chrisanne2-12": "Albums-AnaBelen_Veneo-11",
    "Albums-Fire-09": "Albums-Fire-08",
    "Albums-Latin_Jam2-13": "Albums-Latin_Jam2-05",
    "Media-104705": "Albums-Secret_Garden-01",
    "Albums-AnaBelen_Veneo-15": "Albums-AnaBelen_Veneo-03",
    "Albums-Ballroom_Magic-18": "Albums-Ballroom_Magic-03",
    "Albums-Latin_Jam-13": "Albums-Latin_Jam-04",
    "Albums-Latin_Jam-14": "Albums-Latin_Jam-08",
    "Albums-Latin_Jam-15": "Albums-Latin_Jam-06",
    "Albums-Latin_Jam2-14": "Albums-Latin_Jam2-02",
    "Albums-Latin_Jam2-15": "Albums-Latin_Jam2-07",
    "Media-103414": "Albums-Latin_Jam3-02",
    "Media-103415": "Media-103402",
}
"""Excerpt -> another excerpt of the same recording (Sturm 2014); the first four are identical."""


class Ballroom(MirdataDataset):
    """Half-minute excerpts of ballroom dance music: beats, tempo, dance style as genre.

    Of two excerpts of one recording one is left out, so that 685 of 698 remain. Groups are albums;
    for names such as `Media-105901` they are the first four digits.
    """

    name = "ballroom"
    vocabularies: Mapping[str, tuple[str, ...]] = {
        "genre": (
            *("chachacha", "jive", "quickstep", "rumba"),
            *("samba", "tango", "viennesewaltz", "waltz"),
        )
    }
    sheet = DatasetInfo(
        tracks=685,
        hours=5.7,
        gigabytes=1.5,
        licence="CC BY-NC-SA 4.0, as mirdata states",
        source="Gouyon et al., IEEE TASLP 2006; beats: Krebs et al., ISMIR 2013",
        obtain="download, from mtg.upf.edu and GitHub by mirdata",
    )
    fields = read_fields(
        "beats",
        "tempo",
        # Rumba-American, -International and -Misc are one style
        genre=lambda track: track.genre.partition("-")[0],
    )
    excluded: Mapping[str, str] = {
        name: f"same recording as {other}" for name, other in REPLICAS.items()
    }

    def group(self, track: Any) -> str:
        """The album."""
        name = Path(track.audio_path).stem
        return name.rpartition("-")[0] if name.startswith("Albums-") else name[:-2]
