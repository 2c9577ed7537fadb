"""GiantSteps tempo, with the crowd-sourced annotation of 2018."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader


def tempo(track: Any) -> float:
    """The most salient tempo of version 2, in beats per minute."""
    data = track.tempo_v2
    return float(data.tempos[data.confidence.argmax()])


class GiantStepsTempo(MirdataDataset):
    """Electronic dance music, two-minute excerpts with their tempo (annotation v2).

    Nothing but a number names the tracks, so every one is its own group.
    """

    name: str = "giantsteps_tempo"
    sheet = DatasetInfo(
        tracks=661,
        hours=22.0,
        gigabytes=1.0,
        licence="CC BY-SA 4.0 (annotations)",
        source="Knees et al., ISMIR 2015; annotation v2: Schreiber & Müller, ISMIR 2018",
        obtain="annotations download; audio by audio_dl.sh of "
        "github.com/GiantSteps/giantsteps-tempo-dataset into audio/*.LOFI.mp3",
    )
    fields: Mapping[str, Reader] = {"tempo": tempo}
    left_out: Mapping[str, str] = {
        f"{number}.LOFI": "the annotators found no tempo" for number in (3041381, 3041383, 1327052)
    }
