"""Keeps the global state of torch, numpy and the process while the code of a plug-in runs."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any, NoReturn

import numpy as np
import torch

_SEEDS = count()
_EXIT, _PROCESS = os._exit, os.getpid()


@contextmanager
def kept_torch_state() -> Iterator[None]:
    """Restore settings of torch, numpy and logging, torch's random state, folder and streams.

    Within, torch's generators start from another seed each time: what an encoder draws depends on
    nothing else that runs in the process, and two calls of a random encoder differ. `os._exit`
    raises SystemExit, which ends the plug-in and not the run.
    """
    before = [get() for get, _ in _SETTINGS]
    cuda: bool = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    os._exit = _exit_of_plugin
    devices = list(range(torch.cuda.device_count())) if cuda else []
    with torch.random.fork_rng(devices=devices):
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


def _exit_of_plugin(status: int) -> NoReturn:
    if os.getpid() != _PROCESS:  # of a child that the plug-in has forked
        _EXIT(status)
    raise SystemExit(status)


def _set_default_device(device: torch.device) -> None:
    # with `cpu`, torch would intercept every call from then on
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _attribute(owner: Any, name: str) -> tuple[Callable[[], Any], Callable[[Any], object]]:
    return partial(getattr, owner, name), partial(setattr, owner, name)


_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...] = (
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
    (os.getcwd, os.chdir),  # the folders of a run may be relative to it
    (lambda: logging.root.manager.disable, logging.disable),
    *(_attribute(sys, name) for name in ("stdout", "stderr")),
    _attribute(os, "_exit"),
    *(
        _attribute(torch.backends.cudnn, name)
        for name in ("enabled", "benchmark", "deterministic", "allow_tf32")
    ),
)
