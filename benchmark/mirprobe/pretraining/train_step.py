"""One training step, with the data, objective and optimiser that it uses."""

from __future__ import annotations

from copy import deepcopy
from math import ceil
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.augment import Warp, span, warp
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.config import FitConfig
from mirprobe.pretraining.jepa import Masks, draw_masks
from mirprobe.pretraining.objectives import CoJEPA, NTXent, Objective, last_tokens
from mirprobe.pretraining.pair_sampler import PairSampler, cut, seeded
from mirprobe.pretraining.schedule import cosine, warmup_cosine
from mirprobe.vit1d.model import Block, ViT1D, ViT1DConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_pair_sampler(bank: Bank, model: ViT1DConfig, config: FitConfig) -> PairSampler:
    """The sampler of the batches.

    Raises:
        ConfigError: the bank is too small, or all frames of a segment would be masked.
    """
    hidden = max(config.mask) if config.objective == "cojepa" else config.hide
    if ceil(hidden * model.frames) >= model.frames:
        raise ConfigError(f"hide={hidden}: nothing is left of a segment's {model.frames} frames")
    train = bank.split("train")
    works = len({track.work for track in train})
    if works < config.batch:
        raise ConfigError(
            f"{bank.path}: {works} works to train on beside {len(bank.split('held-out'))} tracks "
            f"held out, a batch needs {config.batch}: add music, or lower the batch"
        )
    return PairSampler(
        train,
        length=model.frames if config.variants == 1 else span(model.frames),
        batch=config.batch,
        frame_rate=model.frontend.frame_rate,
        gaps=(config.min_gap, config.max_gap),
        same_group=config.same_group,
        variants=config.variants,
        seed=config.seed,
    )


