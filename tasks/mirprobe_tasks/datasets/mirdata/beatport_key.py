"""The Beatport EDM key data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.key_name import one_key


class BeatportKey(MirdataDataset):
    """Electronic dance music, two-minute excerpts with their key.

    An excerpt with several keys (`F minor | G minor`) or none has the key `X`, which is neither
    learned from nor scored. Tracks that share an artist are one group.
    """

    name: str = "beatport_key"
    sheet = DatasetInfo(
        tracks=1486,
        hours=49.5,
        gigabytes=None,
        licence="CC BY-SA 4.0",
        source="https://doi.org/10.5281/zenodo.1101082 (Faraldo, PhD thesis, UPF 2017)",
        obtain="download, from Zenodo by mirdata",
    )
    fields: Mapping[str, Reader] = {"key": lambda track: one_key(track.key)}

    def group(self, track: Any) -> str | Sequence[str]:
        """Its artists; the title where none is named."""
        return tuple(track.artists) or str(track.title)
