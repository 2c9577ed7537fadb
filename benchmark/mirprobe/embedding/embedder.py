"""Embeddings of tracks, from the cache or, if it does not have them, from the encoder."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import EncoderError, StorageError, TrackError
from mirprobe.core.hashing import digest
from mirprobe.core.number_types import Dtype, Precision
from mirprobe.core.schema import Embedding, Floating, Level, Tokens, Track
from mirprobe.data import audio
from mirprobe.embedding.cache import Cache, entry_key
from mirprobe.embedding.determinism import RepeatCheck
from mirprobe.encoders.encode import check_finite, encode, pool, to_device
from mirprobe.encoders.windows import WindowLayout, layout_windows, max_frames, stitch

log = logging.getLogger(__name__)

Result = tuple[Track, Embedding | TrackError]
Keys = dict[Level, str]
Missing = Sequence[tuple[Track, Keys]]
Filled = tuple[Track, Keys | TrackError]

_TORCH = {"float16": torch.float16, "float32": torch.float32}


Waiting = tuple["_Pending", int, NDArray[np.float32]]
"""A track, the index of a window's first frame in it, and the window."""


@dataclass
class _Pending:
    """A track that is being encoded, with the outputs of its windows so far."""

    track: Track
    keys: Keys
    layout: WindowLayout
    clips: list[Floating] = field(default_factory=list)
    frames: list[Floating] = field(default_factory=list)


