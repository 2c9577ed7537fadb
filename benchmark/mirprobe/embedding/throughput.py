"""Throughput of an encoder on this machine, measured after it has encoded something.

The result is stored in the folder of the cache. Runs on cached embeddings, which never load the
encoder, read it from there.
"""

from __future__ import annotations

import json
import logging
from math import isfinite, nan
from pathlib import Path
from statistics import median
from time import perf_counter

import torch

from mirprobe.api.encoder import Encoder
from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import EncoderError
from mirprobe.core.hashing import digest
from mirprobe.core.number_types import Precision
from mirprobe.encoders.encode import encode, to_device
from mirprobe.encoders.windows import samples_per_call

log = logging.getLogger(__name__)

CALLS, ENOUGH = 5, 2.0  # maximum number of calls, and seconds after which no further call is made
LONGEST = 10.0  # maximum seconds per call; a slow encoder is timed on fewer windows
SECONDS = 10.0  # of audio per call, for an encoder without a window


def measure_throughput(
    encoder: Encoder, *, batch: int = 16, device: str = "cpu", precision: Precision = "32"
) -> float:
    """Time calls on batches of noise, without files and cache.

    Args:
        encoder: any.
        batch: windows per call; 1 for an encoder without a window, fewer for a slow encoder.
        device: of the encoder.
        precision: of its arithmetic.

    Returns:
        Seconds of audio encoded per second, in the median call.

    Raises:
        EncoderError: the encoder failed.
    """
    seconds = encoder.window or SECONDS
    rows = batch if encoder.window is not None else 1
    generator = torch.Generator().manual_seed(0)
    noise = 0.1 * torch.randn(rows, samples_per_call(encoder, seconds), generator=generator)
    windows = noise.to(device)
    to_device(encoder, device)

    def timed(rows: int) -> float:
        begun = perf_counter()
        encode(encoder, windows[:rows], precision)
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        return perf_counter() - begun

    timed(1)  # warm-up
    alone = timed(1)
    rows = max(1, min(rows, int(LONGEST / max(alone, 1e-9))))
    took = [alone] if rows == 1 else [timed(rows)]
    while len(took) < CALLS and sum(took) <= ENOUGH:
        took.append(timed(rows))
    return rows * seconds / median(took)


class ThroughputStore:
    """Measured throughputs on this machine, one small file per encoder in `folder`."""

    def __init__(self, folder: Path, device: str, precision: Precision) -> None:
        self._folder = folder
        self._device, self._precision = device, precision

    def get(self, encoder: Encoder) -> float:
        """The stored throughput; NaN if there is none or its file is damaged."""
        try:
            speed = float(json.loads(self._path(encoder).read_text())["speed"])
        except (OSError, ValueError, KeyError, TypeError):
            return nan
        return speed if isfinite(speed) else nan

    def measure(self, name: str, encoder: Encoder, batch: int) -> float:
        """The stored throughput, measured and stored first if there is none.

        Args:
            name: of the encoder, for the file and messages.
            encoder: to measure.
            batch: windows per call that fit into memory.

        Raises:
            StorageError: the folder cannot be written.
        """
        speed = self.get(encoder)
        if isfinite(speed):
            return speed
        try:
            speed = measure_throughput(
                encoder, batch=batch, device=self._device, precision=self._precision
            )
        except (EncoderError, torch.OutOfMemoryError) as error:
            log.warning("encoder '%s': its throughput cannot be measured (%s)", name, error)
            return nan
        stored = {"encoder": name, "speed": speed, "device": self._device}
        write_whole(self._path(encoder), json.dumps(stored).encode())
        return speed

    def _path(self, encoder: Encoder) -> Path:
        key = digest("speed", encoder.fingerprint, self._device, self._precision)
        return self._folder / "speeds" / f"{key[:32]}.json"
