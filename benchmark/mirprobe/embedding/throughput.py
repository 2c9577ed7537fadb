"""How fast an encoder is on this machine: measured where it has encoded something anyway.

What was measured is remembered in the cache's folder, so that runs on cached embeddings, which
never load the encoder, know it too.
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

CALLS, ENOUGH = 5, 2.0  # calls at most, and seconds after which no other is made
LONGEST = 10.0  # seconds that a call may take; a slow encoder is timed on fewer windows
SECONDS = 10.0  # of audio to a call, for an encoder that takes any length


def measure(
    encoder: Encoder, *, batch: int = 16, device: str = "cpu", precision: Precision = "32"
) -> float:
    """Time calls on batches of noise, as a run makes them; files and cache have no part.

    Args:
        encoder: any.
        batch: windows to a call; one where the encoder takes any length, fewer where it is slow.
        device: where it works.
        precision: of its arithmetic.

    Returns:
        Seconds of audio in a second: that of the median call.

    Raises:
        EncoderError: it failed.
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

    timed(1)  # what it does only once is no part of its speed
    alone = timed(1)
    rows = max(1, min(rows, int(LONGEST / max(alone, 1e-9))))
    took = [alone] if rows == 1 else [timed(rows)]
    while len(took) < CALLS and sum(took) <= ENOUGH:
        took.append(timed(rows))
    return rows * seconds / median(took)


class ThroughputStore:
    """What was measured on this machine, in `folder`, a small file each."""

    def __init__(self, folder: Path, device: str, precision: Precision) -> None:
        self._folder = folder
        self._device, self._precision = device, precision

    def known(self, encoder: Encoder) -> float:
        """The speed that was measured before; NaN where none was, or its file is damaged."""
        try:
            speed = float(json.loads(self._path(encoder).read_text())["speed"])
        except (OSError, ValueError, KeyError, TypeError):
            return nan
        return speed if isfinite(speed) else nan

    def learn(self, name: str, encoder: Encoder, batch: int) -> float:
        """Measure, unless that was done before.

        Args:
            name: of the encoder, for the file and messages.
            encoder: ready to work.
            batch: windows that the device has memory for.

        Raises:
            StorageError: the folder cannot be written.
        """
        speed = self.known(encoder)
        if isfinite(speed):
            return speed
        try:
            speed = measure(encoder, batch=batch, device=self._device, precision=self._precision)
        except (EncoderError, torch.OutOfMemoryError) as error:
            log.warning("encoder '%s': its speed on noise cannot be measured (%s)", name, error)
            return nan
        said = {"encoder": name, "speed": speed, "device": self._device}
        write_whole(self._path(encoder), json.dumps(said).encode())
        return speed

    def _path(self, encoder: Encoder) -> Path:
        key = digest("speed", encoder.fingerprint, self._device, self._precision)
        return self._folder / "speeds" / f"{key[:32]}.json"
