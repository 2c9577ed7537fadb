"""Embeddings of tracks, from the cache or, if it does not have them, from the encoder."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mirprobe.api.encoder import Encoder
from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import EncoderError, StorageError, TrackError, UntrustedEncoderError
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Embedding, Level, Track
from mirprobe.data import audio
from mirprobe.data.perturb import VERSION
from mirprobe.embedding.cache import Cache, entry_key
from mirprobe.embedding.determinism import STALE, code_state, distance
from mirprobe.embedding.track_encoder import Encoding, TrackEncoder, Views

log = logging.getLogger(__name__)

LAG = 60.0
"""Maximum seconds until a file of another machine is visible on NFS."""

Keys = dict[Level, str]
Missing = Sequence[tuple[Track, Keys]]
Filled = tuple[Track, Keys | TrackError]
Keyed = Sequence[Filled]


class Embedder:
    """An encoder with a cache.

    Args:
        name: of the encoder, for messages and the metadata of entries.
        encoder: computes the embeddings that are not in the cache.
        cache: of the embeddings.
        encoding: how it encodes.

    Attributes:
        encoded: number of tracks that were not in the cache.
        compared: the views of which a cached track has been compared, or could not be.
    """

    def __init__(self, name: str, encoder: Encoder, cache: Cache, encoding: Encoding) -> None:
        self.name, self.encoder, self.cache, self.encoding = name, encoder, cache, encoding
        self.encoded = 0
        self._tracks = TrackEncoder(name, encoder, encoding)
        self.compared: set[Level] = set()
        self._written: list[str] = []

    @property
    def batch(self) -> int:
        """Windows per call that the device has had memory for."""
        return self._tracks.batch

    def fill(self, tracks: Sequence[Track], levels: Sequence[Level]) -> Iterator[Filled]:
        """Embed the tracks that are not in the cache, and store their embeddings there.

        Args:
            tracks: what to embed.
            levels: the requested views: `clip`, `frame` or both.

        Yields:
            A track and the keys of its entries, in no particular order, or the error of its audio.

        Raises:
            EncoderError: the encoder failed or broke its contract; finished tracks are cached.
            StorageError: the cache cannot be read or written.
        """
        keyed = self.keyed(tracks, levels)
        self.check_cached(keyed)
        missing = []
        for track, keys in keyed:
            if isinstance(keys, TrackError) or all(map(self.cache.get, keys.values())):
                yield track, keys
            else:
                missing.append((track, keys))
        if missing:
            for track, filled in self.compute(missing):
                self.encoded += not isinstance(filled, TrackError)
                yield track, filled
            if not self.compared:  # nothing was cached: the next run has nothing older to compare
                for _, keys in self._smallest(keyed)[:1]:
                    self._note(keys)

    def keyed(self, tracks: Sequence[Track], levels: Sequence[Level]) -> Keyed:
        """Each track with the keys of its entries, or with the error of its audio."""

        def keys(track: Track) -> Keys | TrackError:
            try:
                content = self._content(track)
            except TrackError as error:
                return error
            return {level: self._key(content, level) for level in levels}

        return [(track, keys(track)) for track in tracks]

    def check_cached(self, keyed: Keyed) -> None:
        """Encode a cached track again, the one with the smallest entries, and compare.

        This is done once for each view; of a built-in encoder once for each state of its code, on
        each machine, and not at all if that code has written all entries. If the track cannot be
        encoded, for example because the weights are on another machine, a warning says so.

        Raises:
            UntrustedEncoderError: the encoder gives other embeddings than those in the cache.
        """
        for track, keys in self._smallest(keyed):
            new = {level: k for level, k in keys.items() if level not in self.compared}
            sound = {level: key for level, key in new.items() if self.cache.get(key)}
            if sound:
                self.compared.update(sound)
                self._compare(track, sound)

    def _smallest(self, keyed: Keyed) -> list[tuple[Track, Keys]]:
        """The tracks with the keys of their cached views, those with the smallest entries first."""
        cached: list[tuple[int, Track, Keys]] = []
        for track, keys in keyed:
            if isinstance(keys, dict):
                here = {level: k for level, k in keys.items() if self.cache.path(k).exists()}
                size = sum(self.cache.path(key).stat().st_size for key in here.values())
                cached.append((size, track, here))
        return [(track, keys) for _, track, keys in sorted(cached, key=lambda item: item[0])]

    def _compare(self, track: Track, keys: Keys) -> None:
        """Encode a track and compare it with its entries; raises as `check_cached`."""
        note, state = self._note_path(keys), self._compared_state(keys)
        if state and note.is_file() and note.read_bytes() == state:
            return
        try:
            samples = audio.load(track, self.encoder.sample_rate)
            [(_, again, _)] = self._tracks.encode([(0, samples)], list(keys))
        except (EncoderError, TrackError) as error:
            log.warning(
                "encoder '%s': its cached embeddings were not checked, because track '%s' could "
                "not be encoded again (%s)",
                self.name,
                track.id,
                error,
            )
            return
        entries = {level: self.cache.get(key) for level, key in keys.items()}
        apart = max(
            distance(entry.read(), again[level]) for level, entry in entries.items() if entry
        )
        if apart > STALE[self.encoding.precision]:
            raise UntrustedEncoderError(
                f"encoder '{self.name}' gives another embedding of track '{track.id}' than the "
                f"cache holds ({100 * apart:.2g} % apart): it was changed and its fingerprint was "
                "not, or it depends on the batch; change the fingerprint, or run `mirprobe cache "
                f"prune --encoder '{self.name}'`"
            )
        self._note(keys)

    def _note_path(self, keys: Keys) -> Path:
        return self.cache.folder / "compared" / digest(keys)

    def _note(self, keys: Keys) -> None:
        """Note that the entries are those of this code."""
        if state := self._compared_state(keys):
            with suppress(StorageError):  # a folder that is read-only: the next run compares again
                write_whole(self._note_path(keys), state)

    def _compared_state(self, keys: Keys) -> bytes:
        """What a comparison depends on; empty for an encoder of which this is unknown."""
        if not getattr(self.encoder, "built_in", False):
            return b""
        files = [self.cache.path(key).stat() for key in keys.values()]
        entries = [[file.st_size, file.st_mtime_ns] for file in files]
        return digest(entries, self.encoding.device, code_state()).encode()

    def compute(self, missing: Missing) -> Iterator[Filled]:
        """Encode tracks, even if they are in the cache. Yields and raises as `fill`."""
        decoded = audio.prefetch([track for track, _ in missing], self.encoder.sample_rate)
        try:
            with closing(decoded):
                yield from self._compute(missing, decoded)
        except EncoderError as error:
            raise type(error)(f"encoder '{self.name}' {error}") from error

    def key(self, track: Track, level: Level) -> str:
        """The cache key of one view of a track.

        Raises:
            TrackError: the audio file is missing, empty or cannot be read.
        """
        return self._key(self._content(track), level)

    def _content(self, track: Track) -> str:
        """A hash of the audio of a track; raises as `key`."""
        audio.check_file(track.audio)
        try:
            disturbed = [track.perturbation, VERSION] if track.perturbation else []
            how = [*audio.decoded_as(track), *disturbed]
            return digest(self.cache.hashes(track.audio), track.start, track.stop, *how)
        except OSError as error:
            raise TrackError(f"{track.audio}: cannot be read ({error}); replace it") from error

    def _key(self, content: str, level: Level) -> str:
        own = self.encoding
        fingerprint = self.encoder.fingerprint
        return entry_key(fingerprint, content, level, own.layers, own.dtype, own.precision)

    def _compute(self, missing: Missing, decoded: Iterator[audio.Decoded]) -> Iterator[Filled]:
        unusable: list[Filled] = []

        def usable() -> Iterator[tuple[int, NDArray[np.float32]]]:
            for number, samples in enumerate(decoded):
                if isinstance(samples, TrackError):
                    unusable.append((missing[number][0], samples))
                else:
                    yield number, samples

        levels = list(missing[0][1])
        try:
            for number, views, duration in self._tracks.encode(usable(), levels):
                self._store(*missing[number], views, duration)
                yield missing[number]
                yield from unusable
                unusable.clear()
            yield from unusable
            self._tracks.check()
        except UntrustedEncoderError:
            self.cache.discard(self._written)
            raise

    def _store(self, track: Track, keys: Keys, views: Views, duration: float) -> None:
        """Store the views of a track."""
        for level, key in keys.items():
            described = {
                "encoder": self.name,
                "fingerprint": self.encoder.fingerprint,
                "track": track.id,
                "view": level,
                "layers": ",".join(self.encoding.layers),
                "duration": repr(duration),
            }
            self.cache.put(key, views[level], described)
            self._written.append(key)


def read_embedding(cache: Cache, keys: Keys) -> Embedding:
    """Read an embedding from the cache.

    Raises:
        StorageError: an entry is gone.
    """
    entries = {level: cache.get(key) for level, key in keys.items()}
    if not all(entries.values()):
        paths = ", ".join(str(cache.path(key)) for key in keys.values())
        raise StorageError(f"{paths}: gone or broken since they were written; start again")
    clip, frames = entries.get("clip"), entries.get("frame")
    known = clip or frames
    assert known is not None
    return Embedding(clip.read() if clip else None, frames, float(known.metadata["duration"]))


def await_entries(cache: Cache, keys: Keys, lag: float) -> None:
    """Wait until entries that another machine wrote are visible on this one.

    Args:
        cache: the store.
        keys: of the entries.
        lag: maximum seconds; 0 for no wait.

    Raises:
        StorageError: an entry is not visible in time.
    """
    until = time.monotonic() + lag
    for key in keys.values() if lag else ():
        while not cache.exists(key):
            if time.monotonic() > until:
                raise StorageError(
                    f"cache '{cache.place}': what a worker wrote does not show here after "
                    f"{lag:.0f} s; name a --cache-dir that all machines share"
                )
            time.sleep(0.2)
