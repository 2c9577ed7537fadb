"""Device, precision and processes of a training, by Lightning Fabric."""

from __future__ import annotations

from os import getenv
from shutil import which
from typing import TYPE_CHECKING

import torch

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.config import Device, DeviceConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(device_config: DeviceConfig) -> Fabric:
    """Start all processes of a training. Returns in each of them.

    Raises:
        ConfigError: the device is not available, or Lightning Fabric or TensorBoard is missing.
    """
    try:
        import tensorboard  # noqa: F401
        from lightning_fabric import Fabric
    except ImportError as error:
        raise ConfigError(
            f"training needs {error.name}, which is not installed: pip install 'mirprobe[pretrain]'"
        ) from error
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    device = _available_device(device_config.device)
    if device_config.compile and device == "cpu" and which(getenv("CXX", "g++")) is None:
        raise ConfigError(
            "compiling needs a C++ compiler: install g++, set CXX, or leave out --compile"
        )
    bf16 = device == "cuda" and torch.cuda.is_bf16_supported()
    half = device_config.precision == "bf16" or (device_config.precision == "auto" and bf16)
    try:
        fabric = Fabric(
            accelerator=device,
            devices=device_config.devices,
            num_nodes=device_config.nodes,
            precision="bf16-mixed" if half else "32-true",
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(f"cannot train on {device_config.devices} x {device}: {error}") from error
    fabric.launch()
    return fabric


def describe(fabric: Fabric) -> str:
    """Processes, device, precision and torch version, as one line for the notes."""
    device = fabric.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"{fabric.world_size} x {name}, {fabric._precision.precision}, torch {torch.__version__}"


def _available_device(device: Device) -> Device:
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    if not {"cuda": cuda, "mps": mps, "cpu": True}[device]:
        raise ConfigError(f"device {device!r} is not there: choose auto or cpu")
    return device
