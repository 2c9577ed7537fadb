"""GiantSteps tempo with the crowd-sourced annotation of 2018."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields


def read_tempo(track: Any) -> float:
    """The most salient tempo of version 2, in beats per minute."""
    data = track.tempo_v2
    return float(data.tempos[data.confidence.argmax()])


class GiantStepsTempo(MirdataDataset):
    """Two-minute excerpts of electronic dance music: tempo (annotation v2).

    The metadata do not name the artists, so every track is its own group.
    """

    name = "giantsteps_tempo"
    sheet = DatasetInfo(
        tracks=661,
        hours=22.0,
        gigabytes=1.0,
        licence="CC BY-SA 4.0 (annotations)",
        source="Knees et al., ISMIR 2015; annotation v2: Schreiber & Müller, ISMIR 2018",
        obtain="annotations download; audio by audio_dl.sh of "
        "github.com/GiantSteps/giantsteps-tempo-dataset into audio/*.LOFI.mp3",
    )
    fields = read_fields(tempo=read_tempo)
    excluded: Mapping[str, str] = {
        f"{number}.LOFI": "the annotators found no tempo" for number in (3041381, 3041383, 1327052)
    }
