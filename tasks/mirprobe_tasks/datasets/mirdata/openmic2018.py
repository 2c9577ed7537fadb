"""OpenMIC-2018: presence of 20 instruments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

PRESENT = 0.5
"""Least relevance at which an instrument counts as present."""


class OpenMic2018(MirdataDataset):
    """Ten-second excerpts of the Free Music Archive: presence of 20 instruments, as tags.

    For each excerpt, listeners were asked about a few instruments only. The others count as absent
    here. Scores are therefore lower than published ones, which leave such pairs out, but comparable
    with each other. A ninth of the artists in the official training part is for validation. Groups
    are artists.
    """

    name = "openmic2018"
    tags = (
        *("accordion", "banjo", "bass", "cello", "clarinet", "cymbals", "drums", "flute"),
        *("guitar", "mallet_percussion", "mandolin", "organ", "piano", "saxophone"),
        *("synthesizer", "trombone", "trumpet", "ukulele", "violin", "voice"),
    )
    sheet = DatasetInfo(
        tracks=20000,
        hours=55.6,
        licence="annotations CC BY 4.0; audio Creative Commons or public domain",
        source="https://zenodo.org/record/1432913 (Humphrey et al., ISMIR 2018)",
        obtain="download, from Zenodo by mirdata",
        caution="instruments that listeners were not asked about count as absent: scores are "
        "comparable with each other, not with published ones",
    )
    fields = read_fields(
        tags=lambda track: {
            name: 1.0 for name, relevance in track.instruments.items() if relevance >= PRESENT
        }
    )
    split_names: Mapping[str, Split] = {"split01_train": "train", "split01_test": "test"}

    def group(self, track: Any) -> str:
        """The artist, or the track if it has none."""
        return track.artist if isinstance(track.artist, str) else str(track.track_id)
