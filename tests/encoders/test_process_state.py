"""What an encoder does to the process ends with its construction or call."""

from __future__ import annotations

import io
import locale
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from tempfile import mkdtemp
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
from mirprobe.encoders.process_state import kept_process_state
from mirprobe.encoders.specs import make_encoder


def _enter_removed_folder() -> None:
    folder = mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


def _forget_package() -> None:
    for name in [name for name in sys.modules if name.startswith("mirprobe")]:
        del sys.modules[name]
    import mirprobe.core.schema  # noqa: F401


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
    "removed folder": (_enter_removed_folder, os.getcwd),
    "closed stdout": (lambda: sys.stdout.close(), lambda: (sys.stdout, sys.stdout.closed)),
    "closed stderr": (lambda: sys.stderr.close(), lambda: (sys.stderr, sys.stderr.closed)),
    "wrapped stdout": (
        lambda: setattr(sys, "stdout", io.TextIOWrapper(sys.stdout.buffer, "utf-8")),
        lambda: (sys.stdout, sys.stdout.closed),
    ),
    "detached stdout": (
        lambda: setattr(sys, "stdout", io.TextIOWrapper(sys.stdout.detach(), "utf-8")),  # type: ignore[union-attr]
        lambda: (sys.stdout, sys.stdout.buffer, sys.stdout.closed),
    ),
    "descriptor": (lambda: os.close(1), lambda: os.fstat(1).st_ino),
    "silence": (
        lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2),
        lambda: os.fstat(2).st_ino,
    ),
    "empty path": (lambda: sys.path.clear(), lambda: list(sys.path)),
    "shorter path": (lambda: sys.path.remove(sys.path[-1]), lambda: list(sys.path)),
    "another path": (lambda: setattr(sys, "path", []), lambda: list(sys.path)),
    "finders": (lambda: sys.meta_path.clear(), lambda: list(sys.meta_path)),
    "modules": (_forget_package, lambda: sys.modules["mirprobe.core.schema"]),
    "blocked module": (
        lambda: sys.modules.update({"numpy": None}),  # type: ignore[dict-item]
        lambda: sys.modules["numpy"],
    ),
    "environment": (lambda: os.environ.clear(), lambda: dict(os.environ)),
    "variable": (lambda: os.environ.update(PATH="/none"), lambda: os.environ["PATH"]),
    "warnings": (
        lambda: warnings.simplefilter("error"),
        lambda: list(warnings.filters),
    ),
    "locale": (
        lambda: locale.setlocale(locale.LC_ALL, "C"),
        lambda: locale.setlocale(locale.LC_ALL),
    ),
    "alarm": (lambda: signal.alarm(60), lambda: signal.getitimer(signal.ITIMER_REAL)),
    "recursion": (lambda: sys.setrecursionlimit(400), sys.getrecursionlimit),
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


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
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


def test_what_an_encoder_adds_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = list(sys.path)
    monkeypatch.setattr(sys, "path", [*before])
    monkeypatch.delenv("MODEL_HOME", raising=False)

    def adds() -> None:
        sys.path[:] = ["/beside", *before[1:]]
        sys.modules["beside"] = sys
        os.environ["MODEL_HOME"] = "/models"
        warnings.filterwarnings("ignore", "of the model")

    kind = type("Own", (Meddling,), {"deed": staticmethod(adds)})
    monkeypatch.setitem(ENCODERS._factories, "meddling", kind)
    monkeypatch.setitem(sys.modules, "beside", os)
    del sys.modules["beside"]
    make_encoder("meddling")
    assert sys.path == ["/beside", *before]
    assert sys.modules["beside"] is sys
    assert os.environ["MODEL_HOME"] == "/models"
    assert "of the model" in str(warnings.filters[0])


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


@pytest.mark.parametrize("close", [lambda: os.close(1), lambda: os.closerange(1, 3)])
def test_a_file_of_another_thread_never_gets_the_number_of_a_stream(
    close: Callable[[], None],
) -> None:
    with kept_process_state():
        close()
        opened = os.open(os.devnull, os.O_RDONLY)
    os.close(opened)
    assert opened > 2