class Embedder:
    """An encoder with a cache.

    Args:
        name: of the encoder, for messages and the metadata of entries.
        encoder: computes the embeddings that are not in the cache.
        cache: of the embeddings.
        layers: the names of the layers to keep.
        device: of the encoder.
        dtype: number type of the stored embeddings.
        batch: windows per call; halved whenever the device runs out of memory. An encoder without a
            window encodes one track at a time, since tracks of different length cannot be stacked.
        precision: `32` without autocast, or the number type of torch's autocast.

    Attributes:
        encoded: number of tracks that were not in the cache.
    """

    def __init__(
        self,
        name: str,
        encoder: Encoder,
        cache: Cache,
        *,
        layers: Sequence[str],
        device: str = "cpu",
        dtype: Dtype = "float16",
        batch: int = 16,
        precision: Precision = "32",
    ) -> None:
        self.name = name
        self.encoder = encoder
        self.cache = cache
        self.layers = tuple(layers)
        self.device = device
        self.dtype = dtype
        self.batch = 1 if encoder.window is None else batch
        self.precision = precision
        self.encoded = 0
        self._repeat_check = RepeatCheck()
        self._written: list[str] = []
        self._indices = [list(encoder.layers).index(layer) for layer in self.layers]

    def embed(self, tracks: Sequence[Track], levels: Sequence[Level]) -> Iterator[Result]:
        """The embedding of each track, in no particular order, or the error of its audio.

        Args:
            tracks: what to embed.
            levels: the requested views: `clip`, `frame` or both.

        Raises:
            EncoderError: the encoder failed or broke its contract; finished tracks are cached.
            StorageError: the cache cannot be read or written.
        """
        for track, filled in self.fill(tracks, levels):
            yield track, filled if isinstance(filled, TrackError) else self.read(filled)

    def fill(self, tracks: Sequence[Track], levels: Sequence[Level]) -> Iterator[Filled]:
        """Fill the cache with what `embed` yields. Raises as `embed`.

        Yields:
            A track and the keys of its entries, in no particular order, or the error of its audio.
        """
        missing = []
        for track in tracks:
            try:
                keys = {level: self.key(track, level) for level in levels}
            except TrackError as error:
                yield track, error
                continue
            if all(self.cache.get(key) for key in keys.values()):
                yield track, keys
            else:
                missing.append((track, keys))
        if missing:
            for track, filled in self.compute(missing):
                self.encoded += not isinstance(filled, TrackError)
                yield track, filled

    def compute(self, missing: Missing) -> Iterator[Filled]:
        """Encode tracks, even if they are in the cache. Yields and raises as `fill`."""
        decoded = audio.prefetch([track for track, _ in missing], self.encoder.sample_rate)
        try:
            with closing(decoded):
                yield from self._compute(missing, decoded)
        except EncoderError as error:
            raise type(error)(f"encoder '{self.name}' {error}") from error

    def read(self, keys: Keys) -> Embedding:
        """Read an embedding from the cache.

        Raises:
            StorageError: an entry is gone.
        """
        entries = {level: self.cache.get(key) for level, key in keys.items()}
        if not all(entries.values()):
            paths = ", ".join(str(self.cache.path(key)) for key in keys.values())
            raise StorageError(f"{paths}: gone or broken since they were written; start again")
        clip, frames = entries.get("clip"), entries.get("frame")
        known = clip or frames
        assert known is not None
        return Embedding(clip.read() if clip else None, frames, float(known.metadata["duration"]))

    def key(self, track: Track, level: Level) -> str:
        """The cache key of one view of a track.

        Raises:
            TrackError: the audio file is missing, empty or cannot be read.
        """
        audio.check_file(track.audio)
        try:
            content = digest(self.cache.hashes(track.audio), track.start, track.stop)
        except OSError as error:
            raise TrackError(f"{track.audio}: cannot be read ({error}); replace it") from error
        return entry_key(
            self.encoder.fingerprint, content, level, self.layers, self.dtype, self.precision
        )

    def _compute(self, missing: Missing, decoded: Iterator[audio.Decoded]) -> Iterator[Filled]:
        encoder = self.encoder
        queue: deque[Waiting] = deque()
        to_device(encoder, self.device)
        for (track, keys), samples in zip(missing, decoded, strict=True):
            if isinstance(samples, TrackError):
                yield track, samples
                continue
            layout = layout_windows(len(samples), encoder)
            pending = _Pending(track, keys, layout)
            windows = zip(layout.frames, layout.cut(samples), strict=True)
            queue.extend((pending, first, window) for first, window in windows)
            while len(queue) >= self.batch:
                yield from self._run([queue.popleft() for _ in range(self.batch)])
        if queue:
            yield from self._run(list(queue))
        self._check_repetition()

    def _run(self, waiting: list[Waiting]) -> Iterator[Filled]:
        """Encode windows, and store the tracks whose last window is among them."""
        while waiting:
            batch = waiting[: self.batch]
            try:
                clips, frames = self._encode(batch)
            except torch.OutOfMemoryError as error:
                self._halve_batch(batch, error)
                continue
            waiting = waiting[len(batch) :]
            for row, (pending, *_) in enumerate(batch):
                if clips is not None:
                    pending.clips.append(clips[row])
                if frames is not None:
                    pending.frames.append(frames[row])
                if max(len(pending.clips), len(pending.frames)) == len(pending.layout.starts):
                    yield pending.track, self._store(pending)

    def _check_repetition(self) -> None:
        """Encode the first window again, if enough others have been encoded.

        Raises:
            EncoderError: the result differs; everything it wrote is deleted from the cache.
        """
        window = self._repeat_check.window_to_repeat()
        if window is None:
            return
        try:
            self._repeat_check.compare(
                self._select_layers(encode(self.encoder, window, self.precision))
            )
        except EncoderError:
            self.cache.discard(self._written)
            raise

    def _halve_batch(self, batch: list[Waiting], error: torch.OutOfMemoryError) -> None:
        """Halve the batch size after the device ran out of memory.

        Raises:
            EncoderError: the batch was a single window.
        """
        if len(batch) == 1:
            seconds = batch[0][0].layout.size / self.encoder.sample_rate
            raise EncoderError(
                f"runs out of memory on a single window of {seconds:.1f} s ({self.device}); use "
                "--precision bf16 or --device cpu, or give it a shorter window"
            ) from error
        self.batch = len(batch) // 2
        message = "encoder '%s': out of memory with %d windows per call; continues with %d"
        log.warning(message, self.name, len(batch), self.batch)

    def _encode(self, batch: list[Waiting]) -> tuple[Floating | None, Floating | None]:
        """The clip vectors and frames of a batch of windows, as far as requested."""
        levels = batch[0][0].keys
        windows = torch.from_numpy(np.stack([window for *_, window in batch])).to(self.device)
        tokens = self._select_layers(encode(self.encoder, windows, self.precision))
        self._repeat_check.record(windows, tokens)
        clips = frames = None
        if "clip" in levels:
            clips = self._to_numpy(
                pool(tokens, self._valid_frames(batch, tokens), self.encoder.sources)
            )
        if "frame" in levels:
            if tokens.sequence is None or self.encoder.frame_rate is None:
                raise EncoderError(
                    "has no frames: they need a frame_rate and a sequence of tokens, and its "
                    f"frame_rate is {self.encoder.frame_rate}"
                )
            frames = self._to_numpy(tokens.sequence)
        return clips, frames

    def _select_layers(self, tokens: Tokens) -> Tokens:
        """The tokens of the kept layers, checked to be finite in the number type of the cache."""
        sequence, class_token = tokens.sequence, tokens.class_token
        kept = Tokens(
            None if sequence is None else sequence[:, :, self._indices],
            None if class_token is None else class_token[:, self._indices],
        )
        return check_finite(kept, _TORCH[self.dtype], self.precision)

    def _valid_frames(self, batch: list[Waiting], tokens: Tokens) -> Tensor:
        """(batch, time), 1 for frames within the track and 0 for those past its end."""
        if tokens.sequence is None:
            return torch.ones(len(batch), 0, device=self.device)
        valid = torch.ones(tokens.sequence.shape[:2], device=tokens.sequence.device)
        if self.encoder.frame_rate is not None:
            for row, (pending, first, _) in enumerate(batch):
                valid[row, max_frames(pending.layout.samples, self.encoder) - first :] = 0
        return valid

    def _store(self, pending: _Pending) -> Keys:
        """Store the views of a track."""
        duration = pending.layout.samples / self.encoder.sample_rate
        for level, key in pending.keys.items():
            if level == "clip":
                array = np.stack(pending.clips)
            else:
                array = stitch(pending.frames, pending.layout, self.encoder)
            described = {
                "encoder": self.name,
                "fingerprint": self.encoder.fingerprint,
                "track": pending.track.id,
                "view": level,
                "layers": ",".join(self.layers),
                "duration": repr(duration),
            }
            self.cache.put(key, array, described)
            self._written.append(key)
        return pending.keys

    def _to_numpy(self, values: Tensor) -> Floating:
        stored: Floating = values.to(_TORCH[self.dtype]).cpu().numpy()
        return stored
