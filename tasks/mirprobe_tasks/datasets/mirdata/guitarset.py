"""GuitarSet: acoustic guitar, accompaniment and solo."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.schema import Floats, Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset, Reader
from mirprobe_tasks.datasets.mirdata.reading import beats, lasting, longest_key, merged

STRINGS = 6


@lru_cache(maxsize=1)
def _jams(path: str) -> str:
    """A JAMS file without its pitch contours: nearly all of its text, and of no use here."""
    jams = json.loads(Path(path).read_text())
    kept = [part for part in jams["annotations"] if part["namespace"] != "pitch_contour"]
    return json.dumps({**jams, "annotations": kept})


def _load(track: Any, name: str, *arguments: Any) -> Any:
    """What a loader of mirdata's module makes of a track's file."""
    from mirdata.datasets import guitarset

    return getattr(guitarset, name)(io.StringIO(_jams(track.jams_path)), *arguments)


def chords(track: Any) -> Any:
    """The chords of the lead sheet that the players had before them."""
    data = _load(track, "load_chords", True)
    return lasting(data.intervals, data.labels)


def onsets(track: Any) -> Floats:
    """Onsets of the notes of all strings."""
    notes = [_load(track, "load_notes", string) for string in range(STRINGS)]
    starts = [data.intervals[:, 0] for data in notes if data is not None]
    return merged(np.concatenate(starts) if starts else np.empty(0))


class GuitarSet(MirdataDataset):
    """Half-minute guitar pieces, accompaniment and solo: chords, key, beats, onsets, tempo.

    The audio is the mono mix of the six pickups. Chords are those of the lead sheet, for solos too.
    Six players played the same 30 lead sheets in two versions: players 00 to 03 train, 04
    validates, 05 is tested, so that the lead sheets are known but the players are not. There is no
    official split.
    """

    name: str = "guitarset"
    audio: str = "audio_mix_path"
    remotes: tuple[str, ...] = ("annotations", "audio_mix")
    sheet = DatasetInfo(
        tracks=360,
        hours=3.0,
        gigabytes=None,
        licence="MIT, as mirdata states",
        source="https://zenodo.org/record/3371780 (Xi et al., ISMIR 2018)",
        obtain="download, from Zenodo by mirdata: annotations and the mono pickup mix",
    )
    fields: Mapping[str, Reader] = {
        "chords": chords,
        "key": lambda track: longest_key(_load(track, "load_key_mode")),
        "beats": lambda track: beats(_load(track, "load_beats")),
        "onsets": onsets,
        "tempo": lambda track: float(track.tempo),
    }

    def group(self, track: Any) -> str:
        """The player."""
        return f"player {track.player_id}"

    def official(self, source: Any) -> Mapping[str, Split]:
        """By player."""
        places: dict[str, Split] = {"04": "valid", "05": "test"}
        return {key: places.get(key.partition("_")[0], "train") for key in source.track_ids}
