"""GiantSteps key in the revised annotation of 2017, as mirdata has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.key_name import key_name


class GiantStepsKey(MirdataDataset):
    """Electronic dance music, two-minute excerpts with one key each (GiantSteps+).

    These are the labels that Faraldo revised, not the `.key` files of the first release that most
    published figures are over. Tracks that share an artist are one group.
    """

    name: str = "giantsteps_key"
    sheet = DatasetInfo(
        tracks=600,
        hours=20.0,
        gigabytes=None,
        licence="CC BY-SA 4.0",
        source="https://doi.org/10.5281/zenodo.1095691 (Faraldo, PhD thesis, UPF 2017)",
        obtain="download, from Zenodo by mirdata",
    )
    fields: Mapping[str, Reader] = {"key": lambda track: key_name(track.key)}

    def group(self, track: Any) -> str | Sequence[str]:
        """Its artists; the title where none is named."""
        return tuple(track.artists) or str(track.title)
