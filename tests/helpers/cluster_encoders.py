"""Encoders for a test of workers: each is built again in every process, from this file."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from helpers.small_encoders import Bands
from torch import Tensor

from mirprobe.core.schema import Tokens


class Plain(Bands):
    """Bands as they are."""


class Windowed(Bands):
    """In windows, so that those of several tracks share a batch; the noise would differ by it."""

    window: float | None = 0.5
    layers: tuple[str, ...] = ("bands",)

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        return Tokens(tokens.sequence[:, :, 1:])


class Dying(Bands):
    """Ends its process at its third call, `times` times in all; files in `folder` count them."""

    def __init__(self, folder: str, times: int = 1) -> None:
        super().__init__()
        self.folder, self.times = Path(folder), times

    def __call__(self, audio: Tensor) -> Tokens:
        deaths = len(list(self.folder.glob("death-*")))
        if self.calls >= 2 and deaths < self.times:
            (self.folder / f"death-{os.getpid()}").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(audio)


class Failing(Bands):
    """Gives up at its third call."""

    def __call__(self, audio: Tensor) -> Tokens:
        if self.calls == 2:
            raise RuntimeError("out of\nideas")
        return super().__call__(audio)


class Growing(Windowed):
    """Gives larger numbers after its sixth call."""

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        return Tokens(tokens.sequence * (2 if self.calls > 6 else 1))


class Moody(Bands):
    """Another encoder in every process."""

    def __init__(self) -> None:
        super().__init__()
        self.fingerprint += str(os.getpid())
