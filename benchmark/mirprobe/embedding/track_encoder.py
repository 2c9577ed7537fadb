"""Tracks to arrays: the windows of tracks in batches through an encoder, without a cache."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import EncoderError, UntrustedEncoderError
from mirprobe.core.number_types import Dtype, Precision
from mirprobe.core.schema import Floating, Level, Tokens
from mirprobe.embedding.determinism import RepeatCheck
from mirprobe.encoders.cast_loss import LOST, CastLoss
from mirprobe.encoders.encode import check_finite, encode, pool, select_layers, to_device
from mirprobe.encoders.windows import WindowLayout, layout_windows, max_frames, stitch

log = logging.getLogger(__name__)

MEASURED = 8
"""Tracks on which the loss of the cast to float16 is measured."""

_TORCH = {"float16": torch.float16, "float32": torch.float32}

Views = dict[Level, Floating]
"""Clip vectors (windows, sources, layers, dim) and frames (time, layers, dim), as requested."""


@dataclass(frozen=True)
class Encoding:
    """How tracks are encoded and stored.

    Attributes:
        layers: the names of the layers to keep.
        device: of the encoder.
        dtype: number type of the stored embeddings.
        precision: `32` without autocast, or the number type of torch's autocast.
        batch: windows per call; halved whenever the device runs out of memory. An encoder without a
            window encodes one track at a time, since tracks of different length cannot be stacked.
    """

    layers: tuple[str, ...]
    device: str = "cpu"
    dtype: Dtype = "float16"
    precision: Precision = "32"
    batch: int = 16


Waiting = tuple["_Pending", int, NDArray[np.float32]]
"""A track, the index of a window's first frame in it, and the window."""


@dataclass
class _Pending:
    """A track that is being encoded, with the outputs of its windows so far."""

    number: int
    layout: WindowLayout
    clips: list[Floating] = field(default_factory=list)
    frames: list[Floating] = field(default_factory=list)


