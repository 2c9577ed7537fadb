"""Queen, annotated by the Centre for Digital Music (Isophonics)."""

from __future__ import annotations

from collections.abc import Mapping

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.reading import keys, lab_chords, longest_key, sections


class Queen(MirdataDataset):
    """Songs of three Greatest Hits albums of Queen: chords, local keys, sections.

    The one key of a song is that which lasts longest. Three albums of one band cannot be divided by
    album or artist: every song is its own group.
    """

    name: str = "queen"
    trim: float = 5.0
    sheet = DatasetInfo(
        tracks=51,
        hours=None,
        gigabytes=None,
        licence="annotations: none is stated; audio: commercial recordings",
        source="http://isophonics.net/content/reference-annotations-queen (Mauch et al., 2009)",
        obtain="annotations download; audio from the CDs into "
        "audio/Greatest Hits I/01 Bohemian Rhapsody.flac and so on",
    )
    fields: Mapping[str, Reader] = {
        "chords": lambda track: lab_chords(track.chords_path),
        "key": lambda track: longest_key(track.key),
        "keys": lambda track: keys(track.key),
        "sections": lambda track: sections(track.sections),
    }
