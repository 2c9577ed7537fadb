"""What an encoder does to torch's global state ends with its construction or call."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.encoders_for_tests import Oracle
from torch import Tensor

from mirprobe.api.registry import ENCODERS
from mirprobe.core.errors import EncoderError
from mirprobe.core.schema import Tokens
from mirprobe.encoders.combined import Concat
from mirprobe.encoders.declaration import CheckedEncoder
from mirprobe.encoders.encode import encode, to_device
from mirprobe.encoders.specs import make_encoder

DEEDS: dict[str, tuple[Callable[[], object], Callable[[], Any]]] = {
    "dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "device": (lambda: torch.set_default_device("meta"), lambda: torch.empty(1).device),
    "grad": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "threads": (lambda: torch.set_num_threads(7), torch.get_num_threads),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        torch.are_deterministic_algorithms_enabled,
    ),
    "benchmark": (
        lambda: setattr(torch.backends.cudnn, "benchmark", True),
        lambda: torch.backends.cudnn.benchmark,
    ),
    "autocast": (
        lambda: torch.set_autocast_enabled("cpu", True),
        lambda: torch.is_autocast_enabled("cpu"),
    ),
    "numpy": (lambda: np.seterr(all="raise"), np.geterr),
    "stdout": (lambda: setattr(sys, "stdout", io.StringIO()), lambda: sys.stdout),
    "stderr": (lambda: setattr(sys, "stderr", io.StringIO()), lambda: sys.stderr),
    "logging": (
        lambda: logging.disable(logging.CRITICAL),
        lambda: logging.getLogger("mirprobe").isEnabledFor(logging.ERROR),
    ),
    "folder": (lambda: os.chdir("/"), os.getcwd),
    "seed": (lambda: torch.manual_seed(7), lambda: torch.random.get_rng_state().tolist()),
}


class Meddling(Oracle):
    deed: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self.deed()

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        self.deed()
        return tokens


@pytest.mark.parametrize("name", DEEDS)
def test_global_state_is_restored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deed, state = DEEDS[name]
    before = state()
    kind = type("Own", (Meddling,), {"deed": staticmethod(deed)})
    monkeypatch.setitem(ENCODERS._factories, "meddling", kind)
    encoder = make_encoder("meddling")
    assert state() == before
    encode(encoder, torch.zeros(2, 1000))
    assert state() == before
    assert torch.get_num_threads() != 7


class Halving(Oracle):
    """Changes its input in place."""

    def __call__(self, audio: Tensor) -> Tokens:
        return super().__call__(audio.mul_(0.5))


def test_input_changed_in_place_spoils_nothing() -> None:
    audio = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
    given = audio.clone()
    found = encode(Concat({"a": Halving(), "b": Oracle()}), given).sequence
    right = encode(Oracle(), audio).sequence
    assert found is not None
    assert right is not None
    assert given.equal(audio)
    assert found[..., 2:].equal(right)
    halved = encode(Oracle(), 0.5 * audio).sequence
    assert halved is not None
    assert found[..., :2].equal(halved)


def test_random_numbers_differ_from_call_to_call() -> None:
    def fault(call: int, tokens: Tokens) -> Tokens:
        assert tokens.sequence is not None
        return Tokens(torch.randn(tokens.sequence.shape), tokens.class_token)

    encoder = Oracle(fault=fault)
    one, other = (encode(encoder, torch.zeros(1, 1000)).sequence for _ in range(2))
    assert one is not None
    assert other is not None
    assert not one.equal(other)


class Stubborn(torch.nn.Module):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        for name in ("sample_rate", "window", "frame_rate", "layers", "dim", "sources"):
            setattr(self, name, getattr(Oracle(), name))
        self.fingerprint = "stubborn"

    def to(self, *args: Any, **options: Any) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("stays"), SystemExit(0)])
def test_an_error_when_a_module_is_moved(error: BaseException) -> None:
    encoder: Any = Stubborn(error)
    with pytest.raises(EncoderError, match=f"^raised {type(error).__name__}: .* moved to cpu"):
        to_device(CheckedEncoder("stubborn", encoder), "cpu")
