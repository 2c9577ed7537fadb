"""What a process of a cluster does: it builds one encoder after the other, and fills the cache.

It must be able to import mirprobe, to build the encoder by its specification, and to see audio,
cache and working directory under the same paths as the program that gives the job.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from mirprobe.core.errors import EncoderError, MirprobeError, TrackError
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder, Missing
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.encoders.specs import checked_encoder

Outcome = list[str | None] | MirprobeError
"""Result of a chunk: for each track None or why it cannot be used; or the error that ended it."""


@dataclass(frozen=True)
class EncodingJob:
    """Everything that a worker needs to encode tracks like the program that started the job.

    Attributes:
        spec: the specification of the encoder.
        fingerprint: which the encoder of the worker must have.
        encoding: how it encodes.
        place: of the cache.
        folder: of the cache on this machine.
        directory: the working directory, for relative paths.
    """

    spec: str
    fingerprint: str
    encoding: Encoding
    place: Path | str
    folder: Path
    directory: Path


class RayWorker:
    """A worker process with one encoder at a time."""

    def __init__(self) -> None:
        self._job: EncodingJob | None = None
        self._embedder: Embedder | None = None

    def encode(self, job: EncodingJob, number: int, chunk: Missing) -> tuple[int, Outcome]:
        """Encode a chunk of tracks into the cache; returns its number and its result."""
        try:
            if job != self._job or self._embedder is None:
                self._embedder = self._job = None  # frees the memory of the former encoder first
                self._embedder, self._job = _built(job), job
            results = self._embedder.compute(chunk)
            reasons = {t.id: str(r) for t, r in results if isinstance(r, TrackError)}
        except MirprobeError as error:  # Ray would log it again, with a traceback
            return number, error
        return number, [reasons.get(track.id) for track, _ in chunk]

    def idle(self) -> None:
        """Return after all earlier calls have finished."""


def _built(job: EncodingJob) -> Embedder:
    """The encoder of a job with its cache."""
    here = f"in a worker on {platform.node()}"
    try:
        os.chdir(job.directory)
    except OSError as error:
        raise EncoderError(
            f"encoder '{job.spec}': {job.directory} cannot be entered {here} "
            f"({error.strerror}); start the command in a folder that all machines see"
        ) from error
    try:
        encoder = checked_encoder(job.spec)
    except MirprobeError as error:
        raise EncoderError(
            f"encoder '{job.spec}' cannot be built {here} ({error}); engine 'ray' takes classes "
            "in files and those of packages that every machine has, not instances or classes "
            "registered by a running program"
        ) from error
    if encoder.fingerprint != job.fingerprint:
        raise EncoderError(
            f"encoder '{job.spec}' is another one {here}: its fingerprint differs; give every "
            "machine the same files, weights and packages"
        )
    return Embedder(job.spec, encoder, Cache(job.place, job.folder), job.encoding)
