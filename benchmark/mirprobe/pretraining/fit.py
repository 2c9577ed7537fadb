"""Pretraining of ViT-1D on a bank.

Recipe: Meseguer-Brocal et al., CoJEPA, section on pretraining: AdamW with betas (0.9, 0.98),
warm-up over 1 % of the steps, cosine schedules of the learning rate to 1.5e-6 and of the weight
decay from 0.04 to 0.01, 128 tracks per step. The paper does not specify the following, which are
choices of this implementation: the peak learning rate, no weight decay for norms, biases, positions
and the class token, and gradients clipped to a norm of 1.

The output folder holds `state.safetensors` (the state to resume from), `model.safetensors` (the
latest weights), `best.safetensors` (the weights with the best retrieval), `average.safetensors`
(averaged weights, if requested), `training.csv`, `retrieval.csv` and `tensorboard/`. A training on
several nodes needs a folder that all of them can access.
"""

from __future__ import annotations

from pathlib import Path

from mirprobe.core.errors import ConfigError
from mirprobe.pretraining.bank import Bank
from mirprobe.pretraining.config import DeviceConfig, FitConfig, Intervals
from mirprobe.pretraining.launch import make_fabric
from mirprobe.pretraining.resume import InitialWeights
from mirprobe.pretraining.retrieval import Segments
from mirprobe.pretraining.train_step import Trainer, make_pair_sampler
from mirprobe.pretraining.training_run import FitResult, TrainingRun
from mirprobe.vit1d.model import ViT1DConfig


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
    """Train a model, or resume an interrupted training of the same configuration.

    A resumed training continues from the last saved state. On the CPU a training that is limited by
    steps ends with the same weights, bit by bit, whether it was interrupted or not.

    Args:
        bank: training and validation data.
        folder: output folder.
        model: architecture.
        config: hyper-parameters.
        begin_with: checkpoint with the initial weights; None draws them at random.
        device_config: where to train.
        intervals: steps between logging, validation and saving.

    Raises:
        ConfigError: the bank has another front end or is too small, the folder holds another
            training, or the device is not available.
        StorageError: the folder cannot be read or written, or another process writes to it (saved
            files are kept); or `begin_with` cannot be read or has another architecture.
        DivergedError: a loss or weight is NaN or infinite; files saved before are kept.
        StoppedError: SIGINT or SIGTERM arrived; the state was saved after the last step.
    """
    folder, intervals = Path(folder), intervals or Intervals()
    if bank.config != model.frontend:
        raise ConfigError(f"{bank.path}: a bank of another front end: build one for this model")
    # check before processes are started, so that an error is reported once
    make_pair_sampler(bank, model, config)
    device_config = device_config or DeviceConfig()
    if config.batch % (devices := device_config.devices * device_config.nodes):
        raise ConfigError(f"batch={config.batch} on {devices} devices: give a multiple of them")
    segments = None
    if intervals.validate_every:
        rate, held_out = model.frontend.frame_rate, bank.split("held-out")
        segments = Segments.of(held_out, length=model.frames, frame_rate=rate)
    fabric = make_fabric(device_config)
    trainer = Trainer(bank, model, config, fabric)
    if device_config.compile:
        trainer.compile()
    initial = InitialWeights.load(begin_with, model)
    return TrainingRun(folder, trainer, fabric, segments, intervals, initial).train()
