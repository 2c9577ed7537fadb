"""RWC Popular Music Database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.reading import beats, lab_chords, sections


class RwcPopular(MirdataDataset):
    """A hundred pop songs made for research: chords, beats, sections, tempo.

    Songs of one singer are one group. The seed of the division is the first one that gives every
    split about its share: a third of the songs are by three singers.
    """

    name: str = "rwc_popular"
    trim: float = 5.0
    seed: str = "1"
    sheet = DatasetInfo(
        tracks=100,
        hours=6.8,
        gigabytes=None,
        licence="for research, after a pledge to AIST; re-released in 2025 under CC BY-NC 4.0 "
        "(https://zenodo.org/records/17177919)",
        source="https://staff.aist.go.jp/m.goto/RWC-MDB (Goto et al., ISMIR 2002); chords: Cho & "
        "Bello, ISMIR 2011",
        obtain="annotations download; audio from AIST's CDs into audio/rwc-p-m01/1.wav and so on",
    )
    fields: Mapping[str, Reader] = {
        "chords": lambda track: lab_chords(track.chords_path),
        "beats": lambda track: beats(track.beats),
        "sections": lambda track: sections(track.sections),
        "tempo": lambda track: float(track.tempo),
    }

    def group(self, track: Any) -> str:
        """The singer."""
        return str(track.artist or "")
