"""The Beatport EDM key data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.groups import artists_or_title
from mirprobe_tasks.datasets.mirdata.readers import read_fields
from mirprobe_tasks.datasets.normalise import single_key


class BeatportKey(MirdataDataset):
    """Two-minute excerpts of electronic dance music: key.

    An excerpt with several keys (`F minor | G minor`) or no key has the key `X`, which is neither a
    target nor scored. Tracks that share an artist are one group.
    """

    name = "beatport_key"
    sheet = DatasetInfo(
        tracks=1486,
        hours=49.5,
        licence="CC BY-SA 4.0",
        source="https://doi.org/10.5281/zenodo.1101082 (Faraldo, PhD thesis, UPF 2017)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields(key=lambda track: single_key(track.key))

    def group(self, track: Any) -> str | Sequence[str]:
        """The artists, or the title."""
        return artists_or_title(track)
