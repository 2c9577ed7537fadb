"""GTZAN with its rhythm annotations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields
from mirprobe_tasks.datasets.splits import listed_splits


def read_tempo(track: Any) -> float | None:
    """The tempo in its file; the reader of mirdata 1.0 fails with NumPy 2.4 and later."""
    return None if track.tempo_path is None else float(np.loadtxt(track.tempo_path).item())


class GtzanGenre(MirdataDataset):
    """Half-minute excerpts of ten genres: genre, beats, tempo.

    The official split is the fault-filtered one (Kereliuk et al. 2015), as in torchaudio: 930
    excerpts without repeated and distorted ones, and no artist in two splits. The option
    `filtered=false` takes all excerpts, as papers on beat tracking do; repeated excerpts are then
    in several splits. `jazz.00054` is always left out, since its file is damaged.
    """

    name = "gtzan_genre"
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
    fields = read_fields("genre", "beats", tempo=read_tempo)
    excluded: Mapping[str, str] = {"jazz.00054": "its audio file is damaged"}

    def __init__(self, root: Path, version: str | float = "default", filtered: bool = True) -> None:
        """As `MirdataDataset`.

        Args:
            root: folder of the data set.
            version: of mirdata's index.
            filtered: use the fault-filtered split; if false, all excerpts are divided 8:1:1.
        """
        super().__init__(root, version)
        self._filtered = filtered

    def official_split(self, source: Any) -> Mapping[str, Split]:
        """The fault-filtered split."""
        return listed_splits("gtzan_genre filtered") if self._filtered else {}
