"""Builds data set, tasks and encoders of a run, and checks them before any work."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder, draw_option_of, info_columns, info_of
from mirprobe.api.registry import TASKS
from mirprobe.api.specs import nearest, split_name, with_option
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, PluginError, plugin_errors
from mirprobe.data.combined import CrossedDataset, JoinedDataset
from mirprobe.data.paths import DataFolders, joined_specs
from mirprobe.encoders.declaration import CheckedEncoder
from mirprobe.encoders.process_state import kept_process_state
from mirprobe.encoders.specs import checked_encoder, split_pca
from mirprobe.evaluation.config import RunConfig
from mirprobe.probing.pca import components_fingerprint
from mirprobe.probing.subsets import FewLabels

log = logging.getLogger(__name__)


def make_dataset(config: RunConfig, instances: Mapping[str, Dataset] | None = None) -> Dataset:
    """The data set of a run: a single, a joined (`A+B`) or a crossed one.

    Args:
        config: names the data set.
        instances: data sets to use for specifications rather than the registry's.

    Raises:
        ConfigError: a name or an option is unknown, or the data sets cannot be combined.
    """

    folders = DataFolders(config.local_folder, config.data_home)

    def side(spec: str) -> Dataset:
        if instances and spec in instances:
            return instances[spec]
        if "->" in spec:
            train, _, test = (part.strip() for part in spec.partition("->"))
            raise ConfigError(
                f"data set '{spec}': give '{train}' as train_dataset and '{test}' as test_dataset"
            )
        parts = [folders.open(part) for part in joined_specs(spec)]
        return JoinedDataset(parts) if len(parts) > 1 else parts[0]

    if config.train_dataset and config.test_dataset and config.test_tracks:
        train, test = side(config.train_dataset), side(config.test_dataset)
        return CrossedDataset(train, test, config.test_tracks)
    return side(config.data)


def make_task(name: str, dataset: Dataset) -> Task:
    """A registered task, built with the data set of a run.

    Raises:
        ConfigError: the name is unknown, the data set lacks what the task needs, or a crossed
            data set declares different labels on its two sides.
    """
    with kept_process_state():
        task = TASKS.create(name, dataset)
    if not isinstance(dataset, CrossedDataset):
        return task
    learned: tuple[str, ...] = getattr(TASKS.create(name, dataset.train), "labels", ())
    tested: tuple[str, ...] = getattr(task, "labels", ())
    if tuple(learned) != tuple(tested):
        odd = sorted(set(learned) ^ set(tested))
        reason = f"'{odd[0]}' is a label of only one of them" if odd else "in another order"
        raise ConfigError(
            f"task '{name}': data sets '{dataset.train.name}' and '{dataset.test.name}' declare "
            f"different labels ({reason}); train and test on one of them"
        )
    return task


def few_labels(config: RunConfig) -> FewLabels:
    """The subsets of the training split that a run probes."""
    scaled = config.valid_tracks == "scaled"
    return FewLabels(config.train_sizes, config.shot_sizes, config.repeats, scaled)


def require_complete(plugins: Mapping[str, object], protocol: type, kind: str) -> None:
    """Check that plug-ins have all attributes of their protocol.

    Raises:
        ConfigError: a plug-in lacks attributes; the message names both.
    """
    for name, plugin in plugins.items():
        with plugin_errors(f"{kind} '{name}' has a member that cannot be read", "correct it"):
            missing = [wanted for wanted in protocol.__annotations__ if not hasattr(plugin, wanted)]
        if missing:
            lacks = ", ".join(missing)
            raise ConfigError(
                f"{kind} '{name}' lacks {lacks}; see mirprobe.{protocol.__name__}, and check it "
                f"with `mirprobe validate-{kind}`"
            )


def choose_layers(layers: Sequence[str], choice: str | Sequence[str]) -> tuple[str, ...]:
    """Which of an encoder's layers to probe.

    Args:
        layers: all layers of the encoder.
        choice: `all`, `thirds` (the layers at one third, two thirds and the end: 4, 8 and 12 of
            12), or names. An encoder with one layer is always probed there.

    Raises:
        ConfigError: `choice` is empty, names a layer twice or names an unknown one.
    """
    if choice == "all" or len(layers) == 1:
        return tuple(layers)
    if choice == "thirds":
        places = sorted({max(1, round(len(layers) * third / 3)) for third in (1, 2, 3)})
        return tuple(layers[place - 1] for place in places)
    names = [choice] if isinstance(choice, str) else [str(name) for name in choice]
    for name in names:
        if name not in layers:
            raise ConfigError(f"unknown layer '{name}'; {nearest(name, layers)}")
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"layers '{','.join(names)}': name at least one, and none twice")
    return tuple(names)


@dataclass(frozen=True)
class ProbedEncoder:
    """An encoder of a run, and which part of its embeddings the run probes.

    Attributes:
        name: in the rows of `scores.csv`: the one that was given to it, or its specification
            (`pca(ENCODER,DIM)` with components).
        encoder: the encoder itself; of a family of draws the first.
        draws: specification and encoder of each draw; one for an encoder that is no family.
        layers: the probed layers.
        components: how many principal components are probed; None for the whole embeddings.
        info: the columns of `scores.csv` that describe it.
        training_ids: of the tracks that it declares to be trained on.
    """

    name: str
    encoder: Encoder
    layers: tuple[str, ...]
    components: int | None
    info: Mapping[str, Any]
    draws: tuple[tuple[str, Encoder], ...]
    training_ids: frozenset[str]

    @property
    def dim(self) -> int:
        """Size of a vector that is probed."""
        return self.encoder.dim if self.components is None else self.components

    @property
    def fingerprint(self) -> str:
        """That of the encoder, or with components one of both."""
        fingerprint = self.encoder.fingerprint
        if self.components is None:
            return fingerprint
        return components_fingerprint(fingerprint, self.components)


def _other_draws(base: str, encoder: CheckedEncoder, count: int) -> Iterator[tuple[str, Encoder]]:
    """Specification and encoder of the draws after the first, if the encoder is a family."""
    option = draw_option_of(encoder.plugin)
    for draw in range(1, count if option else 1):
        spec = with_option(base, option, draw)
        yield spec, checked_encoder(spec)


def make_encoders(
    config: RunConfig,
    instances: Mapping[str, Encoder] | None = None,
    broken: MutableMapping[str, str] | None = None,
) -> dict[str, ProbedEncoder]:
    """The encoders of a run by the names that they have in its rows.

    Args:
        config: names encoders, layers and components.
        instances: encoders to use for specifications rather than the registry's.
        broken: gets name -> reason of encoders whose own code is at fault, if others are left.

    Raises:
        ConfigError: an encoder is unknown or named twice, or lacks a layer or the dimensions for
            the components.
        PluginError: no encoder can be built, or `broken` is None and one cannot.
    """
    found: dict[str, ProbedEncoder] = {}
    errors: dict[str, PluginError] = {}
    for given in config.encoders:
        name, spec = split_name(given)
        base, components = split_pca(spec)
        if config.pca is not None:
            if components is not None:
                raise ConfigError(f"encoder '{spec}': give the components here or by pca, not both")
            components, spec = config.pca, f"pca({base},{config.pca})"
            name = name and f"pca({name},{config.pca})"
        name = name or spec
        if name in found or name in errors:
            raise ConfigError(f"two encoders are called '{name}'; name one with NAME=ENCODER")
        try:
            if instances and base in instances:
                encoder = CheckedEncoder(base, instances[base])
            else:
                encoder = checked_encoder(base)
            info = info_columns(base, encoder)
            heard = frozenset(info_of(base, encoder).training_ids)
        except PluginError as raised:
            errors[name] = raised
            continue
        try:
            layers = choose_layers(encoder.layers, config.layers)
        except ConfigError as error:
            raise ConfigError(f"encoder '{spec}': {error}") from error
        alone = len(config.encoders) == 1  # among others, such an encoder is a usual baseline
        if alone and config.layers not in ("all", "thirds") and layers[0] not in config.layers:
            chosen = ",".join(config.layers)
            log.info("encoder '%s': its only layer, %s, is used, not %s", spec, layers[0], chosen)
        dim = encoder.dim
        if components is not None and not 1 <= components <= dim:
            raise ConfigError(f"{spec}: '{base}' has {dim} dimensions; keep 1 to {dim}")
        info["dim"] = dim if components is None else components
        draws = ((base, encoder), *_other_draws(base, encoder, config.draws))
        found[name] = ProbedEncoder(name, encoder, layers, components, info, draws, heard)
    for name, fault in errors.items():
        if broken is None or not found:
            raise fault
        broken[name] = str(fault)
    return found
