"""GiantSteps key with the revised annotation of 2017."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.groups import artists_or_title
from mirprobe_tasks.datasets.mirdata.readers import read_fields
from mirprobe_tasks.datasets.normalise import normalise_key


class GiantStepsKey(MirdataDataset):
    """Two-minute excerpts of electronic dance music: key (GiantSteps+).

    The labels are those that Faraldo revised. Most published scores use the `.key` files of the
    first release. Tracks that share an artist are one group.
    """

    name = "giantsteps_key"
    sheet = DatasetInfo(
        tracks=600,
        hours=20.0,
        licence="CC BY-SA 4.0",
        source="https://doi.org/10.5281/zenodo.1095691 (Faraldo, PhD thesis, UPF 2017)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields(key=lambda track: normalise_key(track.key))

    def group(self, track: Any) -> str | Sequence[str]:
        """The artists, or the title."""
        return artists_or_title(track)
