"""Annotations of disturbed audio: keys and chords are transposed, times follow the tempo."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Beats, Segments, Split, Track
from mirprobe.data.perturb import parse_perturbations, plain_name, text_of
from mirprobe.data.perturbed_tracks import disturbed_tracks
from mirprobe.data.tracks import Tracks
from mirprobe.evaluation.plan import Plan
from mirprobe.metrics.pitch import midi_number
from mirprobe.metrics.pitch_classes import PITCHES

_TRANSPOSED = ("key", "keys", "chords", "pitch")
_TONICS = {letter: PITCHES.index(letter) for letter in "CDEFGAB"}


def perturbed_tracks(
    plan: Plan, splits: Sequence[Split], fields: Collection[str]
) -> dict[str, Tracks]:
    """Perturbation -> the tracks of some splits with it, for each perturbation of a plan.

    Args:
        plan: names data set, tracks and perturbations.
        splits: the splits.
        fields: as for `moved_tracks`.

    Raises:
        ConfigError: a perturbation is unknown, or audio or annotations cannot follow it.
    """

    def tracks_with(one: tuple[str, float], split: Split) -> list[Track]:
        return moved_tracks(disturbed_tracks(plan.dataset, plan.tracks[split], one), one, fields)

    return {
        text_of(one): {split: tracks_with(one, split) for split in splits}
        for one in parse_perturbations(plan.config.perturb)
    }


def moved_tracks(
    tracks: Sequence[Track], perturbation: tuple[str, float], fields: Collection[str]
) -> list[Track]:
    """Tracks whose audio is disturbed, with the annotations that fit it.

    Args:
        tracks: with disturbed audio and the annotations of the undisturbed.
        perturbation: name and strength.
        fields: of the annotations, or keys of `extra`, that tasks read; the others are dropped.

    Raises:
        ConfigError: a field cannot be moved along.
    """
    text = text_of(perturbation)
    name, strength = perturbation
    moved = []
    for track in tracks:
        values: dict[str, Any] = {}
        for field in sorted(fields):
            value = track.annotations.get(field)
            if value is None:
                continue
            try:
                values[field] = _moved(field, value, plain_name(name), strength)
            except (ValueError, TypeError, AttributeError) as error:
                raise ConfigError(
                    f"perturb '{text}': '{field}' of track '{track.id}' cannot be moved along "
                    f"({error}); leave out the perturbation, or the task that reads it"
                ) from error
        known = {key: value for key, value in values.items() if key in vars(track.annotations)}
        extra = {key: value for key, value in values.items() if key not in known}
        annotations = replace(Annotations(), **known, extra=extra or None)
        moved.append(replace(track, annotations=annotations))
    return moved


def _moved(field: str, value: Any, name: str, strength: float) -> Any:
    if name == "tempo":
        return value * strength if field == "tempo" else _faster(value, strength, field)
    if name != "transpose" or field not in _TRANSPOSED or not strength:
        return value
    if strength != round(strength):
        raise ValueError("it takes whole semitones")
    semitones = round(strength)
    if field == "pitch":
        number = midi_number(value) + semitones
        if not 0 <= number < 128:
            raise ValueError(f"{value} leaves the range of MIDI notes")
        return f"{PITCHES[number % 12]}{number // 12 - 1}"
    if isinstance(value, Segments):
        return Segments(value.intervals, tuple(transposed(one, semitones) for one in value.labels))
    return transposed(value, semitones)


def transposed(label: str, semitones: int) -> str:
    """A key (`C# minor`) or a Harte chord (`F#:min7/b3`); a label without a tonic is unchanged."""
    letter = label[:1]
    rest = label[1:].lstrip("#b") if letter in _TONICS else label
    signs = label[1 : len(label) - len(rest)]
    if letter not in _TONICS or (rest and rest[0] not in " :/("):
        return label
    tonic = _TONICS[letter] + signs.count("#") - signs.count("b") + semitones
    return PITCHES[tonic % 12] + rest


def _faster(value: Any, factor: float, field: str) -> Any:
    if isinstance(value, Segments):
        return Segments(np.asarray(value.intervals) / factor, value.labels)
    if isinstance(value, Beats):
        return Beats(np.asarray(value.times) / factor, value.positions)
    if isinstance(value, np.ndarray):
        if field != "onsets":
            raise ValueError("it is an array, and nothing says whether it holds times; use Beats")
        return value / factor
    if isinstance(value, Mapping):
        return {name: _faster(one, factor, field) for name, one in value.items()}
    return value
