"""The tracks of a study: which can be used, and how they are worked through."""

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
    function: Callable[[Track], T], tracks: Sequence[Track], bar: str, jobs: int
) -> Iterator[T]:
    """A function's value for each track, in their order, with a bar.

    Args:
        function: can be sent to another process unless `jobs` is 1.
        tracks: its arguments.
        bar: what the bar is called.
        jobs: processes.
    """
    yield from parallel_map(function, [(track,) for track in tracks], jobs, bar)


def usable_tracks(splits: Splits, sample_rate: int, jobs: int) -> tuple[Splits, dict[str, str]]:
    """The validation and test tracks whose audio and annotations can be read.

    Returns:
        The tracks, and why each of the others is left out.

    Raises:
        ConfigError: a split has none.
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
            raise ConfigError(f"no track of split '{split}' can be used{first}; mend the data set")
    return kept, problems


def _fault(sample_rate: int, track: Track) -> str:
    """Why a track cannot be used; empty where it can.

    Annotations that are malformed are faults; those that are missing are not, since they only leave
    the track out of a part of the study.
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
    """A track's onsets, None where it has none."""
    onsets = track.annotations.onsets
    return onsets if onsets is not None and len(onsets) else None


def have_onsets(splits: Splits) -> bool:
    """Whether both splits have a track with onsets."""
    return all(any(onsets_of(track) is not None for track in splits[s]) for s in ("valid", "test"))
