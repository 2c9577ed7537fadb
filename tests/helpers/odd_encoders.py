"""An encoder that declares and returns anything, built from a file as a user's would be."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirprobe.core.errors import ConfigError, EncoderError, TrackError
from mirprobe.core.schema import Tokens

RIGHT: dict[str, Any] = {
    **{"sample_rate": 16_000, "window": 1.0, "frame_rate": 20.0, "layers": ("one", "two")},
    **{"dim": 2, "sources": ("sequence",), "fingerprint": "odd", "context": 0.0},
}
ODD: dict[str, list[Any]] = {
    "sample_rate": [16_000.0, np.int64(16_000), np.float32(16_000), 0, -1, True, "16000", None],
    "window": [np.float32(1), np.int64(1), 1, 0, -1.0, float("nan"), float("inf"), "1", None, 1e-9],
    "frame_rate": [np.float32(20), np.int64(20), 20, 0, -1, float("nan"), float("inf"), None, "x"],
    "layers": [(0,), (0, 1), ["one", "two"], "ab", (), ("a", "a"), None, np.array(["a", "b"]), 2],
    "dim": [np.int64(2), 2.0, 0, -2, None, "2", True, torch.tensor(2), 3],
    "sources": [["sequence"], "sequence", (), ("class",), ("both",), ("a",), None, (0,)],
    "fingerprint": ["", None, 3, b"odd", "a\nb", "x" * 300, "../up", "\udcff", torch.zeros(1)],
    "context": [np.float32(0.05), -1, None, float("nan"), "0", 0.05, 10.0],
}
ERRORS: list[Callable[[], BaseException]] = [
    lambda: RuntimeError("two\nlines"),
    lambda: SystemExit(0),
    lambda: SystemExit("bye\nbye"),
    lambda: KeyError("x"),
    lambda: StopIteration(),
    lambda: AssertionError(),
    lambda: MemoryError(),
    lambda: RecursionError(),
    lambda: TrackError("a track"),
    lambda: ConfigError("a setting"),
    lambda: EncoderError("an encoder"),
    lambda: OSError(28, "No space left on device"),
]
CHANGES: dict[str, Callable[[Tensor], Any]] = {
    "as it should": lambda tokens: tokens,
    "requires grad": lambda tokens: tokens.clone().requires_grad_(),
    "double": lambda tokens: tokens.double(),
    "half": lambda tokens: tokens.half(),
    "bfloat16": lambda tokens: tokens.bfloat16(),
    "whole numbers": lambda tokens: tokens.long(),
    "truth values": lambda tokens: tokens > 0,
    "complex": lambda tokens: tokens.to(torch.complex64),
    "sparse": lambda tokens: tokens.to_sparse(),
    "NaN": lambda tokens: tokens * float("nan"),
    "one infinite": lambda tokens: torch.cat([tokens[:, :1] / 0, tokens[:, 1:]], 1),
    "huge": lambda tokens: tokens * 1e30,
    "tiny": lambda tokens: tokens * 1e-12,
    "negative": lambda tokens: -tokens,
    "constant": lambda tokens: torch.ones_like(tokens),
    "no frames": lambda tokens: tokens[:, :0],
    "fewer frames": lambda tokens: tokens[:, :-3],
    "one layer": lambda tokens: tokens[:, :, :1],
    "wider": lambda tokens: torch.cat([tokens, tokens], -1),
    "no batch": lambda tokens: tokens[0],
    "transposed": lambda tokens: tokens.transpose(1, 2),
    "other batch": lambda tokens: torch.cat([tokens, tokens]),
    "numpy": lambda tokens: tokens.numpy(),
    "text": lambda tokens: "tokens",
    "nothing": lambda tokens: None,
    "on meta": lambda tokens: tokens.to("meta"),
}
HABITS: dict[str, Callable[[Tensor], Any]] = {
    "none": lambda audio: None,
    "zeroes": lambda audio: audio.zero_(),
    "doubles": lambda audio: audio.mul_(2),
    "default dtype": lambda audio: torch.set_default_dtype(torch.float64),
    "no gradients": lambda audio: torch.set_grad_enabled(False),
    "seed": lambda audio: torch.manual_seed(3),
    "numpy errors": lambda audio: np.seterr(all="raise"),
    "recursion": lambda audio: sys.setrecursionlimit(3000),
    "low recursion": lambda audio: sys.setrecursionlimit(400),
    "closes stdout": lambda audio: sys.stdout.close(),
    "closes stderr": lambda audio: sys.stderr.close(),
    "closes descriptors": lambda audio: os.closerange(1, 3),
    "empties path": lambda audio: sys.path.clear(),
    "empties environment": lambda audio: os.environ.clear(),
    "forgets modules": lambda audio: [sys.modules.pop(name) for name in list(sys.modules)],
    "leaves folder": lambda audio: os.chdir("/"),
    "strict warnings": lambda audio: warnings.simplefilter("error"),
    "alarm": lambda audio: signal.alarm(1),
    "reads": lambda audio: audio.requires_grad_,
}


class Odd:
    """Frames of loudness, with faults in what it declares, in a call, and in its habits."""

    def __init__(
        self, declared: dict[str, Any], change: str, habit: str, when: int, error: int | None
    ) -> None:
        for name, value in {**RIGHT, **declared}.items():
            if not (isinstance(value, str) and value == "missing"):
                setattr(self, name, value)
        self._faults = (change, habit, when, error)
        self._calls = 0
        if when == 0:
            self._misbehave(torch.zeros(1))

    def _misbehave(self, audio: Tensor) -> None:
        _, habit, _, error = self._faults
        HABITS[habit](audio)
        if error is not None:
            raise ERRORS[error]()

    def __call__(self, audio: Tensor) -> Any:
        self._calls += 1
        change, _, when, _ = self._faults
        loud = torch.nn.functional.pad(audio, (400, 400)).unfold(1, 800, 800).square().mean(-1)
        tokens = torch.stack([loud, loud.sqrt()], -1)[:, :, None].repeat(1, 1, 2, 1)
        if self._calls < when:
            return Tokens(sequence=tokens)
        if self._calls == when:
            self._misbehave(audio)
        changed = CHANGES[change](tokens)
        return changed if change in ("text", "nothing") else Tokens(sequence=changed)


CURRENT: dict[str, Any] = {}
"""The faults of the encoder that `odd` builds next."""

FILE = """
from helpers import odd_encoders


def odd():
    return odd_encoders.Odd(**odd_encoders.CURRENT)
"""


def write_file(folder: Path) -> str:
    """A file with the encoder; returns its specification."""
    (folder / "odd.py").write_text(FILE)
    return f"{folder / 'odd.py'}:odd"
