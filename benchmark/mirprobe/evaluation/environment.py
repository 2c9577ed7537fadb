"""What a run ran with: command, version and commit, packages, processor and GPU."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import sys
from functools import cache
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("mirprobe", "torch", "numpy", "mir_eval", "scikit-learn", "librosa")
_SOURCE = Path(__file__).parents[3]  # of a checkout; site-packages or above otherwise


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that scores depend on first."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def environment(device: str) -> dict[str, Any]:
    """The fields of `run.json` on this process and this machine.

    Args:
        device: of the run.
    """
    command = [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv and sys.argv[0] else ["python"]
    return {
        "command": shlex.join(command),
        "commit": commit(),
        "versions": versions(),
        "packages": {one.name: one.version for one in sorted(distributions(), key=_name)},
        "hardware": {
            "machine": platform.machine(),
            "system": platform.platform(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
        },
    }


def _name(distribution: Any) -> str:
    return str(distribution.name).lower()


@cache
def commit() -> str | None:
    """The commit of the source, `-dirty` if it was changed; None outside of a checkout."""
    if not (_SOURCE / ".git").exists():
        return None
    call = ["git", "-C", str(_SOURCE), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run([*call, "--exclude=*"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # without git, or owned by another user
    return found.stdout.strip()


@cache
def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
