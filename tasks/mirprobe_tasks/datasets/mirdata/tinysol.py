"""TinySOL: single notes of orchestral instruments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_fields

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
"""Abbreviation -> instrument."""

FOLDS = 5


class TinySol(MirdataDataset):
    """Single notes of 14 instruments, recorded at IRCAM: pitch and instrument.

    One of the five official folds, balanced in instrument, pitch and loudness, is for test, the
    next one for validation. Some notes are pitch-shifted recordings of a neighbouring note; the
    metadata do not say of which, so that the two may be in different splits.
    """

    name = "tinysol"
    vocabularies: Mapping[str, tuple[str, ...]] = {"instrument": tuple(INSTRUMENTS.values())}
    sheet = DatasetInfo(
        tracks=2913,
        licence="CC BY 4.0",
        source="https://zenodo.org/record/3685367 (Cella et al., 2020)",
        obtain="download, from Zenodo by mirdata",
    )
    fields = read_fields(
        pitch=lambda track: str(track.pitch),
        instrument=lambda track: INSTRUMENTS[track.instrument_abbr],
    )

    def __init__(self, root: Path, version: str | float = "default", fold: int | None = 0) -> None:
        """As `MirdataDataset`.

        Args:
            root: folder of the data set.
            version: of mirdata's index.
            fold: the official fold for test, 0 to 4; None divides all notes 8:1:1 at random, as
                published scores of encoders do.

        Raises:
            ConfigError: there is no such fold.
        """
        super().__init__(root, version)
        if fold is not None and fold not in range(FOLDS):
            raise ConfigError(f"tinysol: no fold {fold!r}; folds are 0 to {FOLDS - 1}, or null")
        if fold is not None:
            folds: dict[int, Split] = dict.fromkeys(range(FOLDS), "train")
            self.split_names = {**folds, fold: "test", (fold + 1) % FOLDS: "valid"}
