"""Data sets that are made here: what audio is missing is rendered on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from mirprobe.core.parallel import parallel_map
from mirprobe.core.schema import Track

Render = Callable[[], object]
"""Writes one track's audio; can be sent to another process."""


def render_missing(tracks: Sequence[Track], job: Callable[[Track], Render]) -> Iterator[str]:
    """Make the audio of `tracks` exist.

    Args:
        tracks: those whose audio is there already are left alone.
        job: what renders a track; asked for every missing one before any is rendered.

    Yields:
        The id of each track as its audio becomes ready.
    """
    missing = [(track.id, job(track)) for track in tracks if not track.audio.exists()]
    absent = {id for id, _ in missing}
    yield from (track.id for track in tracks if track.id not in absent)
    yield from parallel_map(_rendered, missing, 0, "rendering", ordered=False, progress=False)


def _rendered(id: str, render: Render) -> str:
    render()
    return id
