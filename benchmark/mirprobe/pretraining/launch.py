"""Where a training runs: Lightning Fabric for device, precision and processes."""

from __future__ import annotations

from dataclasses import dataclass
from os import getenv
from shutil import which
from typing import TYPE_CHECKING, Literal, get_args

import torch

from mirprobe.core.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "32", "bf16"]


@dataclass(frozen=True)
class Machine:
    """What to train on.

    Attributes:
        device: `auto` takes an accelerator where there is one.
        precision: of the matrix products; weights, norms and losses stay in float32. `auto` is
            bf16 on GPUs that have it, and 32 elsewhere.
        devices: processes a node, each with its own device (on the CPU all share it).
        nodes: machines; start the same command on each, as Lightning Fabric describes.
        compile: let torch compile the blocks, which fuses what lies between the matrix products. It
            rounds otherwise, needs a C++ compiler on the CPU and begins with a minute of compiling.
    """

    device: Device = "auto"
    precision: Precision = "auto"
    devices: int = 1
    nodes: int = 1
    compile: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (("device", Device), ("precision", Precision)):
            if getattr(self, name) not in get_args(allowed):
                choices = ", ".join(get_args(allowed))
                raise ConfigError(f"{name}={getattr(self, name)!r}: choose from {choices}")
        if self.devices < 1 or self.nodes < 1:
            raise ConfigError(f"{self.devices} devices on {self.nodes} nodes: 1 is the least")


def make_fabric(machine: Machine) -> Fabric:
    """Start all processes of a training; returns in each of them.

    Raises:
        ConfigError: the device is not there, or Lightning Fabric or TensorBoard is missing.
    """
    try:
        import tensorboard  # noqa: F401
        from lightning_fabric import Fabric
    except ImportError as error:
        raise ConfigError(
            f"training needs {error.name}, which is not installed: pip install 'mirprobe[pretrain]'"
        ) from error
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    device = _found(machine.device)
    if machine.compile and device == "cpu" and which(getenv("CXX", "g++")) is None:
        raise ConfigError("compiling needs a C++ compiler, g++ or what CXX names; or do without")
    bf16 = device == "cuda" and torch.cuda.is_bf16_supported()
    half = machine.precision == "bf16" or (machine.precision == "auto" and bf16)
    try:
        fabric = Fabric(
            accelerator=device,
            devices=machine.devices,
            num_nodes=machine.nodes,
            precision="bf16-mixed" if half else "32-true",
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        raise ConfigError(f"cannot train on {machine.devices} x {device}: {error}") from error
    fabric.launch()
    return fabric


def describe(fabric: Fabric) -> str:
    """What a training runs on, in a line for its notes."""
    device = fabric.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"{fabric.world_size} x {name}, {fabric._precision.precision}, torch {torch.__version__}"


def _found(device: Device) -> Device:
    there: dict[str, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return "cuda" if there["cuda"] else "mps" if there["mps"] else "cpu"
    if not there[device]:
        raise ConfigError(f"device {device!r} is not there: choose auto or cpu")
    return device
