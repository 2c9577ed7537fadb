"""The options of a training. Each attribute is an option of `mirprobe pretrain fit`.

This module imports nothing heavy, so that the command line starts without torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from typing import Any, Literal, get_args

from mirprobe.core.errors import ConfigError

ObjectiveName = Literal["ntxent", "cojepa"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "32", "bf16"]

DEFAULT_STEPS = 100_000


@dataclass(frozen=True)
class FitConfig:
    """The hyper-parameters that, with model, bank and device, decide the weights of a training.

    Attributes:
        objective: The loss.
        steps: Number of steps; 100,000 if neither steps nor hours nor minutes is given.
        hours: Hours of training instead of a number of steps. The learning rate and the weight
            decay then follow the time spent, over all calls, and the last call ends in time.
        minutes: Minutes of training instead of a number of steps; added to the hours.
        batch: Pairs per step over all devices, each of a different work.
        lr: Peak learning rate.
        final_lr: Learning rate of the last step.
        warmup: Share of the steps in which the learning rate rises. Short runs need a larger one.
        decay: Weight decay of the first step.
        final_decay: Weight decay of the last step.
        betas: Betas of AdamW.
        clip: Largest norm of the gradient.
        temperature: Temperature of NT-Xent.
        min_gap: Least seconds between the end of one segment of a pair and the start of the other.
        max_gap: Most seconds between the two segments of a pair; inf for anywhere in the track.
        same_group: Share of the batches whose tracks sound alike.
        variants: Keys and tempi in which each track occurs in such batches.
        hide: Share of each segment's frames, in one block, that NT-Xent is trained without.
        mask: Least and greatest share of a segment's frames that CoJEPA hides.
        predictor_depth: Blocks of CoJEPA's predictor.
        jepa_weight: Weight of the JEPA loss relative to NT-Xent.
        average: Decay per step of an exponential moving average of the weights, such as 0.999. The
            average is saved as average.safetensors and validated like the model. Default: none.
        seed: Seed of weights, pairs and masks.
    """

    objective: ObjectiveName = "ntxent"
    steps: int | None = None
    hours: float | None = None
    minutes: float | None = None
    batch: int = 128
    lr: float = 5e-4
    final_lr: float = 1.5e-6
    warmup: float = 0.01
    decay: float = 0.04
    final_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    temperature: float = 0.1
    min_gap: float = 0.0
    max_gap: float = 16.0
    same_group: float = 0.0
    variants: int = 1
    hide: float = 0.0
    mask: tuple[float, float] = (0.5, 0.75)
    predictor_depth: int = 6
    jepa_weight: float = 1.0
    average: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        _require_choice("objective", self.objective, get_args(ObjectiveName))
        for name in ("steps", "hours", "minutes", "batch", "lr", "temperature", "clip"):
            value = getattr(self, name)
            if value is not None and not 0 < value < inf:
                raise ConfigError(f"{name}={value}: a number above 0")
        if self.steps is not None and self.seconds is not None:
            raise ConfigError(
                f"steps={self.steps} with a duration of {self.seconds / 3600:g} hours: give one of "
                "them"
            )
        if self.average is not None and not 0 < self.average < 1:
            raise ConfigError(f"average={self.average}: a decay lies between 0 and 1")
        if not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed={self.seed}: a whole number from 0 to 2^63 - 1")
        if self.batch < 2:
            raise ConfigError(f"batch={self.batch}: one pair has no negatives, give 2 or more")
        if not (0 <= self.min_gap < inf and self.min_gap <= self.max_gap):
            raise ConfigError(
                f"min_gap={self.min_gap}, max_gap={self.max_gap}: the first is a number of seconds "
                "and not above the second"
            )
        if not 0 <= self.warmup < 1:
            raise ConfigError(f"warmup={self.warmup}: a share of the steps lies between 0 and 1")
        if self.variants > 1 and not self.same_group > 0:
            raise ConfigError(
                f"variants={self.variants} with same_group={self.same_group}: variants occur only "
                "in batches whose tracks sound alike; give same_group a share above 0"
            )
        if not 0 <= self.hide < 1:
            raise ConfigError(f"hide={self.hide}: a share of the frames lies from 0 to below 1")
        if self.hide and self.objective != "ntxent":
            raise ConfigError(f"hide={self.hide}: CoJEPA hides its own frames, leave it 0")
        if not 0 < self.mask[0] <= self.mask[1] < 1:
            raise ConfigError(f"mask={self.mask}: two rising shares between 0 and 1")

    @property
    def seconds(self) -> float | None:
        """Duration of a training that is limited by time; None if it is limited by steps."""
        if self.hours is None and self.minutes is None:
            return None
        return 3600 * (self.hours or 0) + 60 * (self.minutes or 0)

    @property
    def total_steps(self) -> int | None:
        """Number of steps; None if the training is limited by time."""
        return self.steps or (DEFAULT_STEPS if self.seconds is None else None)

    def as_dict(self) -> dict[str, Any]:
        """All attributes, with the number of steps that applies."""
        return {**asdict(self), "steps": self.total_steps}


@dataclass(frozen=True)
class DeviceConfig:
    """Where a training runs.

    Attributes:
        device: Device to train on; auto takes an accelerator if there is one.
        precision: Type of the matrix products; weights, norms and losses stay in float32. auto is
            bf16 on GPUs that support it, and 32 elsewhere.
        devices: Processes per node, each with its own device. On the CPU all share it.
        nodes: Machines. Start the same command on each, as Lightning Fabric describes.
        compile: Compile the blocks with torch first. Rounding differs, the CPU needs a C++
            compiler, and compiling takes about a minute.
    """

    device: Device = "auto"
    precision: Precision = "auto"
    devices: int = 1
    nodes: int = 1
    compile: bool = False

    def __post_init__(self) -> None:
        _require_choice("device", self.device, get_args(Device))
        _require_choice("precision", self.precision, get_args(Precision))
        if self.devices < 1 or self.nodes < 1:
            raise ConfigError(f"{self.devices} devices on {self.nodes} nodes: 1 is the least")


@dataclass(frozen=True)
class Intervals:
    """Steps between logging, validation and saving; they do not change the weights.

    Attributes:
        log_every: Steps between rows of training.csv. A row fetches the losses from the device and
            checks them. Every validation and every saved state also adds one; 0 adds no others.
        validate_every: Steps between retrievals among held-out tracks (8,192 segments at most);
            0 is never.
        save_every: Steps between saved states. The last step always saves one; 0 saves no others.
    """

    log_every: int = 50
    validate_every: int = 1000
    save_every: int = 500

    def __post_init__(self) -> None:
        for name, every in asdict(self).items():
            if every < 0:
                raise ConfigError(f"{name}={every}: a number of steps, 0 for never")


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}={value!r}: choose from {', '.join(choices)}")
