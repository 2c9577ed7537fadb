"""Tracks whose audio is disturbed: by an effect on samples, or by the data set that plays them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mirprobe.api.dataset import Dataset, Playable
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Track
from mirprobe.data.perturb import EXACT, plain_name, text_of


def disturbed_tracks(
    dataset: Dataset, tracks: Sequence[Track], perturbation: tuple[str, float]
) -> list[Track]:
    """Tracks with a perturbation of their audio; their annotations are still the former ones.

    The audio of exact effects need not exist: `dataset.prepare` renders it.

    Raises:
        ConfigError: the effect is exact, and the data set cannot render it.
    """
    name, strength = perturbation
    if name.startswith(EXACT):
        effect = plain_name(name)
        return [replace(t, audio=played_audio(dataset, t, effect, strength)) for t in tracks]
    return [replace(track, perturbation=text_of(perturbation)) for track in tracks]


def played_audio(dataset: Dataset, track: Track, effect: str, strength: float) -> Path:
    """The audio file of a track that its data set plays with an effect.

    Raises:
        ConfigError: the data set cannot play its tracks.
    """
    if not isinstance(dataset, Playable):
        raise ConfigError(
            f"perturb '{EXACT}{effect}': data set '{dataset.name}' does not play its music itself, "
            f"as studio and scores do; give '{effect}', which processes the audio"
        )
    return dataset.played(track, effect, strength)
