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
from mirprobe.core.schema import Floats, Segments, Split
from mirprobe_tasks.datasets.mirdata.adapter import MirdataDataset
from mirprobe_tasks.datasets.mirdata.readers import read_beats, read_fields, read_longest_key
from mirprobe_tasks.datasets.normalise import drop_empty_segments
from mirprobe_tasks.music.notes import merge_onsets

STRINGS = 6


@lru_cache(maxsize=1)
def _jams(path: str) -> str:
    """A JAMS file without its pitch contours, which are most of its text and not used here."""
    jams = json.loads(Path(path).read_text())
    kept = [part for part in jams["annotations"] if part["namespace"] != "pitch_contour"]
    return json.dumps({**jams, "annotations": kept})


def _load(track: Any, name: str, *arguments: Any) -> Any:
    """The result of a loader of mirdata's module for the file of a track."""
    from mirdata.datasets import guitarset

    return getattr(guitarset, name)(io.StringIO(_jams(track.jams_path)), *arguments)


def read_chords(track: Any) -> Segments:
    """The chords of the lead sheet."""
    data = _load(track, "load_chords", True)
    return drop_empty_segments(data.intervals, data.labels)


def read_onsets(track: Any) -> Floats:
    """Onsets of the notes of all strings."""
    notes = [_load(track, "load_notes", string) for string in range(STRINGS)]
    starts = [data.intervals[:, 0] for data in notes if data is not None]
    return merge_onsets(np.concatenate(starts) if starts else np.empty(0))


class GuitarSet(MirdataDataset):
    """Half-minute guitar pieces, accompaniment and solo: chords, key, beats, onsets, tempo.

    The audio is the mono mix of the six pickups. Chords are those of the lead sheet, also for
    solos. Six players played the same 30 lead sheets in two versions. Players 00 to 03 are for
    training, 04 for validation, 05 for test: the test has new players but no new lead sheets. There
    is no official split.
    """

    name = "guitarset"
    audio_attribute = "audio_mix_path"
    remotes: tuple[str, ...] = ("annotations", "audio_mix")
    sheet = DatasetInfo(
        tracks=360,
        hours=3.0,
        licence="MIT, as mirdata states",
        source="https://zenodo.org/record/3371780 (Xi et al., ISMIR 2018)",
        obtain="download, from Zenodo by mirdata: annotations and the mono pickup mix",
    )
    fields = read_fields(
        "tempo",
        chords=read_chords,
        key=lambda track: read_longest_key(_load(track, "load_key_mode")),
        beats=lambda track: read_beats(_load(track, "load_beats")),
        onsets=read_onsets,
    )

    def group(self, track: Any) -> str:
        """The player."""
        return f"player {track.player_id}"

    def official_split(self, source: Any) -> Mapping[str, Split]:
        """By player."""
        splits: dict[str, Split] = {"04": "valid", "05": "test"}
        return {key: splits.get(key.partition("_")[0], "train") for key in source.track_ids}
