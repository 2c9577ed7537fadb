"""What a run does: a frozen dataclass, from the command line or from a suite of its fields."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch

from mirprobe.api.registry import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.number_types import Dtype, Precision
from mirprobe.data.combined import TEST_TRACKS
from mirprobe.data.paths import DATA_HOME
from mirprobe.embedding.remote_store import CACHE, is_url
from mirprobe.probing.probes import probe_config

QUICK_ENCODERS = ("vit1d", "logmel", "mfcc", "chroma", "vit1d-random")
QUICK_TASKS = ("tagging", "key", "chord", "beat")
DATASET = "studio"

AnyPrecision = Literal["auto", Precision]
Engine = Literal["local", "ray"]


@dataclass(frozen=True)
class RunConfig:
    """Every field can stand in a suite file; those that are left out keep their default.

    Attributes:
        encoders: specifications, as `encoders.specs.make_encoder` reads them.
        tasks: names.
        dataset: specification; several joined by `+` are used as one.
        train_dataset: specification, in the place of `dataset`, of what is trained and validated
            on. Goes with `test_dataset`.
        test_dataset: specification of what is tested on.
        test_tracks: `all` tracks of `test_dataset`, whatever their split, and the test split of
            `train_dataset` trains too: each serves one thing alone (what None becomes where there
            are two); or `test`, where both keep to their splits.
        layers: `thirds`, `all` or names, as `admission.choose_layers` reads them.
        probe: `linear` or `mlp`.
        preset: `standard` or `paper`.
        seeds: one probe a seed.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: of the cached embeddings, `float16` or `float32`.
        precision: that encoders work in: `32` is their own; `bf16` and `fp16` put them under
            torch's autocast; `auto` is `bf16` on a GPU that has it, and `32` elsewhere.
        engine: where encoders work: `local` is this process, `ray` the workers of a Ray cluster.
            `precision: auto` is decided here, and `device: auto` is a GPU a worker where the
            cluster has any.
        limit: at most so many tracks of each split; None for all.
        strict: a track that cannot be used ends the run.
        data_home: of data sets that no program here can make, one folder each.
        cache_dir: of embeddings and of what data sets render; or an address that fsspec knows,
            such as `s3://bucket/path`, of embeddings alone.
        results_dir: where the run's folder goes.
    """

    encoders: tuple[str, ...] = QUICK_ENCODERS
    tasks: tuple[str, ...] = QUICK_TASKS
    dataset: str | None = None
    train_dataset: str | None = None
    test_dataset: str | None = None
    test_tracks: str | None = None
    layers: str | tuple[str, ...] = "thirds"
    probe: str = "linear"
    preset: str = "standard"
    seeds: tuple[int, ...] = (0,)
    device: str = "auto"
    dtype: Dtype = "float16"
    precision: AnyPrecision = "32"
    engine: Engine = "local"
    limit: int | None = None
    strict: bool = False
    data_home: Path = DATA_HOME
    cache_dir: Path | str = CACHE
    results_dir: Path = Path("results")

    def __post_init__(self) -> None:
        probe_config(self.preset, self.probe)
        self._settle_datasets()
        for name in ("encoders", "tasks", "seeds"):
            values = getattr(self, name)
            if not values:
                raise ConfigError(f"'{name}' is empty; name at least one")
            if len(set(values)) < len(values):
                raise ConfigError(f"'{name}' names one twice: {', '.join(map(str, values))}")
        choices = {"dtype": Dtype, "precision": AnyPrecision, "engine": Engine}
        for name, choice in choices.items():
            value = getattr(self, name)
            if value not in get_args(choice):
                raise ConfigError(f"unknown {name} '{value}'; {nearest(value, get_args(choice))}")
        if self.engine == "ray" and self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(
                f"device is '{self.device}'; engine 'ray' takes auto, cpu or cuda, and gives each "
                "worker a GPU of its own"
            )
        for seed in self.seeds:
            if not 0 <= seed < 2**63:
                raise ConfigError(f"seed {seed} must lie between 0 and 2**63 - 1")
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit is {self.limit}; it must be at least 1")

    def _settle_datasets(self) -> None:
        """Fill in what follows from the other fields about data sets; refuse what does not fit."""
        sides = (self.train_dataset, self.test_dataset)
        if sides == (None, None):
            if self.test_tracks is not None:
                raise ConfigError("'test_tracks' goes with 'train_dataset' and 'test_dataset'")
            if self.dataset is None:
                object.__setattr__(self, "dataset", DATASET)
            return
        if None in sides:
            raise ConfigError("'train_dataset' and 'test_dataset' go together; give both")
        if self.dataset is not None:
            raise ConfigError(
                "'dataset' stands beside 'train_dataset' and 'test_dataset'; give it alone, or "
                "the other two"
            )
        if self.test_tracks is None:
            object.__setattr__(self, "test_tracks", "all")
        elif self.test_tracks not in TEST_TRACKS:
            known = nearest(self.test_tracks, TEST_TRACKS)
            raise ConfigError(f"unknown test_tracks '{self.test_tracks}'; {known}")

    @property
    def data(self) -> str:
        """What the rows call the data: a specification, or `TRAIN -> TEST`."""
        return self.dataset or f"{self.train_dataset} -> {self.test_dataset}"

    def torch_device(self) -> str:
        """The device that `device` means on this machine.

        Raises:
            ConfigError: it is not there.
        """
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        try:
            torch.empty(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(
                f"device '{self.device}' cannot be used: choose auto, cpu, cuda or mps ({reason})"
            ) from error
        return self.device

    def torch_precision(self, device: str) -> Precision:
        """The precision that `precision` means on a device."""
        if self.precision != "auto":
            return self.precision
        cuda = device.startswith("cuda")
        return "bf16" if cuda and torch.cuda.is_bf16_supported() else "32"


def make_config(values: Mapping[str, Any], origin: str = "") -> RunConfig:
    """A RunConfig from plain values; one string stands for a list of one.

    Raises:
        ConfigError: a field is unknown (with the nearest known one) or of a wrong type.
    """
    hints = get_type_hints(RunConfig)
    known = [field.name for field in fields(RunConfig)]
    cast = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigError(f"{origin}unknown field '{name}'; {nearest(str(name), known)}")
        try:
            cast[name] = _cast(value, hints[name])
        except _Wrong as error:
            message = f"{origin}field '{name}' is {value!r}; it takes {error}"
            raise ConfigError(message) from None
    try:
        return RunConfig(**cast)
    except ConfigError as error:
        raise ConfigError(f"{origin}{error}") from error


class _Wrong(Exception):
    """A value of a wrong type; says what its field takes."""


def _cast(value: Any, hint: Any) -> Any:
    """`value` as the annotated type of its field."""
    if get_origin(hint) is Literal:
        if type(value) is int and str(value) in get_args(hint):  # as YAML reads `precision: 32`
            return str(value)
        hint = str  # the dataclass itself refuses what is not among the choices
    if get_origin(hint) in (types.UnionType, None):
        choices = get_args(hint) or (hint,)
        if value is None and type(None) in choices:
            return None
        if Path in choices and isinstance(value, str | Path):
            return value if str in choices and is_url(value) else Path(value)
        for choice in (str, int, bool):
            # bool is an int to Python, but not to a reader of the suite
            if choice in choices and type(value) is choice:
                return value
    sequence = next((h for h in (hint, *get_args(hint)) if get_origin(h) is tuple), None)
    if sequence is not None:
        item = get_args(sequence)[0]
        items = value if isinstance(value, list | tuple) else [value]
        if item is str:
            items = [str(one) if type(one) in (str, int) else one for one in items]
        if all(type(one) is item for one in items):
            return tuple(items)
        raise _Wrong(f"a list of {item.__name__}")
    choices = get_args(hint) or (hint,)
    names = ["null" if choice is type(None) else choice.__name__ for choice in choices]
    raise _Wrong(" or ".join(names))