class Trainer:
    """Takes training steps; each depends only on its number, the time spent and the weights.

    Args:
        bank: training data; copied to the device without conversion.
        model: architecture.
        config: hyper-parameters.
        fabric: launched; its processes share the batch.

    Attributes:
        model: the model in training.
        averaged: exponential moving average of its weights; None if not requested.
        objective: the model and the loss, which may have further weights.
        optimiser: AdamW.
        rows: (N, bins) frames of the bank on the device.

    Raises:
        ConfigError: the bank is too small.
    """

    def __init__(self, bank: Bank, model: ViT1DConfig, config: FitConfig, fabric: Fabric) -> None:
        self.bank, self.config, self.fabric = bank, config, fabric
        self.pairs = make_pair_sampler(bank, model, config)
        with torch.random.fork_rng(devices=[]):  # the constructors of torch also draw
            self.model = ViT1D(model, generator=Generator().manual_seed(config.seed))
            self.objective = _objective(self.model, config, shared=fabric.world_size > 1)
        self.objective.to(fabric.device)
        self.averaged = deepcopy(self.model).requires_grad_(False) if config.average else None
        self.optimiser = AdamW(_groups(self.objective), betas=config.betas, fused=True)
        self._module, self._stepper = fabric.setup(self.objective, self.optimiser)
        share = config.batch // fabric.world_size
        self._local_items = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)
        self.rows = bank.load(fabric.device)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """All modules whose weights belong to the state of the training, by name."""
        average = {} if self.averaged is None else {"average": self.averaged}
        return {"module": self.objective, **average}

    def compile(self) -> None:
        """Compile all blocks with torch, including those of CoJEPA's predictor, at first use."""
        for module in self.objective.modules():
            if isinstance(module, Block):
                module.compile()

    def step(self, step: int, seconds: float = 0.0) -> dict[str, Tensor]:
        """Take a step.

        Args:
            step: number of the step, from 0.
            seconds: time spent training, for a training that is limited by time.

        Returns:
            The losses of this process by name and the norm of the gradient, as scalars on the
            device; the device is not synchronised.
        """
        self._set_schedule(**self.schedule(step, seconds))
        views, masks = self.batch(step)
        losses: dict[str, Tensor] = self._module(views, masks)
        self.fabric.backward(losses["loss"])
        norm = self.fabric.clip_gradients(
            self._module, self._stepper, max_norm=self.config.clip, error_if_nonfinite=False
        )
        self._stepper.step()
        self._stepper.zero_grad()
        assert norm is not None
        if self.averaged is not None:
            self._update_average(self.averaged, step)
        return {**{name: loss.detach() for name, loss in losses.items()}, "gradient": norm}

    def schedule(self, step: int, seconds: float = 0.0) -> dict[str, float]:
        """Learning rate and weight decay of a step, or after a time if that limits the training."""
        config = self.config
        progress, total = float(step), float(config.total_steps or 0)
        if config.seconds is not None:
            progress, total = seconds, config.seconds + 1  # the last value after all seconds
        rise = {"warmup": round(config.warmup * total), "peak": config.lr, "last": config.final_lr}
        rate = warmup_cosine(progress, steps=total, **rise)
        decay = cosine(progress, steps=total, first=config.decay, last=config.final_decay)
        return {"rate": rate, "decay": decay}

    def batch(self, step: int) -> tuple[Tensor, Masks | None]:
        """This process's share of a batch: views (2, n, time, bins), and masks (2, n, ...) or None.

        Args:
            step: number of the step, from 0.
        """
        time = self.model.config.frames
        _, starts, how = self.pairs.draw(step)
        length = time if how is None else span(time)
        views = self.bank.quantiser.dequantise(cut(self.rows, self._local(starts), length))
        if how is not None:
            views = warp(views, Warp(*map(self._local, how)), self.model.config.frontend, time=time)
        if not self.objective.masked:
            return views, None
        hide = self.config.hide
        visible, hidden = draw_masks(
            (2, self.config.batch),
            time=time,
            share=(hide, hide) if hide else self.config.mask,
            generator=seeded("masks", self.config.seed, step),
            device=self.fabric.device,
        )
        return views, Masks(self._local(visible), self._local(hidden))

    def _local(self, part: Tensor) -> Tensor:
        """This process's share of (2, batch, ...), on its device."""
        return part[:, self._local_items].to(self.fabric.device, non_blocking=True)

    @torch.no_grad()
    def class_tokens(self, rows: Tensor, model: ViT1D | None = None) -> Tensor:
        """Embeddings for retrieval: (n, time, bins) rows of the bank to (n, dim).

        Args:
            rows: of the bank's type, on the device.
            model: None for the model in training.
        """
        frames = self.bank.quantiser.dequantise(rows)
        with self.fabric.autocast():
            return last_tokens(model or self.model, frames)[:, 0].float()

    @torch.no_grad()
    def _update_average(self, averaged: ViT1D, step: int) -> None:
        assert self.config.average is not None
        decay = min(self.config.average, (1 + step) / (10 + step))  # short memory at the start
        own, new = (tuple(model.parameters()) for model in (averaged, self.model))
        torch._foreach_lerp_(own, new, 1 - decay)

    def _set_schedule(self, *, rate: float, decay: float) -> None:
        for group, weight_decay in zip(self.optimiser.param_groups, (decay, 0.0), strict=True):
            group.update(lr=rate, weight_decay=weight_decay)


def _objective(model: ViT1D, config: FitConfig, *, shared: bool) -> Objective:
    loss: dict[str, Any] = {"temperature": config.temperature, "shared": shared}
    if config.objective == "ntxent":
        return NTXent(model, **loss, masked=config.hide > 0)
    generator, depth = seeded("predictor", config.seed), config.predictor_depth
    return CoJEPA(model, **loss, depth=depth, weight=config.jepa_weight, generator=generator)


def _groups(module: nn.Module) -> list[dict[str, list[nn.Parameter]]]:
    """Parameter groups: matrices, which get weight decay, and all others."""
    groups: list[dict[str, list[nn.Parameter]]] = [{"params": []}, {"params": []}]
    for name, parameter in module.named_parameters():
        matrix = parameter.ndim == 2 and not name.endswith("positions")
        groups[0 if matrix else 1]["params"].append(parameter)
    return groups
