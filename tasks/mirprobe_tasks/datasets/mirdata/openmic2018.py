"""OpenMIC-2018: which of 20 instruments are heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader, told

PRESENT = 0.5
"""Relevance from which an instrument counts as heard."""


class OpenMic2018(MirdataDataset):
    """Ten-second excerpts of the Free Music Archive: which of 20 instruments are heard, as tags.

    Listeners were asked for a few instruments of each excerpt only. One that they were not asked
    for counts as absent here, so that scores are lower than those published, which leave such
    pairs out; they can be compared with each other. The official split's training part gives a
    ninth of its artists to validation. An artist is a group.
    """

    name: str = "openmic2018"
    tags: tuple[str, ...] = (
        *("accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute"),
        *("guitar", "mallet_percussion", "mandolin", "organ", "piano", "saxophone"),
        *("synthesizer", "trombone", "trumpet", "ukulele", "violin", "voice"),
    )
    sheet = DatasetInfo(
        tracks=20000,
        hours=55.6,
        gigabytes=None,
        licence="annotations CC BY 4.0; audio Creative Commons or public domain",
        source="https://zenodo.org/record/1432913 (Humphrey et al., ISMIR 2018)",
        obtain="download, from Zenodo by mirdata",
        caution="an instrument that listeners were not asked for counts as absent: scores compare "
        "with each other, not with published ones",
    )
    fields: Mapping[str, Reader] = {
        "tags": lambda track: {
            name: 1.0 for name, relevance in track.instruments.items() if relevance >= PRESENT
        }
    }

    def group(self, track: Any) -> str:
        """The artist; the track itself where none is named."""
        return track.artist if isinstance(track.artist, str) else str(track.track_id)

    def official(self, source: Any) -> Mapping[str, Split]:
        """The partition `split01`."""
        places: dict[str, Split] = {"split01_train": "train", "split01_test": "test"}
        splits = {key: told(key, source.track(key).split) for key in source.track_ids}
        return {key: places[split] for key, split in splits.items() if split in places}
