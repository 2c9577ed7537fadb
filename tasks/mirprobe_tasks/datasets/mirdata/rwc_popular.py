"""RWC Popular Music Database."""

from __future__ import annotations

from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields


class RwcPopular(MirdataDataset):
    """100 pop songs recorded for research: chords, beats, sections, tempo.

    Groups are singers. A third of the songs are by three singers; the seed of the division is the
    first one with which every split has about its share.
    """

    name = "rwc_popular"
    trim = 5.0
    split_seed = "1"
    sheet = DatasetInfo(
        tracks=100,
        hours=6.8,
        licence="for research, after a pledge to AIST; re-released in 2025 under CC BY-NC 4.0 "
        "(https://zenodo.org/records/17177919)",
        source="https://staff.aist.go.jp/m.goto/RWC-MDB (Goto et al., ISMIR 2002); chords: Cho & "
        "Bello, ISMIR 2011",
        obtain="annotations download; audio from AIST's CDs into audio/rwc-p-m01/1.wav and so on",
    )
    fields = read_fields("chords", "beats", "sections", "tempo")

    def group(self, track: Any) -> str:
        """The singer."""
        return str(track.artist or "")
