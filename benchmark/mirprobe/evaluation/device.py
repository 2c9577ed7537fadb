"""The device and the precision that the options of a run mean on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from mirprobe.core.errors import ConfigError
from mirprobe.core.number_types import Precision
from mirprobe.evaluation.config import AnyPrecision


@dataclass(frozen=True)
class Resources:
    """The device and the precision of a run, resolved once when it starts.

    Attributes:
        device: `cpu`, `cuda`, `cuda:1` or `mps`.
        precision: of the encoders' arithmetic.
    """

    device: str
    precision: Precision


def find_device(name: str) -> str:
    """The device that a name means on this machine: `auto` is `cuda` or `cpu`.

    Raises:
        ConfigError: the device is missing.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"device '{name}' cannot be used: choose auto, cpu, cuda or mps ({reason})"
        ) from error
    return name


def find_precision(name: AnyPrecision, device: str) -> Precision:
    """The precision that a name means on a device: `auto` is `bf16` or `32`."""
    if name != "auto":
        return name
    import torch

    return "bf16" if device.startswith("cuda") and torch.cuda.is_bf16_supported() else "32"
