"""A training on disk: all that a killed run needs to go on as if nothing had happened.

One safetensors file, replaced as a whole: weights and heads, the optimiser's moments, and as JSON
the steps done and what the run was begun with. No pickle, and no state of any random generator:
what a step draws depends on the seed and the step alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from mirprobe.core.atomic_write import replacing
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import file_digest
from mirprobe.vit1d.checkpoint import load_checkpoint, read_notes
from mirprobe.vit1d.model import ViT1DConfig

_FORMAT = "mirprobe.fit.1"
_MODULE, _OPTIMISER = "module.", "optimiser."


class State(NamedTuple):
    """What `load_state` found.

    Attributes:
        head: the facts that `save_state` was given.
        tensors: by name.
    """

    head: dict[str, Any]
    tensors: dict[str, Tensor]


class InitialWeights(NamedTuple):
    """The weights of an earlier training.

    Attributes:
        digest: of their file.
        weights: by name.
        notes: how they came about.
    """

    digest: str
    weights: dict[str, Tensor]
    notes: dict[str, str]

    @classmethod
    def load(cls, path: str | Path | None, model: ViT1DConfig) -> InitialWeights | None:
        """Read them from a checkpoint; None of None.

        Raises:
            StorageError: it cannot be read, or is of another configuration.
        """
        if path is None:
            return None
        weights = load_checkpoint(path, expected=model).state_dict()
        return cls(file_digest(path), weights, read_notes(path))


def save_state(
    path: Path, module: nn.Module, optimiser: Optimizer, head: Mapping[str, Any]
) -> None:
    """Write the state of a training, whole or not at all.

    Args:
        path: the file to write or replace.
        module: what is trained.
        optimiser: its moments are written; its options are the caller's to know.
        head: facts that JSON can hold.

    Raises:
        StorageError: the disk cannot be written; an older file is kept.
    """
    tensors = {_MODULE + name: tensor for name, tensor in module.state_dict().items()}
    for index, moments in optimiser.state_dict()["state"].items():
        for name, tensor in moments.items():
            tensors[f"{_OPTIMISER}{index}.{name}"] = tensor
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as file:
        file.write(save(whole, metadata={"format": _FORMAT, "head": json.dumps(head)}))


def load_state(path: Path) -> State:
    """Read the state of a training.

    Raises:
        StorageError: the file is missing, damaged or not the state of a training.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise StorageError(f"{path}: not of format {_FORMAT}: name another folder")
            head: dict[str, Any] = json.loads(metadata["head"])
            return State(head, {name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError) as error:
        raise StorageError(
            f"{path}: damaged or not a training's state: name another folder, and begin with the "
            "weights beside it (--begin-with)"
        ) from error
    except OSError as error:
        raise StorageError(f"{path}: cannot be read ({error.strerror or error})") from error


def restore(state: State, module: nn.Module, optimiser: Optimizer) -> None:
    """Put weights and moments back where they were, on whatever device the module is.

    Raises:
        StorageError: they do not fit.
    """
    moments: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, Tensor] = {}
    for name, tensor in state.tensors.items():
        if name.startswith(_MODULE):
            weights[name.removeprefix(_MODULE)] = tensor
        else:
            index, moment = name.removeprefix(_OPTIMISER).split(".", 1)
            moments.setdefault(int(index), {})[moment] = tensor
    try:
        module.load_state_dict(weights)
        groups = optimiser.state_dict()["param_groups"]
        optimiser.load_state_dict({"state": moments, "param_groups": groups})
    except (RuntimeError, ValueError) as error:
        raise StorageError("the state of this training does not fit its configuration") from error


def as_json(**facts: Any) -> dict[str, Any]:
    """Facts as they come back from JSON, where tuples are lists."""
    values: dict[str, Any] = json.loads(json.dumps(facts))
    return values


def check_same_run(begun: Mapping[str, Any], asked: Mapping[str, Any], place: Path) -> None:
    """A training goes on only as it was begun.

    Raises:
        ConfigError: naming the fields that differ.
    """
    fields = [name for name in asked if begun.get(name) != asked[name]]
    fields += [name for name in begun if name not in asked]
    if fields:
        raise ConfigError(
            f"{place}: begun with another configuration (differs in {', '.join(fields)}): "
            "give the same options, or another folder"
        )


def all_finite(module: nn.Module) -> bool:
    """Whether no weight is NaN or infinite; one answer from the device for all of them."""
    with torch.no_grad():
        return bool(torch.stack([p.isfinite().all() for p in module.parameters()]).all())