class TrackEncoder:
    """An encoder, its name for messages, and how it encodes.

    Attributes:
        batch: windows per call that the device has had memory for.
    """

    def __init__(self, name: str, encoder: Encoder, encoding: Encoding) -> None:
        self.name, self.encoder, self.encoding = name, encoder, encoding
        self.batch = 1 if encoder.window is None else encoding.batch
        self._repeat_check = RepeatCheck()
        self._loss = CastLoss(encoder) if encoding.dtype == "float16" else None
        self._measured = 0
        self._indices = [list(encoder.layers).index(layer) for layer in encoding.layers]

    def encode(
        self, tracks: Iterable[tuple[int, NDArray[np.float32]]], levels: Sequence[Level]
    ) -> Iterator[tuple[int, Views, float]]:
        """Encode tracks.

        Args:
            tracks: a number, by which the caller knows the track, and its audio (samples,).
            levels: the requested views.

        Yields:
            Number, views in the number type of the cache, and duration in seconds of each track.

        Raises:
            EncoderError: the encoder failed or broke its contract.
            UntrustedEncoderError: nothing that was yielded before can be used either.
        """
        to_device(self.encoder, self.encoding.device)
        queue: deque[Waiting] = deque()
        for number, samples in tracks:
            layout = layout_windows(len(samples), self.encoder)
            pending = _Pending(number, layout)
            windows = zip(layout.frames, layout.cut(samples), strict=True)
            queue.extend((pending, first, window) for first, window in windows)
            while len(queue) >= self.batch:
                yield from self._run([queue.popleft() for _ in range(self.batch)], levels)
        if queue:
            yield from self._run(list(queue), levels)

    def check(self) -> None:
        """To be called after the last track.

        Raises:
            UntrustedEncoderError: the encoder changed meanwhile, or the cast erases a dimension.
        """
        if self._measured > 1:
            self._check_loss()
        window = self._repeat_check.window_to_repeat()
        if window is not None:
            again = encode(self.encoder, window, self.encoding.precision)
            self._repeat_check.compare(self._select_layers(again))

    def _run(
        self, waiting: list[Waiting], levels: Sequence[Level]
    ) -> Iterator[tuple[int, Views, float]]:
        """Encode windows; yields the tracks whose last window is among them."""
        while waiting:
            batch = waiting[: self.batch]
            try:
                clips, frames = self._encode(batch, levels)
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
                    yield self._finished(pending, levels)

    def _finished(self, pending: _Pending, levels: Sequence[Level]) -> tuple[int, Views, float]:
        views: Views = {}
        if "clip" in levels:
            views["clip"] = np.stack(pending.clips)
        if "frame" in levels:
            views["frame"] = stitch(pending.frames, pending.layout, self.encoder)
        self._measured += 1
        if self._measured == MEASURED:
            self._check_loss()
            self._loss = None
        return pending.number, views, pending.layout.samples / self.encoder.sample_rate

    def _check_loss(self) -> None:
        if self._loss is None:
            return
        if self._loss.share > LOST:
            lost = self._loss.describe(self.encoding.layers)
            raise UntrustedEncoderError(f"cannot be cached: {lost}; use --dtype float32")
        if self._loss.faint:
            log.warning(
                "encoder '%s': float16 loses more than %g %% of the variance of %d dimensions that "
                "vary far less than the others; if they are not dead, use --dtype float32",
                self.name,
                100 * LOST,
                self._loss.faint,
            )

    def _halve_batch(self, batch: list[Waiting], error: torch.OutOfMemoryError) -> None:
        """Halve the batch size after the device ran out of memory.

        Raises:
            EncoderError: the batch was a single window.
        """
        if len(batch) == 1:
            seconds = batch[0][0].layout.size / self.encoder.sample_rate
            raise EncoderError(
                f"runs out of memory on a single window of {seconds:.1f} s "
                f"({self.encoding.device}); use --precision bf16 or --device cpu, or give it a "
                "shorter window"
            ) from error
        self.batch = len(batch) // 2
        message = "encoder '%s': out of memory with %d windows per call; continues with %d"
        log.warning(message, self.name, len(batch), self.batch)

    def _encode(
        self, batch: list[Waiting], levels: Sequence[Level]
    ) -> tuple[Floating | None, Floating | None]:
        """The clip vectors and frames of a batch of windows, as far as requested."""
        windows = torch.from_numpy(np.stack([window for *_, window in batch])).to(
            self.encoding.device
        )
        tokens = self._select_layers(encode(self.encoder, windows, self.encoding.precision))
        self._repeat_check.record(windows, tokens)
        clips = frames = None
        if "clip" in levels:
            pooled = pool(tokens, self._valid_frames(batch, tokens), self.encoder.sources)
            clips = self._to_numpy(pooled, "clip")
        if "frame" in levels:
            if tokens.sequence is None or self.encoder.frame_rate is None:
                raise EncoderError(
                    "has no frames: they need a frame_rate and a sequence of tokens, and its "
                    f"frame_rate is {self.encoder.frame_rate}"
                )
            frames = self._to_numpy(tokens.sequence, "frame")
        return clips, frames

    def _select_layers(self, tokens: Tokens) -> Tokens:
        """The tokens of the kept layers, checked to be finite in the number type of the cache."""
        kept = select_layers(tokens, self._indices)
        return check_finite(
            kept, _TORCH[self.encoding.dtype], self.encoding.precision, self.encoding.layers
        )

    def _valid_frames(self, batch: list[Waiting], tokens: Tokens) -> Tensor:
        """(batch, time), 1 for frames within the track and 0 for those past its end."""
        if tokens.sequence is None:
            return torch.ones(len(batch), 0, device=self.encoding.device)
        valid = torch.ones(tokens.sequence.shape[:2], device=tokens.sequence.device)
        if self.encoder.frame_rate is not None:
            for row, (pending, first, _) in enumerate(batch):
                valid[row, max_frames(pending.layout.samples, self.encoder) - first :] = 0
        return valid

    def _to_numpy(self, values: Tensor, level: Level) -> Floating:
        if self._loss is not None:
            self._loss.see(level, values)
        stored: Floating = values.to(_TORCH[self.encoding.dtype]).cpu().numpy()
        return stored
