"""Keeps the global state of Python, torch, numpy and the process while a plug-in's code runs."""

from __future__ import annotations

import locale
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from typing import Any, NoReturn

import numpy as np
import torch

from mirprobe.core.errors import FILE_MODULE

_SEEDS = count()
_EXIT, _CLOSE, _PROCESS = os._exit, os.close, os.getpid()


@contextmanager
def kept_process_state() -> Iterator[None]:
    """Restore `_SETTINGS`, torch's random state, and the descriptors of the standard streams.

    Within, torch's generators start from another seed each time: what an encoder draws depends on
    nothing else that runs in the process, and two calls of a random encoder differ. `os._exit`
    raises SystemExit, which ends the plug-in and not the run. `close` of a standard stream flushes,
    and `os.close` leaves its descriptor open: a file of another thread would get its number.
    """
    before = [get() for get, _ in _SETTINGS]
    cuda: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    os._exit = _exit_of_plugin
    os.close, os.closerange = _close_of_plugin, _close_range_of_plugin
    devices = list(range(torch.cuda.device_count())) if cuda else []
    with _open_streams(), torch.random.fork_rng(devices=devices):
        seed = next(_SEEDS)
        torch.default_generator.manual_seed(seed)
        if cuda:
            torch.cuda.manual_seed_all(seed)
        try:
            yield
        finally:
            for (get, set_), value in zip(_SETTINGS, before, strict=True):
                if get() != value:
                    set_(value)


@contextmanager
def _open_streams() -> Iterator[None]:
    """Keep the standard streams and their buffers open, and their descriptors on the same files.

    A stream around the same buffer, as some use for another encoding, closes it when it is deleted.
    """
    texts = [text for text in (sys.stdout, sys.stderr) if text is not None]
    buffers = [text.buffer for text in texts if hasattr(text, "buffer")]
    streams = {one for one in (*texts, *buffers) if "close" not in vars(one)}
    copies: dict[int, int] = {}
    for number in (1, 2):
        with suppress(OSError):  # closed already, as in a service
            copies[number] = os.dup(number)
    for stream in streams:
        vars(stream).update(close=stream.flush, detach=partial(getattr, stream, "buffer", stream))
    try:
        yield
    finally:
        for stream in streams:
            del vars(stream)["close"], vars(stream)["detach"]
        for number, copy in copies.items():
            os.dup2(copy, number)
            os.close(copy)


def _exit_of_plugin(status: int) -> NoReturn:
    if os.getpid() != _PROCESS:  # of a child that the plug-in has forked
        _EXIT(status)
    raise SystemExit(status)


def _close_of_plugin(fd: int) -> None:
    if fd not in (1, 2):
        _CLOSE(fd)


def _close_range_of_plugin(low: int, high: int) -> None:
    for descriptor in range(low, high):
        with suppress(OSError):
            _close_of_plugin(descriptor)


def _set_default_device(device: torch.device) -> None:
    # with `cpu`, torch would intercept every call from then on
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _folder() -> str:
    with suppress(FileNotFoundError):  # the folder itself was removed
        return os.getcwd()
    return ""


def _put_back_entries(name: str, before: list[Any]) -> None:
    """Put back the entries that a list of `sys` has lost; others may have been added."""
    now = list(getattr(sys, name))
    if any(entry not in now for entry in before):
        setattr(sys, name, [*(entry for entry in now if entry not in before), *before])


def _put_back_items(owner: MutableMapping[str, Any], before: dict[str, Any]) -> None:
    """Put back what a mapping has lost or what was replaced; others may have been added."""
    lost = {name: value for name, value in before.items() if owner.get(name) != value}
    # a file is executed again for each of its plug-ins
    again = {name for name in lost if name.startswith(FILE_MODULE) and name in owner}
    owner.update({name: lost[name] for name in lost.keys() - again})


def _put_back_filters(before: list[Any]) -> None:
    """Put back the filters of warnings; others may have been added, but none that raise errors."""
    added = [one for one in warnings.filters if one not in before and one[0] != "error"]
    warnings.resetwarnings()
    warnings.filters[:] = added + before  # type: ignore[index]  # a list, declared as a sequence


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    return partial(getattr, owner, name), partial(setattr, owner, name)


_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...] = (
    # first: the functions below may import something
    *(
        (lambda name=name: list(getattr(sys, name)), partial(_put_back_entries, name))
        for name in ("path", "path_hooks", "meta_path")
    ),
    *((owner.copy, partial(_put_back_items, owner)) for owner in (sys.modules, os.environ)),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_default_device, _set_default_device),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    *(
        (partial(torch.is_autocast_enabled, device), partial(torch.set_autocast_enabled, device))
        for device in ("cpu", "cuda")
    ),
    (np.geterr, lambda errors: np.seterr(**errors)),
    (_folder, os.chdir),  # the folders of a run may be relative to it
    (lambda: list(warnings.filters), _put_back_filters),
    (
        lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        lambda ticking: ticking or signal.setitimer(signal.ITIMER_REAL, 0),
    ),
    (
        sys.getrecursionlimit,
        lambda depth: sys.setrecursionlimit(max(depth, sys.getrecursionlimit())),
    ),
    (partial(locale.setlocale, locale.LC_ALL), partial(locale.setlocale, locale.LC_ALL)),
    (lambda: logging.root.manager.disable, logging.disable),
    *(_attribute(sys, name) for name in ("stdout", "stderr")),
    *(_attribute(os, name) for name in ("_exit", "close", "closerange")),
    *(
        _attribute(torch.backends.cudnn, name)
        for name in ("enabled", "benchmark", "deterministic", "allow_tf32")
    ),
)
