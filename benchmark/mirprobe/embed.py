"""Tracks to embeddings: the cache where it has them, the encoder where it has not."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe import audio
from mirprobe.cache import Cache, entry_key
from mirprobe.calls import Precision, call, place, pool, sound
from mirprobe.encoders.protocol import Encoder
from mirprobe.errors import ConfigError, EncoderError, TrackError
from mirprobe.fingerprint import digest
from mirprobe.registry import nearest
from mirprobe.repeat import Witness
from mirprobe.schema import Embedding, Floating, Level, Tokens, Track
from mirprobe.windows import Cut, cut, frame_limit, stitch

log = logging.getLogger(__name__)

Dtype = Literal["float16", "float32"]
Result = tuple[Track, Embedding | TrackError]
Keys = dict[Level, str]

_TORCH = {"float16": torch.float16, "float32": torch.float32}


Waiting = tuple["_Pending", int, NDArray[np.float32]]
"""A track, the index there of a window's first frame, and the window."""


@dataclass
class _Pending:
    """A track on its way through the encoder: its windows' outputs until all are there."""

    track: Track
    keys: Keys
    plan: Cut
    clips: list[Floating] = field(default_factory=list)
    frames: list[Floating] = field(default_factory=list)


def choose_layers(layers: Sequence[str], choice: str | Sequence[str]) -> tuple[str, ...]:
    """Which of an encoder's layers to probe.

    Args:
        layers: all that it has.
        choice: `all`, `thirds` (a third and two thirds of the way up, and the last: layers 4, 8
            and 12 of 12), or names. An encoder with one layer is always probed there.

    Raises:
        ConfigError: no name, a name twice, or one that the encoder does not have.
    """
    if choice == "all" or len(layers) == 1:
        return tuple(layers)
    if choice == "thirds":
        places = sorted({max(1, round(len(layers) * third / 3)) for third in (1, 2, 3)})
        return tuple(layers[place - 1] for place in places)
    names = [choice] if isinstance(choice, str) else [str(name) for name in choice]
    for name in names:
        if name not in layers:
            raise ConfigError(f"unknown layer '{name}'; {nearest(name, layers)}")
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"layers '{','.join(names)}': name at least one, and none twice")
    return tuple(names)


