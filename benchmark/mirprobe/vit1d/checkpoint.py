"""Checkpoints of ViT-1D: one safetensors file with weights and configuration, without pickles.

The tensors have the names of the model's state dict. The metadata holds the name and version of the
format, the configuration as JSON, and optional notes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mirprobe.core.atomic_write import replacing
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.vit1d.model import ViT1D, ViT1DConfig

_FORMAT = "mirprobe.vit1d.1"


def save_checkpoint(
    model: ViT1D,
    path: str | Path,
    *,
    dtype: torch.dtype = torch.float16,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write a model atomically.

    Args:
        model: the model.
        path: the file to write or replace; its folder is created if it is missing.
        dtype: number type on disk, float16 or float32.
        notes: further metadata, such as the number of steps; `format` and `config` are reserved.

    Raises:
        ValueError: another dtype, or notes with a reserved name.
        StorageError: a weight is not finite in this dtype, or the disk cannot be written.
    """
    notes = dict(notes or {})
    if dtype not in (torch.float16, torch.float32) or {"format", "config"} & notes.keys():
        raise ValueError(f"cannot write {dtype} with notes {sorted(notes)}")
    weights = {
        name: tensor.detach().to("cpu", dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    if broken := _not_finite(weights):
        raise StorageError(f"{path}: not written, {broken} is not finite in {dtype}")
    metadata = {**notes, "format": _FORMAT, "config": json.dumps(model.config.as_dict())}
    with replacing(Path(path)) as file:
        file.write(save(weights, metadata=metadata))


def read_config(path: str | Path) -> ViT1DConfig:
    """Read the configuration of a checkpoint without loading its weights.

    Raises:
        StorageError: the file is missing, damaged, not safetensors or not a ViT-1D.
    """
    return _config(Path(path), read_tensors(Path(path), weights=False)[0])


def read_notes(path: str | Path) -> dict[str, str]:
    """Read the notes of a checkpoint.

    Raises:
        StorageError: as `read_config`.
    """
    metadata, _ = read_tensors(Path(path), weights=False)
    return {name: note for name, note in metadata.items() if name not in ("format", "config")}


def load_checkpoint(path: str | Path, *, expected: ViT1DConfig | None = None) -> ViT1D:
    """Load a model, on the CPU and in float32 for any number type on disk.

    Args:
        path: a file written by `save_checkpoint`.
        expected: the configuration that the file must have; None for any.

    Raises:
        StorageError: the file is missing, damaged, not safetensors or not a ViT-1D, a weight is
            not finite, or its configuration is not the expected one.
    """
    path = Path(path)
    metadata, weights = read_tensors(path, weights=True)
    config = _config(path, metadata)
    if expected is not None and config != expected:
        found, wanted = config.as_dict(), expected.as_dict()
        fields = ", ".join(name for name in wanted if found[name] != wanted[name])
        raise StorageError(f"{path}: another configuration (differs in {fields}): use its own")
    if broken := _not_finite(weights):
        raise StorageError(f"{path}: {broken} is not finite: give weights from before that step")
    with torch.random.fork_rng(devices=[]):  # the initial weights are overwritten
        model = ViT1D(config)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise StorageError(
            f"{path}: its weights do not fit its configuration: fetch or train it again"
        ) from error
    return model


def export(checkpoint: str | Path, output: str | Path) -> None:
    """Convert a checkpoint of a training to float16, the number type of the shipped weights.

    Args:
        checkpoint: `model.safetensors` or `best.safetensors` of a training.
        output: the file to write or replace.

    Raises:
        StorageError: the checkpoint cannot be read, or the output cannot be written.
    """
    save_checkpoint(load_checkpoint(checkpoint), output, notes=read_notes(checkpoint))


def read_tensors(
    path: Path, *, weights: bool, what: str = "safetensors file: fetch or train it again"
) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Read the metadata of a safetensors file, and its tensors if `weights`, to the CPU.

    Args:
        path: the file.
        weights: whether to read the tensors.
        what: what the file should be, and the remedy if it is not, for the message.

    Raises:
        StorageError: the file is missing, damaged or not safetensors.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            names = file.keys() if weights else ()
            return dict(file.metadata() or {}), {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise StorageError(f"{path}: damaged or not a {what}") from error
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"{path}: cannot be read ({reason}): name another file") from error


def _not_finite(weights: Mapping[str, Tensor]) -> str | None:
    """The name of a tensor with a value that is not finite."""
    return next((name for name, own in weights.items() if not own.isfinite().all()), None)


def _config(path: Path, metadata: Mapping[str, str]) -> ViT1DConfig:
    if metadata.get("format") != _FORMAT:
        raise StorageError(
            f"{path}: not a ViT-1D checkpoint of format {_FORMAT}: give one that mirprobe wrote"
        )
    try:
        return ViT1DConfig.from_dict(json.loads(metadata["config"]))
    except (KeyError, ValueError, ConfigError) as error:
        raise StorageError(
            f"{path}: its configuration is not one of this version of mirprobe: upgrade, "
            "or train it again"
        ) from error


SHIPPED = Path(__file__).parent / "weights" / "vit1d.safetensors"


def weights_path(checkpoint: Path | None) -> Path:
    """The given checkpoint, or the shipped weights if it is None.

    Raises:
        ConfigError: `checkpoint` is None and no weights are shipped.
    """
    if checkpoint is not None:
        return checkpoint
    if not SHIPPED.is_file():
        raise ConfigError(
            "this copy of mirprobe ships no trained weights; name a file with --checkpoint, or as "
            "the encoder vit1d:checkpoint=FILE"
        )
    return SHIPPED
