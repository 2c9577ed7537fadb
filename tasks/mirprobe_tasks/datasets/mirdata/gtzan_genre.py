"""GTZAN, with its rhythm annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.reading import beats
from mirprobe_tasks.datasets.splits import listed_splits


def tempo(track: Any) -> float | None:
    """The tempo in its file; mirdata 1.0's own reading of it fails with NumPy from 2.4 on."""
    return None if track.tempo_path is None else float(np.loadtxt(track.tempo_path).item())


class GtzanGenre(MirdataDataset):
    """Half-minute excerpts of ten genres: genre, beats, tempo.

    The official split is the fault-filtered one (Kereliuk et al. 2015), as torchaudio has it: 930
    excerpts without the repeated and the distorted ones, and no artist in two splits. The option
    `filtered=false` takes all, as papers on beats do: what is repeated is then on several sides.
    `jazz.00054` is always left out: its file is damaged.
    """

    name: str = "gtzan_genre"
    vocabularies: Mapping[str, tuple[str, ...]] = {
        "genre": (
            *("blues", "classical", "country", "disco", "hip-hop"),
            *("jazz", "metal", "pop", "reggae", "rock"),
        )
    }
    sheet = DatasetInfo(
        tracks=929,
        hours=7.7,
        gigabytes=1.3,
        licence="none is stated",
        source="Tzanetakis & Cook, IEEE TSAP 2002; beats: Marchand & Peeters, 2015",
        obtain="annotations download; audio as genres.tar.gz (MD5 "
        "5b3d6dddb579ab49814ab86dba69e7c7), unpacked into gtzan_genre/genres/blues/blues.00000.wav "
        "and so on, where opihi.cs.uvic.ca does not answer",
    )
    fields: Mapping[str, Reader] = {
        "genre": lambda track: track.genre,
        "beats": lambda track: beats(track.beats),
        "tempo": tempo,
    }
    left_out: Mapping[str, str] = {"jazz.00054": "its audio file is damaged"}

    def __init__(self, root: Path, version: str | float = "default", filtered: bool = True) -> None:
        """As for every data set of mirdata.

        Args:
            root: its folder.
            version: of mirdata's index.
            filtered: keep to the fault-filtered split; else all excerpts are divided 8:1:1.
        """
        super().__init__(root, version)
        self._filtered = filtered

    def official(self, source: Any) -> Mapping[str, Split]:
        """The fault-filtered split."""
        if not self._filtered:
            return {}
        return listed_splits("gtzan_genre filtered")
