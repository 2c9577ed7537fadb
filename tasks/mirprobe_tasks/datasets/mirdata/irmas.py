"""IRMAS: which instruments predominate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader

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
"""The data set's abbreviations."""

_NUMBER = re.compile(r"-\d+$")


class Irmas(MirdataDataset):
    """Excerpts of polyphonic music: which of 11 instruments predominate, as tags.

    The official split: training excerpts last three seconds and have one instrument, test excerpts
    are longer and have one or more. A ninth of the training recordings validates. Excerpts of one
    recording are one group, told by their names: `0189__2` is the second of recording 0189,
    `02 - And The Body Will Die-8` the eighth of the test recording before the last hyphen.
    """

    name: str = "irmas"
    tags: tuple[str, ...] = tuple(INSTRUMENTS.values())
    sheet = DatasetInfo(
        tracks=9534,
        hours=None,
        gigabytes=None,
        licence="CC BY-NC-SA 3.0; neither to be redistributed nor modified",
        source="https://doi.org/10.5281/zenodo.1290750 (Bosch et al., ISMIR 2012)",
        obtain="download, from Zenodo by mirdata",
    )
    fields: Mapping[str, Reader] = {
        "tags": lambda track: {INSTRUMENTS[code]: 1.0 for code in track.instrument}
    }

    def group(self, track: Any) -> str:
        """The recording."""
        if track.split == "train":
            return f"train {track.track_id.partition('__')[0]}"
        return f"test {_NUMBER.sub('', Path(track.audio_path).stem)}"

    def official(self, source: Any) -> Mapping[str, Split]:
        """As its parts are named."""
        places: dict[str, Split] = {"train": "train", "test": "test"}
        return {key: places[source.track(key).split] for key in source.track_ids}
