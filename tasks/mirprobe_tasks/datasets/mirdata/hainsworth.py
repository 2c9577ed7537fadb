"""Hainsworth: minute-long excerpts for beat tracking."""

from __future__ import annotations

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields


class Hainsworth(MirdataDataset):
    """Excerpts of rock, dance, jazz, folk, classical and choral music: beats, tempo.

    The metadata do not name the recordings, so every excerpt is its own group.
    """

    name = "hainsworth"
    sheet = DatasetInfo(
        tracks=222,
        hours=3.7,
        licence="CC BY-NC-SA 4.0, as mirdata states",
        source="Hainsworth & Macleod, EURASIP JASP 2004; beats: Böck & Schedl, DAFx 2010",
        obtain="by hand, since mirdata cannot download it: H_1.0/audio/hains001.flac and so on, "
        "H_1.0/annotations/beats/*.beats, H_1.0/annotations/tempo/*.bpm, and "
        "hainsworth_full_index_1.0.json of mirdata's source",
    )
    fields = read_fields("beats", "tempo")
