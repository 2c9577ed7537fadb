"""TinySOL: single notes of orchestral instruments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader, told

INSTRUMENTS = {
    "Acc": "accordion",
    "ASax": "alto saxophone",
    "Bn": "bassoon",
    "BTb": "bass tuba",
    "Cb": "contrabass",
    "ClBb": "clarinet in B-flat",
    "Fl": "flute",
    "Hn": "French horn",
    "Ob": "oboe",
    "Tbn": "trombone",
    "TpC": "trumpet in C",
    "Va": "viola",
    "Vc": "violoncello",
    "Vn": "violin",
}
"""The data set's abbreviations."""

FOLDS = 5


class TinySol(MirdataDataset):
    """Single notes of 14 instruments at IRCAM, with pitch and instrument.

    One of the five official folds, balanced in instrument, pitch and loudness, is tested on, the
    next one validates. A note that was shifted from its neighbour's recording is not marked as
    belonging to it, so that the two may be on different sides.
    """

    name: str = "tinysol"
    vocabularies: Mapping[str, tuple[str, ...]] = {"instrument": tuple(INSTRUMENTS.values())}
    sheet = DatasetInfo(
        tracks=2913,
        hours=None,
        gigabytes=None,
        licence="CC BY 4.0",
        source="https://zenodo.org/record/3685367 (Cella et al., 2020)",
        obtain="download, from Zenodo by mirdata",
    )
    fields: Mapping[str, Reader] = {
        "pitch": lambda track: str(track.pitch),
        "instrument": lambda track: INSTRUMENTS[track.instrument_abbr],
    }

    def __init__(self, root: Path, version: str | float = "default", fold: int | None = 0) -> None:
        """As for every data set of mirdata.

        Args:
            root: its folder.
            version: of mirdata's index.
            fold: the official fold to test on, 0 to 4; None divides all notes 8:1:1 at random,
                as published figures of encoders do.

        Raises:
            ConfigError: there is no such fold.
        """
        super().__init__(root, version)
        if fold is not None and fold not in range(FOLDS):
            raise ConfigError(f"tinysol: no fold {fold!r}; folds are 0 to {FOLDS - 1}, or null")
        self._fold = fold

    def official(self, source: Any) -> Mapping[str, Split]:
        """One fold to test on, the next one to validate on."""
        if self._fold is None:
            return {}
        places: dict[int, Split] = {self._fold: "test", (self._fold + 1) % FOLDS: "valid"}
        folds = {key: told(key, source.track(key).split) for key in source.track_ids}
        return {key: places.get(fold, "train") for key, fold in folds.items()}
