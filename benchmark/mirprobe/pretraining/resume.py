"""The state of a training on disk, from which an interrupted training resumes.

One safetensors file, replaced atomically. It holds the weights, the optimiser's moments and, as
JSON, the steps done and the configuration. It holds no pickle and no state of a random generator:
random numbers depend only on the seed and the step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from mirprobe.core.atomic_write import replacing
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import file_digest
from mirprobe.vit1d.checkpoint import load_checkpoint, read_notes, read_tensors
from mirprobe.vit1d.model import ViT1DConfig

_FORMAT = "mirprobe.fit.1"
_OPTIMISER = "optimiser"


class InitialWeights(NamedTuple):
    """The weights of an earlier training.

    Attributes:
        digest: hash of their file.
        weights: tensors by name.
        notes: notes in their file.
    """

    digest: str
    weights: dict[str, Tensor]
    notes: dict[str, str]

    @classmethod
    def load(cls, path: str | Path | None, model: ViT1DConfig) -> InitialWeights | None:
        """Read the weights of a checkpoint; None if `path` is None.

        Raises:
            StorageError: it cannot be read, or has another architecture.
        """
        if path is None:
            return None
        weights = load_checkpoint(path, expected=model).state_dict()
        return cls(file_digest(path), weights, read_notes(path))


def save_state(
    path: Path, modules: Mapping[str, nn.Module], optimiser: Optimizer, head: Mapping[str, Any]
) -> None:
    """Write the state of a training atomically.

    Args:
        path: the file to write or replace.
        modules: modules whose weights are saved, by name.
        optimiser: its moments are saved, but not its options.
        head: JSON-compatible metadata.

    Raises:
        StorageError: the disk cannot be written; an older file is kept.
    """
    parts = {prefix: module.state_dict() for prefix, module in modules.items()}
    for index, moments in optimiser.state_dict()["state"].items():
        parts[f"{_OPTIMISER}.{index}"] = moments
    whole = {
        f"{prefix}.{name}": tensor.detach().cpu().contiguous()
        for prefix, tensors in parts.items()
        for name, tensor in tensors.items()
    }
    with replacing(path) as file:
        file.write(save(whole, metadata={"format": _FORMAT, "head": json.dumps(head)}))


def load_state(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the state of a training.

    Returns:
        The metadata that `save_state` was given, and the tensors by name.

    Raises:
        StorageError: the file is missing, damaged or not the state of a training.
    """
    what = "training's state: name another folder, and begin with its weights (--begin-with)"
    metadata, tensors = read_tensors(path, weights=True, what=what)
    if metadata.get("format") != _FORMAT:
        raise StorageError(f"{path}: not of format {_FORMAT}: name another folder")
    try:
        return json.loads(metadata["head"]), tensors
    except (KeyError, ValueError) as error:
        raise StorageError(f"{path}: damaged or not a {what}") from error


def restore(
    tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module], optimiser: Optimizer
) -> None:
    """Load the weights and moments of `load_state`, on the devices of the modules.

    Raises:
        StorageError: their names or shapes do not match.
    """
    moments: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, dict[str, Tensor]] = {name: {} for name in modules}
    try:
        for name, tensor in tensors.items():
            prefix, rest = name.split(".", 1)
            if prefix == _OPTIMISER:
                index, moment = rest.split(".", 1)
                moments.setdefault(int(index), {})[moment] = tensor
            else:
                weights[prefix][rest] = tensor
        for name, module in modules.items():
            module.load_state_dict(weights[name])
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
    except (KeyError, RuntimeError, ValueError) as error:
        raise StorageError("the state of this training does not fit its configuration") from error


def as_json(value: Any) -> Any:
    """A value as strict JSON can hold it: tuples become lists, infinity becomes `"inf"`."""
    if isinstance(value, Mapping):
        return {name: as_json(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(own) for own in value]
    return "inf" if value == inf else value


def check_same_run(begun: Mapping[str, Any], asked: Mapping[str, Any], folder: Path) -> None:
    """Refuse to resume a training with another configuration.

    Args:
        begun: configuration in the state file.
        asked: configuration of this call, from `as_json`.
        folder: of the training, for the message.

    Raises:
        ConfigError: names the fields that differ.
    """
    begun = as_json(begun)  # older files hold Infinity
    fields = [name for name in asked if begun.get(name) != asked[name]]
    fields += [name for name in begun if name not in asked]
    if fields:
        raise ConfigError(
            f"{folder}: begun with another configuration (differs in {', '.join(fields)}): "
            "give the same options, or another folder"
        )
