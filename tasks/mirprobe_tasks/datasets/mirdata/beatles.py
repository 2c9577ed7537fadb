"""The Beatles, annotated by the Centre for Digital Music (Isophonics)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

_RECORD = re.compile(r"(?<=^\d\d)CD\d")


class Beatles(MirdataDataset):
    """All studio albums of the Beatles: chords, key, local keys, beats, sections.

    The key of a song is the one with the longest duration. Groups are albums. The seed of the
    division is the first one with 12 to 30 songs each for validation and test.
    """

    name = "beatles"
    trim = 5.0
    split_seed = "3"
    sheet = DatasetInfo(
        tracks=180,
        licence="annotations: none is stated; audio: commercial recordings",
        source="http://isophonics.net/content/reference-annotations-beatles (Mauch et al., 2009)",
        obtain="annotations download; audio from the CDs into "
        "audio/01_-_Please_Please_Me/01_-_I_Saw_Her_Standing_There.wav and so on",
    )
    fields = read_fields("chords", "key", "keys", "beats", "sections")

    def group(self, track: Any) -> str:
        """The album; a double album is in two folders, `10CD1_-_` and `10CD2_-_`."""
        return _RECORD.sub("", Path(track.audio_path).parent.name)
