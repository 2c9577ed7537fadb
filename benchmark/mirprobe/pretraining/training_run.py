"""The training loop: steps, logging, validation, saving, resuming and stopping on a signal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from signal import Signals
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from tqdm import tqdm

from mirprobe.core.atomic_write import LEFTOVERS
from mirprobe.core.errors import ConfigError, MirprobeError
from mirprobe.core.folder_lock import locked_folder
from mirprobe.core.hashing import digest
from mirprobe.core.stop_request import StoppedError, StopRequest
from mirprobe.pretraining import resume
from mirprobe.pretraining.config import Intervals
from mirprobe.pretraining.launch import describe
from mirprobe.pretraining.retrieval import Retrieval, Segments, embed, retrieve
from mirprobe.pretraining.train_step import Trainer
from mirprobe.pretraining.training_log import TrainingLog
from mirprobe.vit1d.checkpoint import read_notes, save_checkpoint
from mirprobe.vit1d.model import ViT1D

if TYPE_CHECKING:
    from lightning_fabric import Fabric

STATE, LATEST, BEST = "state.safetensors", "model.safetensors", "best.safetensors"
AVERAGE = "average.safetensors"
_AGREE = 10  # steps between the exchanges of stop requests among several processes


class DivergedError(MirprobeError):
    """The loss or a weight is not a finite number."""


@dataclass(frozen=True)
class FitResult:
    """Outcome of a training.

    Attributes:
        folder: output folder.
        steps: total number of steps done.
        loss: mean since the last row of the log; None if no step was left to do.
        retrieval: results of `model`, of the baselines `logmel` and `random`, and of `average` if
            weights are averaged; empty without validation.
        primary: whether this is the first of all processes, which reports to the user.
    """

    folder: Path
    steps: int
    loss: float | None
    retrieval: Mapping[str, Retrieval]
    primary: bool


@dataclass
class TrainingRun:
    """One call of `fit`.

    Attributes:
        folder: output folder.
        trainer: takes the steps.
        fabric: launched.
        segments: held-out segments for validation; None for no validation.
        intervals: steps between logging, validation and saving.
        initial: initial weights; None for random ones.
    """

    folder: Path
    trainer: Trainer
    fabric: Fabric
    segments: Segments | None
    intervals: Intervals
    initial: resume.InitialWeights | None

    def __post_init__(self) -> None:
        trainer, initial = self.trainer, self.initial
        architecture = trainer.model.config.as_dict()
        self.begun_with = resume.as_json(
            {
                **trainer.config.as_dict(),
                **{f"model.{name}": value for name, value in architecture.items()},
                "bank": digest([track.digest for track in trainer.bank.tracks]),
                **({"begin_with": initial.digest} if initial else {}),
            }
        )
        self.done, self.saved = 0, -1
        self.seconds = 0.0  # spent training, over all calls
        self.retrieval: dict[str, Retrieval] = {}
        self.best = -1.0
        self.losses: list[dict[str, Tensor]] = []

    def train(self) -> FitResult:
        """Train until the steps or the time are used up, or until a signal arrives."""
        with ExitStack() as stack:
            self._lock(stack)
            self._resume()
            stop = stack.enter_context(StopRequest())
            means, number = self._loop(stop)
            self.fabric.barrier()
        primary = self.fabric.is_global_zero
        if number and not self._finished:
            if not primary:
                raise SystemExit(0)  # the first process reports to the user
            raise StoppedError(
                f"{self.folder}: stopped by {Signals(number).name} after step {self.done}"
                f"{self._of_total()}; the state is saved, the same command continues",
                number,
            )
        loss = means["loss"] if means else None
        return FitResult(self.folder, self.done, loss, self.retrieval, primary)

    def _loop(self, stop: StopRequest) -> tuple[dict[str, float] | None, int]:
        """Take the remaining steps; returns the last mean losses and the signal that arrived."""
        means, number = None, 0
        primary, total = self.fabric.is_global_zero, self.trainer.config.total_steps
        quiet = None if primary else True
        with (
            TrainingLog(self.folder, done=self.saved, active=primary) as self.log,
            tqdm(desc="training", initial=self.done, total=total, disable=quiet) as progress,
        ):
            if not self.done:
                self._begin()
            spent, start = self.seconds, perf_counter()
            clock, counted = start, self.done
            while not self._finished and not number:
                step = self.done
                self.losses.append(self.trainer.step(step, self.seconds))
                schedule = self.trainer.schedule(step, self.seconds)
                self.done += 1
                progress.update()
                self.seconds, number = self._agree(spent + perf_counter() - start, stop.signal)
                if not number and not any(map(self._due, astuple(self.intervals))):
                    continue
                means = self._fetch()
                now = perf_counter()
                speed = 2 * self.trainer.config.batch * (self.done - counted) / (now - clock)
                row = {**means, **schedule, "segments_per_second": speed}
                self.log.write("training", self.done, row)
                progress.set_postfix(loss=f"{means['loss']:.3f}", segments_per_s=f"{speed:.0f}")
                if self._due(self.intervals.validate_every):
                    self._validate()
                if number or self._due(self.intervals.save_every):
                    self._save()
                clock, counted = perf_counter(), self.done
        return means, number

    @property
    def _finished(self) -> bool:
        config = self.trainer.config
        if config.seconds is not None:
            return self.seconds >= config.seconds
        return self.done >= (config.total_steps or 0)

    def _due(self, every: int) -> bool:
        return self._finished or (every > 0 and self.done % every == 0)

    def _agree(self, seconds: float, number: int) -> tuple[float, int]:
        """The time spent and the signal, equal in all processes."""
        if self.fabric.world_size == 1:
            return seconds, number
        if self.trainer.config.seconds is None and self.done % _AGREE:
            return seconds, 0
        values = torch.tensor([seconds, number], device=self.fabric.device)
        values = self.fabric.all_reduce(values, reduce_op="max")  # type: ignore[assignment]
        seconds, signal = values.tolist()
        return seconds, int(signal)

    def _fetch(self) -> dict[str, float]:
        """Mean losses since the last call, over all processes; they must be finite."""
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
        raise DivergedError(f"{self.folder}: {what}{self._of_total()}; {remedy}")

    def _of_total(self) -> str:
        total = self.trainer.config.total_steps
        return "" if total is None else f" of {total}"

    def _begin(self) -> None:
        """Validate mean log-mel frames and random weights, then load the initial weights."""
        if self.segments is not None:
            dequantise = self.trainer.bank.quantiser.dequantise
            self._retrieve("logmel", lambda rows: dequantise(rows).mean(dim=1))
            self._retrieve("random", self.trainer.class_tokens)
        if self.initial is not None:
            for model in filter(None, (self.trainer.model, self.trainer.averaged)):
                model.load_state_dict(self.initial.weights)
            self._validate()

    def _validate(self) -> None:
        if self.segments is None:
            return
        self._check_weights()
        found = self._retrieve("model", self.trainer.class_tokens)
        averaged = self.trainer.averaged
        if averaged is not None:
            self._retrieve("average", lambda rows: self.trainer.class_tokens(rows, averaged))
        if found.mrr > self.best:
            self.best = found.mrr
            self._write(BEST, self.trainer.model)

    def _retrieve(self, name: str, embedder: Any) -> Retrieval:
        assert self.segments is not None
        length = self.trainer.model.config.frames
        embeddings = embed(self.segments, self.trainer.rows, embedder, length=length)
        self.retrieval[name] = found = retrieve(embeddings, self.segments)
        self.log.write("retrieval", self.done, {"embedding": name, **asdict(found)})
        return found

    def _check_weights(self) -> None:
        weights = self.trainer.objective.parameters()
        if not torch.stack([own.isfinite().all() for own in weights]).all():
            self._diverged(f"a weight is not finite after step {self.done}")

    def _save(self) -> None:
        self._check_weights()
        if self.fabric.is_global_zero:
            head = {name: getattr(self, name) for name in ("begun_with", "done", "seconds", "best")}
            head["retrieval"] = self._retrieval_as_json()
            resume.save_state(
                self.folder / STATE, self.trainer.modules, self.trainer.optimiser, head
            )
        self._write_latest()
        self.saved = self.done

    def _write_latest(self) -> None:
        if self.trainer.averaged is not None:
            self._write(AVERAGE, self.trainer.averaged)
        self._write(LATEST, self.trainer.model)

    def _retrieval_as_json(self) -> dict[str, Any]:
        return {name: asdict(found) for name, found in self.retrieval.items()}

    def _write(self, name: str, model: ViT1D) -> None:
        if self.fabric.is_global_zero:
            notes = {
                "step": str(self.done),
                "machine": describe(self.fabric),
                "fit": json.dumps(resume.as_json(self.trainer.config.as_dict())),
                "bank": self.begun_with["bank"],
                "retrieval": json.dumps(self._retrieval_as_json()),
                **({"begun_with": json.dumps(dict(self.initial.notes))} if self.initial else {}),
            }
            save_checkpoint(model, self.folder / name, dtype=torch.float32, notes=notes)

    def _lock(self, stack: ExitStack) -> None:
        """Lock the folder in the first process; the others end silently if that fails."""
        error = None
        if self.fabric.is_global_zero:
            try:
                stack.enter_context(locked_folder(self.folder))
            except MirprobeError as failed:
                error = failed
        if self.fabric.broadcast(error is not None):
            raise error or SystemExit(0)

    def _resume(self) -> None:
        if self.fabric.is_global_zero:
            for leftover in self.folder.glob(LEFTOVERS):
                leftover.unlink(missing_ok=True)
        if not (self.folder / STATE).exists():
            if (self.folder / LATEST).exists():
                raise ConfigError(
                    f"{self.folder}: holds weights, but no {STATE} to resume from: name another"
                )
            return
        head, tensors = resume.load_state(self.folder / STATE)
        resume.check_same_run(head["begun_with"], self.begun_with, self.folder)
        resume.restore(tensors, self.trainer.modules, self.trainer.optimiser)
        self.done = self.saved = head["done"]
        self.seconds, self.best = head.get("seconds", 0.0), head["best"]
        self.retrieval = {name: Retrieval(**found) for name, found in head["retrieval"].items()}
        latest = self.folder / LATEST
        if not latest.exists() or read_notes(latest)["step"] != str(self.done):
            self._write_latest()  # killed, or the disk was full, between the files of a save