class Embedder:
    """One encoder with the cache around it.

    Args:
        name: of the encoder, for messages and the cache's metadata.
        encoder: what computes embeddings that the cache does not hold.
        cache: where they are kept.
        layers: which layers to keep, by name.
        device: where the encoder works.
        dtype: number type of the stored embeddings.
        batch: windows to a call; fewer from the first time on that the device has no memory for so
            many. Windows of any length are encoded one at a time, since they cannot be stacked.
        precision: `32` as the encoder has it, or that of torch's autocast.
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
        self._witness = Witness()
        self._written: list[str] = []
        self._indices = [list(encoder.layers).index(layer) for layer in self.layers]

    def embed(self, tracks: Sequence[Track], levels: Sequence[Level]) -> Iterator[Result]:
        """Each track's embedding, in no particular order, or the error that its audio met.

        Args:
            tracks: what to embed.
            levels: the views wanted: `clip`, `frame` or both.

        Raises:
            EncoderError: the encoder failed or broke its promises; what it finished is cached.
        """
        missing = []
        for track in tracks:
            try:
                keys = {level: self.key(track, level) for level in levels}
            except TrackError as error:
                yield track, error
                continue
            found = self._cached(keys)
            if found:
                yield track, found
            else:
                missing.append((track, keys))
        try:
            decoded = audio.load_ahead([track for track, _ in missing], self.encoder.sample_rate)
            with closing(decoded):
                yield from self._compute(missing, decoded, levels)
        except EncoderError as error:
            raise EncoderError(f"encoder '{self.name}' {error}") from error

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

    def _cached(self, keys: Keys) -> Embedding | None:
        entries = {level: self.cache.get(key) for level, key in keys.items()}
        if not all(entries.values()):
            return None
        clip, frames = entries.get("clip"), entries.get("frame")
        known = clip or frames
        assert known is not None
        return Embedding(clip.read() if clip else None, frames, float(known.metadata["duration"]))

    def _compute(
        self,
        tracks: Sequence[tuple[Track, Keys]],
        decoded: Iterator[audio.Decoded],
        levels: Sequence[Level],
    ) -> Iterator[Result]:
        encoder = self.encoder
        queue: deque[Waiting] = deque()
        place(encoder, self.device)
        self._witness, self._written = Witness(), []
        for (track, keys), samples in zip(tracks, decoded, strict=True):
            if isinstance(samples, TrackError):
                yield track, samples
                continue
            plan = cut(len(samples), encoder)
            pending = _Pending(track, keys, plan)
            windows = zip(plan.frames, plan.windows(samples), strict=True)
            queue.extend((pending, first, window) for first, window in windows)
            while len(queue) >= self.batch:
                yield from self._run([queue.popleft() for _ in range(self.batch)], levels)
        if queue:
            yield from self._run(list(queue), levels)
        self._confirm()

    def _run(self, waiting: list[Waiting], levels: Sequence[Level]) -> Iterator[Result]:
        """Encode windows and finish the tracks whose last window is among them."""
        while waiting:
            batch = waiting[: self.batch]
            try:
                clips, frames = self._encode(batch, levels)
            except torch.OutOfMemoryError as error:
                self._make_do(batch, error)
                continue
            waiting = waiting[len(batch) :]
            for row, (pending, *_) in enumerate(batch):
                if clips is not None:
                    pending.clips.append(clips[row])
                if frames is not None:
                    pending.frames.append(frames[row])
                if max(len(pending.clips), len(pending.frames)) == len(pending.plan.starts):
                    yield pending.track, self._finish(pending, levels)

    def _confirm(self) -> None:
        """Encode the first window again, where that is cheap.

        Raises:
            EncoderError: the encoder has changed; what it made is taken out of the cache.
        """
        window = self._witness.due()
        if window is None:
            return
        try:
            self._witness.confirm(self._kept(call(self.encoder, window, self.precision)))
        except EncoderError:
            self.cache.discard(self._written)
            raise

    def _make_do(self, batch: list[Waiting], error: torch.OutOfMemoryError) -> None:
        """Halve the batch that the device had no memory for.

        Raises:
            EncoderError: it was a single window.
        """
        if len(batch) == 1:
            seconds = len(batch[0][2]) / self.encoder.sample_rate
            raise EncoderError(
                f"runs out of memory on a single window of {seconds:.1f} s ({self.device}); use "
                "--precision bf16 or --device cpu, or give it a shorter window"
            ) from error
        self.batch = len(batch) // 2
        log.warning(
            "encoder '%s': no memory for %d windows at once; goes on with %d",
            self.name,
            len(batch),
            self.batch,
        )

    def _encode(
        self, batch: list[Waiting], levels: Sequence[Level]
    ) -> tuple[Floating | None, Floating | None]:
        """The stored clip-level vectors and frames of a batch of windows, as far as wanted."""
        windows = torch.from_numpy(np.stack([window for *_, window in batch])).to(self.device)
        tokens = self._kept(call(self.encoder, windows, self.precision))
        self._witness.see(windows, tokens)
        clips = frames = None
        if "clip" in levels:
            clips = self._stored(pool(tokens, self._valid(batch, tokens), self.encoder.sources))
        if "frame" in levels:
            if tokens.sequence is None or self.encoder.frame_rate is None:
                raise EncoderError(
                    "has no frames: they need a frame_rate and a sequence of tokens, and its "
                    f"frame_rate is {self.encoder.frame_rate}"
                )
            frames = self._stored(tokens.sequence)
        return clips, frames

    def _kept(self, tokens: Tokens) -> Tokens:
        """The tokens of the layers that are kept, sound and within the cache's number type."""
        sequence, class_token = tokens.sequence, tokens.class_token
        kept = Tokens(
            None if sequence is None else sequence[:, :, self._indices],
            None if class_token is None else class_token[:, self._indices],
        )
        return sound(kept, _TORCH[self.dtype], self.precision)

    def _valid(self, batch: list[Waiting], tokens: Tokens) -> Tensor:
        """(batch, time), 1 for frames within the track and 0 for those past its end."""
        if tokens.sequence is None:
            return torch.ones(len(batch), 0, device=self.device)
        valid = torch.ones(tokens.sequence.shape[:2], device=tokens.sequence.device)
        if self.encoder.frame_rate is not None:
            for row, (pending, first, _) in enumerate(batch):
                valid[row, frame_limit(pending.plan.samples, self.encoder) - first :] = 0
        return valid

    def _finish(self, pending: _Pending, levels: Sequence[Level]) -> Embedding:
        duration = pending.plan.samples / self.encoder.sample_rate
        views: dict[Level, Floating] = {}
        if "clip" in levels:
            views["clip"] = np.stack(pending.clips)
        if "frame" in levels:
            views["frame"] = stitch(pending.frames, pending.plan, self.encoder)
        entries = {
            level: self.cache.put(
                pending.keys[level],
                array,
                {
                    "encoder": self.name,
                    "fingerprint": self.encoder.fingerprint,
                    "track": pending.track.id,
                    "view": level,
                    "layers": ",".join(self.layers),
                    "duration": repr(duration),
                },
            )
            for level, array in views.items()
        }
        self._written += [pending.keys[level] for level in views]
        return Embedding(views.get("clip"), entries.get("frame"), duration)

    def _stored(self, values: Tensor) -> Floating:
        stored: Floating = values.to(_TORCH[self.dtype]).cpu().numpy()
        return stored
