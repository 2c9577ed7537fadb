"""Pretraining of ViT-1D on a bank: the loop, its configuration, and what it leaves on disk.

Recipe: Meseguer-Brocal et al., CoJEPA, pretraining: AdamW with betas (0.9, 0.98), warm-up over 1 %
of the steps, cosine of the rate to 1.5e-6 and of the weight decay from 0.04 to 0.01, 128 tracks a
step. Left open and chosen here: the peak rate, no decay of norms, biases, positions and the class
token, and gradients clipped to a length of 1.

A folder holds `state.safetensors` (from which a killed run goes on), `model.safetensors` (the
latest weights), `best.safetensors` (those of the best retrieval), `training.csv`,
`retrieval.csv` and `tensorboard/`. Several nodes need a folder that all of them see.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from mirprobe.core.atomic_write import LEFTOVERS
from mirprobe.core.errors import ConfigError, MirprobeError
from mirprobe.core.hashing import digest
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals
from mirprobe.pretraining.launch import describe, make_fabric
from mirprobe.pretraining.resume import (
    InitialWeights,
    all_finite,
    as_json,
    check_same_run,
    load_state,
    restore,
    save_state,
)
from mirprobe.pretraining.retrieval import Retrieval, Segments, embed, retrieve
from mirprobe.pretraining.train_step import Trainer, make_pair_sampler
from mirprobe.pretraining.training_log import TrainingLog
from mirprobe.vit1d.checkpoint import read_notes, save_checkpoint
from mirprobe.vit1d.model import ViT1DConfig

if TYPE_CHECKING:
    from lightning_fabric import Fabric

STATE, LATEST, BEST = "state.safetensors", "model.safetensors", "best.safetensors"


class DivergedError(MirprobeError):
    """The loss or a weight is no longer a finite number."""


@dataclass(frozen=True)
class FitResult:
    """How a training ended.

    Attributes:
        folder: where everything lies.
        steps: done in all.
        loss: mean since the last row of the log; None where nothing was left to do.
        retrieval: of `model` and its controls `logmel` and `random`; empty if it never validated.
        primary: whether this is the first of all processes, the one that speaks.
    """

    folder: Path
    steps: int
    loss: float | None
    retrieval: Mapping[str, Retrieval]
    primary: bool


def fit(
    bank: Bank,
    folder: str | Path,
    *,
    model: ViT1DConfig,
    config: FitConfig,
    begin_with: str | Path | None = None,
    device_config: DeviceConfig | None = None,
    intervals: Intervals | None = None,
) -> FitResult:
    """Train, or go on where a killed run of the same configuration had last saved.

    On the CPU the weights are those of a run that was never killed, bit by bit.

    Args:
        bank: what to train and validate on.
        folder: of the results.
        model: what to train.
        config: how to train it.
        begin_with: weights of an earlier training to begin with; None draws them.
        device_config: where to train.
        intervals: how often to log, validate and save.

    Raises:
        ConfigError: the bank is of another front end or too small, the folder holds another
            training, or the device is not there.
        StorageError: the folder cannot be read or written, and what was saved is kept; or
            `begin_with` cannot be read or holds another configuration.
        DivergedError: a loss is NaN or infinite; what was saved before is kept.
    """
    folder, intervals = Path(folder), intervals or Intervals()
    if bank.config != model.frontend:
        raise ConfigError(f"{bank.path}: a bank of another front end: build one for this model")
    # complaints come before any process is started, and so once
    make_pair_sampler(bank, model, config)
    device_config = device_config or DeviceConfig()
    if config.batch % (devices := device_config.devices * device_config.nodes):
        raise ConfigError(f"batch={config.batch} on {devices} devices: give a multiple of them")
    segments = None
    if intervals.validate_every:
        rate, held = model.frontend.frame_rate, bank.split("held-out")
        segments = Segments.of(held, length=model.frames, frame_rate=rate)
    fabric = make_fabric(device_config)
    trainer = Trainer(bank, model, config, fabric)
    if device_config.compile:
        trainer.compile()
    run = _Run(folder, trainer, fabric, segments, intervals, InitialWeights.load(begin_with, model))
    return run.train()


class _Run:
    """One call of `fit`."""

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        fabric: Fabric,
        segments: Segments | None,
        intervals: Intervals,
        initial: InitialWeights | None,
    ) -> None:
        self.folder, self.trainer, self.fabric = folder, trainer, fabric
        self.segments, self.intervals, self.initial = segments, intervals, initial
        self.begun_with = as_json(
            **asdict(trainer.config),
            **{f"model.{name}": value for name, value in trainer.model.config.as_dict().items()},
            bank=digest([track.digest for track in trainer.bank.tracks]),
            **({"begin_with": initial.digest} if initial else {}),
        )
        self.done, self.saved = 0, -1
        self.retrieval: dict[str, Retrieval] = {}
        self.best = -1.0
        self.losses: list[dict[str, Tensor]] = []

    def train(self) -> FitResult:
        self._resume()
        steps, means = self.trainer.config.steps, None
        primary = self.fabric.is_global_zero
        with (
            TrainingLog(self.folder, done=self.saved, active=primary) as self.log,
            tqdm(
                initial=self.done,
                total=steps,
                desc="training",
                disable=None if primary else True,
            ) as bar,
        ):
            if not self.done:
                self._controls()
                self._begin()
            clock, counted = perf_counter(), self.done
            for step in range(self.done, steps):
                self.losses.append(self.trainer.step(step))
                self.done = step + 1
                bar.update()
                if not any(map(self._due, astuple(self.intervals))):
                    continue
                means = self._fetch()
                seconds = perf_counter() - clock
                speed = 2 * self.trainer.config.batch * (self.done - counted) / seconds
                row = {**means, **self.trainer.schedule(step), "segments_per_second": speed}
                self.log.write("training", self.done, row)
                bar.set_postfix(loss=f"{means['loss']:.3f}", segments_per_s=f"{speed:.0f}")
                if self._due(self.intervals.validate_every):
                    self._validate()
                if self._due(self.intervals.save_every):
                    self._save()
                clock, counted = perf_counter(), self.done
        self.fabric.barrier()
        loss = means["loss"] if means else None
        return FitResult(self.folder, self.done, loss, self.retrieval, primary)

    def _due(self, every: int) -> bool:
        return self.done == self.trainer.config.steps or (every > 0 and self.done % every == 0)

    def _fetch(self) -> dict[str, float]:
        """Means over the steps since the last time and over all processes; none may be NaN."""
        names = list(self.losses[0])
        table = torch.stack([torch.stack([row[name] for name in names]) for row in self.losses])
        reduced = self.fabric.all_reduce(table, reduce_op="mean")  # (steps, names)
        assert isinstance(reduced, Tensor)
        table = reduced.double().cpu()
        if not table.isfinite().all():
            step, column = table.isfinite().logical_not().nonzero()[0].tolist()
            what = "gradient" if names[column] == "gradient" else "loss"
            self._diverged(f"the {what} is not finite at step {self.done - len(table) + step + 1}")
        self.losses.clear()
        return dict(zip(names, table.mean(0).tolist(), strict=True))

    def _diverged(self, what: str) -> None:
        remedy = "nothing was saved: lower the rate (--lr)"
        if self.saved > 0:
            remedy = (
                f"what was saved after step {self.saved} is kept: begin another folder at a lower "
                f"rate (--lr) with it (--begin-with {self.folder / LATEST})"
            )
        raise DivergedError(f"{self.folder}: {what} of {self.trainer.config.steps}; {remedy}")

    def _controls(self) -> None:
        """Mean log-mel, and the weights as they were drawn."""
        if self.segments is not None:
            self._retrieve("logmel", lambda rows: self.trainer.bank.dequantise(rows).mean(dim=1))
            self._retrieve("random", self.trainer.class_tokens)

    def _begin(self) -> None:
        if self.initial is not None:
            self.trainer.model.load_state_dict(self.initial.weights)
            self._validate()

    def _validate(self) -> None:
        if self.segments is None:
            return
        self._check_weights()
        found = self._retrieve("model", self.trainer.class_tokens)
        if found.mrr > self.best:
            self.best = found.mrr
            self._write(BEST)

    def _retrieve(self, name: str, embedder: Any) -> Retrieval:
        assert self.segments is not None
        length = self.trainer.model.config.frames
        found = retrieve(
            embed(self.segments, self.trainer.rows, embedder, length=length), self.segments
        )
        self.retrieval[name] = found
        self.log.write("retrieval", self.done, {"embedding": name, **asdict(found)})
        return found

    def _check_weights(self) -> None:
        if not all_finite(self.trainer.objective):
            self._diverged(f"a weight is not finite after step {self.done}")

    def _save(self) -> None:
        self._check_weights()
        head = {
            "begun_with": self.begun_with,
            "done": self.done,
            "best": self.best,
            "retrieval": {name: asdict(found) for name, found in self.retrieval.items()},
        }
        if self.fabric.is_global_zero:
            save_state(self.folder / STATE, self.trainer.objective, self.trainer.optimiser, head)
        self._write(LATEST)
        self.saved = self.done

    def _write(self, name: str) -> None:
        if self.fabric.is_global_zero:
            notes = {
                "step": str(self.done),
                "machine": describe(self.fabric),
                "fit": json.dumps(asdict(self.trainer.config)),
                "bank": self.begun_with["bank"],
                "retrieval": json.dumps(
                    {name: asdict(found) for name, found in self.retrieval.items()}
                ),
                **({"begun_with": json.dumps(dict(self.initial.notes))} if self.initial else {}),
            }
            model = self.trainer.model
            save_checkpoint(model, self.folder / name, dtype=torch.float32, notes=notes)

    def _resume(self) -> None:
        if self.fabric.is_global_zero:
            for leftover in self.folder.glob(LEFTOVERS):
                leftover.unlink(missing_ok=True)
        if not (self.folder / STATE).exists():
            if (self.folder / LATEST).exists():
                raise ConfigError(
                    f"{self.folder}: holds weights, but no {STATE} to go on from: name another"
                )
            return
        state = load_state(self.folder / STATE)
        check_same_run(state.head["begun_with"], self.begun_with, self.folder)
        restore(state, self.trainer.objective, self.trainer.optimiser)
        self.done = self.saved = state.head["done"]
        self.best = state.head["best"]
        self.retrieval = {n: Retrieval(**found) for n, found in state.head["retrieval"].items()}
        latest = self.folder / LATEST
        if not latest.exists() or read_notes(latest)["step"] != str(self.done):
            self._write(LATEST)  # it was killed, or the disk was full, between the two files
