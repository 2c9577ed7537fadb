"""One step of the training, and what it needs: bank, pairs, objective, optimiser."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

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
    """What draws the batches.

    Raises:
        ConfigError: the bank is too small, or nothing is left of a segment.
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
    """Trains step by step; each step is a function of its number and of the weights before it.

    Args:
        bank: is copied to the device as it is.
        model: what to train.
        config: how.
        fabric: launched; its processes divide the batch.

    Attributes:
        model: being trained.
        objective: the model and what else is trained with it.
        optimiser: AdamW.
        rows: (N, bins) the bank on the device.

    Raises:
        ConfigError: the bank is too small.
    """

    def __init__(self, bank: Bank, model: ViT1DConfig, config: FitConfig, fabric: Fabric) -> None:
        self.bank, self.config, self.fabric = bank, config, fabric
        self.pairs = make_pair_sampler(bank, model, config)
        with torch.random.fork_rng(devices=[]):  # torch's layers draw before ours do
            self.model = ViT1D(model, generator=Generator().manual_seed(config.seed))
            self.objective = _objective(self.model, config, shared=fabric.world_size > 1)
        self.objective.to(fabric.device)
        self.optimiser = AdamW(_groups(self.objective), betas=config.betas, fused=True)
        self._module, self._stepper = fabric.setup(self.objective, self.optimiser)
        share = config.batch // fabric.world_size
        self._local_items = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)
        self.rows = bank.load(fabric.device)

    def compile(self) -> None:
        """Have torch compile all blocks, those of CoJEPA's predictor too, when they first run."""
        for module in self.objective.modules():
            if isinstance(module, Block):
                module.compile()

    def step(self, step: int) -> dict[str, Tensor]:
        """Take a step.

        Args:
            step: counted from 0.

        Returns:
            This process's losses by name and the gradient's length, scalars on the device, which
            nobody has waited for.
        """
        self._set_schedule(**self.schedule(step))
        views, masks = self.batch(step)
        losses: dict[str, Tensor] = self._module(views, masks)
        self.fabric.backward(losses["loss"])
        norm = self.fabric.clip_gradients(
            self._module, self._stepper, max_norm=self.config.clip, error_if_nonfinite=False
        )
        self._stepper.step()
        self._stepper.zero_grad()
        assert norm is not None
        return {**{name: loss.detach() for name, loss in losses.items()}, "gradient": norm}

    def schedule(self, step: int) -> dict[str, float]:
        """Learning rate and weight decay of a step."""
        config, steps = self.config, self.config.steps
        return {
            "rate": warmup_cosine(
                step,
                steps=steps,
                warmup=round(config.warmup * steps),
                peak=config.lr,
                last=config.final_lr,
            ),
            "decay": cosine(step, steps=steps, first=config.decay, last=config.final_decay),
        }

    def batch(self, step: int) -> tuple[Tensor, Masks | None]:
        """This process's part: views (2, n, time, bins) and, for CoJEPA, masks (2, n, ...)."""
        time = self.model.config.frames
        _, starts, how = self.pairs.draw(step)
        length = time if how is None else span(time)
        views = self.bank.dequantise(cut(self.rows, self._local(starts), length))
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
        )
        return views, Masks(self._local(visible), self._local(hidden))

    def _local(self, part: Tensor) -> Tensor:
        """This process's share of (2, batch, ...), on its device."""
        return part[:, self._local_items].to(self.fabric.device, non_blocking=True)

    @torch.no_grad()
    def class_tokens(self, rows: Tensor) -> Tensor:
        """What retrieval compares: (n, time, bins) of the bank's type to (n, dim)."""
        with self.fabric.autocast():
            return last_tokens(self.model, self.bank.dequantise(rows))[:, 0].float()

    def _set_schedule(self, *, rate: float, decay: float) -> None:
        decayed, others = self.optimiser.param_groups
        decayed["lr"] = others["lr"] = rate
        decayed["weight_decay"], others["weight_decay"] = decay, 0.0


def _objective(model: ViT1D, config: FitConfig, *, shared: bool) -> Objective:
    if config.objective == "ntxent":
        masked = config.hide > 0
        return NTXent(model, temperature=config.temperature, shared=shared, masked=masked)
    return CoJEPA(
        model,
        temperature=config.temperature,
        shared=shared,
        depth=config.predictor_depth,
        weight=config.jepa_weight,
        generator=seeded("predictor", config.seed),
    )


def _groups(module: nn.Module) -> list[dict[str, list[nn.Parameter]]]:
    """Matrices, whose weights decay, and all others."""
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        matrix = parameter.ndim == 2 and not name.endswith("positions")
        (decayed if matrix else others).append(parameter)
    return [{"params": decayed}, {"params": others}]
