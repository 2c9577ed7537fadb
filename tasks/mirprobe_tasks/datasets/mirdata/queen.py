"""Queen, annotated by the Centre for Digital Music (Isophonics)."""

from __future__ import annotations

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields


class Queen(MirdataDataset):
    """Songs of three Greatest Hits albums of Queen: chords, key, local keys, sections.

    The key of a song is the one with the longest duration. Three albums of one band cannot be
    divided by album or artist, so every song is its own group.
    """

    name = "queen"
    trim = 5.0
    sheet = DatasetInfo(
        tracks=51,
        licence="annotations: none is stated; audio: commercial recordings",
        source="http://isophonics.net/content/reference-annotations-queen (Mauch et al., 2009)",
        obtain="annotations download; audio from the CDs into "
        "audio/Greatest Hits I/01 Bohemian Rhapsody.flac and so on",
    )
    fields = read_fields("chords", "key", "keys", "sections")
