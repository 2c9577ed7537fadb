"""Generated data sets: renders missing audio on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mirprobe.core.parallel import parallel_map
from mirprobe.core.schema import Track

Render = Callable[[], object]
"""Writes the audio of one track; can be pickled."""


def render_missing(tracks: Sequence[Track], job: Callable[[Track], Render]) -> Iterator[str]:
    """Render the missing audio of tracks.

    Args:
        tracks: existing audio is kept.
        job: returns the function that renders a track; called for all missing tracks first.

    Yields:
        The id of each track as soon as its audio exists.
    """
    missing = [(track.id, job(track)) for track in tracks if not track.audio.exists()]
    absent = {id for id, _ in missing}
    yield from (track.id for track in tracks if track.id not in absent)
    yield from parallel_map(_rendered, missing, 0, "rendering", ordered=False, progress=False)


def _rendered(id: str, render: Render) -> str:
    render()
    return id
