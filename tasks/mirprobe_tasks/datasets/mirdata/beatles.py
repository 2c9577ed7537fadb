"""The Beatles, annotated by the Centre for Digital Music (Isophonics)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.reading import beats, keys, lab_chords, longest_key, sections

_RECORD = re.compile(r"(?<=^\d\d)CD\d")


class Beatles(MirdataDataset):
    """All studio albums of the Beatles: chords, local keys, beats, sections.

    The one key of a song is that which lasts longest. An album is a group. The seed of the division
    is the first one that leaves 12 to 30 songs to validation and to test each.
    """

    name: str = "beatles"
    trim: float = 5.0
    seed: str = "3"
    sheet = DatasetInfo(
        tracks=180,
        hours=None,
        gigabytes=None,
        licence="annotations: none is stated; audio: commercial recordings",
        source="http://isophonics.net/content/reference-annotations-beatles (Mauch et al., 2009)",
        obtain="annotations download; audio from the CDs into "
        "audio/01_-_Please_Please_Me/01_-_I_Saw_Her_Standing_There.wav and so on",
    )
    fields: Mapping[str, Reader] = {
        "chords": lambda track: lab_chords(track.chords_path),
        "key": lambda track: longest_key(track.key),
        "keys": lambda track: keys(track.key),
        "beats": lambda track: beats(track.beats),
        "sections": lambda track: sections(track.sections),
    }

    def group(self, track: Any) -> str:
        """The album; the two records of one are in two folders, `10CD1_-_` and `10CD2_-_`."""
        return _RECORD.sub("", Path(track.audio_path).parent.name)
