"""Selection of the tracks whose audio and annotations can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import mir_eval.chord

from mirprobe.core.annotations import check_annotation
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.parallel import parallel_map
from mirprobe.core.schema import Floats, Split, Track
from mirprobe.data import audio
from mirprobe.metrics.chord import chord_class
from mirprobe.metrics.key import key_class

READ = ("onsets", "chords", "beats", "key", "tags", "sections")

Splits = Mapping[Split, Sequence[Track]]
T = TypeVar("T")


def map_tracks(
    function: Callable[[Track], T], tracks: Sequence[Track], title: str, jobs: int
) -> Iterator[T]:
    """Apply a function to each track, in order; see `parallel_map`."""
    yield from parallel_map(function, [(track,) for track in tracks], jobs, title)


def usable_tracks(splits: Splits, sample_rate: int, jobs: int) -> tuple[Splits, dict[str, str]]:
    """The validation and test tracks whose audio and annotations can be read.

    Args:
        splits: tracks of the data set.
        sample_rate: sample rate in Hz at which the audio is read.
        jobs: number of processes.

    Returns:
        The usable tracks, and the reason for each track that is left out.

    Raises:
        ConfigError: no track of a split is usable.
    """
    kept: dict[Split, list[Track]] = {"valid": [], "test": []}
    problems: dict[str, str] = {}
    for split, into in kept.items():
        reasons = map_tracks(partial(_fault, sample_rate), splits[split], f"checking {split}", jobs)
        for track, reason in zip(splits[split], reasons, strict=True):
            if reason:
                problems[track.id] = reason
            else:
                into.append(track)
        if not into:
            first = f" (track '{splits[split][0].id}': {problems[splits[split][0].id]})"
            raise ConfigError(
                f"no track of split '{split}' can be used{first}; correct the data set"
            )
    return kept, problems


def _fault(sample_rate: int, track: Track) -> str:
    """The reason why a track cannot be used, empty if it can.

    Malformed annotations are faults. Missing annotations are not: the track is only left out of the
    parts that need them.
    """
    try:
        duration = len(audio.load(track, sample_rate)) / sample_rate
        for name in READ:
            if getattr(track.annotations, name) is not None:
                check_annotation(track.annotations, name, duration)
        for label in track.annotations.chords.labels if track.annotations.chords else ():
            chord_class(label)
        if track.annotations.key is not None:
            key_class(track.annotations.key)
    except TrackError as error:
        return str(error)
    except (mir_eval.chord.InvalidChordException, ValueError) as error:
        return f"an annotation cannot be read ({error}); correct it"
    return ""


def onsets_of(track: Track) -> Floats | None:
    """The onsets of a track in seconds; None if it has none."""
    onsets = track.annotations.onsets
    return onsets if onsets is not None and len(onsets) else None


def have_onsets(splits: Splits) -> bool:
    """Whether both splits have at least one track with onsets."""
    return all(any(onsets_of(track) is not None for track in splits[s]) for s in ("valid", "test"))
