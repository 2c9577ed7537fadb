"""IRMAS: predominant instruments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

INSTRUMENTS = {
    "cel": "cello",
    "cla": "clarinet",
    "flu": "flute",
    "gac": "acoustic guitar",
    "gel": "electric guitar",
    "org": "organ",
    "pia": "piano",
    "sax": "saxophone",
    "tru": "trumpet",
    "vio": "violin",
    "voi": "voice",
}
"""Abbreviation -> instrument."""

_NUMBER = re.compile(r"-\d+$")


class Irmas(MirdataDataset):
    """Excerpts of polyphonic music: predominant instruments out of 11, as tags.

    In the official split, training excerpts last three seconds and have one instrument, test
    excerpts are longer and have one or more. A ninth of the training recordings is for validation.
    Groups are recordings, from the names: `0189__2` is the second excerpt of recording 0189,
    `02 - And The Body Will Die-8` the eighth of the test recording before the last hyphen.
    """

    name = "irmas"
    tags = tuple(INSTRUMENTS.values())
    sheet = DatasetInfo(
        tracks=9534,
        licence="CC BY-NC-SA 3.0; neither to be redistributed nor modified",
        source="https://doi.org/10.5281/zenodo.1290750 (Bosch et al., ISMIR 2012)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields(tags=lambda track: {INSTRUMENTS[code]: 1.0 for code in track.instrument})
    split_names: Mapping[str, Split] = {"train": "train", "test": "test"}

    def group(self, track: Any) -> str:
        """The recording."""
        if track.split == "train":
            return f"train {track.track_id.partition('__')[0]}"
        return f"test {_NUMBER.sub('', Path(track.audio_path).stem)}"
