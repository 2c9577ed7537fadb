"""What a run asks of its plug-ins and data before any work, so that faults show at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.api.registry import DATASETS, TASKS
from mirprobe.api.specs import nearest
from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError
from mirprobe.data.combined import CrossedDataset, JoinedDataset
from mirprobe.data.paths import dataset_root, joined_specs
from mirprobe.embedding.remote_store import local_folder
from mirprobe.evaluation.config import RunConfig

log = logging.getLogger(__name__)


def make_dataset(config: RunConfig, instances: Mapping[str, Dataset] | None = None) -> Dataset:
    """The data set of a run: a plain, a joined (`A+B`) or a crossed one.

    Args:
        config: names it.
        instances: data sets to use for specifications rather than the registry's.

    Raises:
        ConfigError: a name is unknown or an option refused, or data sets cannot be put together.
    """

    def plain(spec: str) -> Dataset:
        folder = local_folder(config.cache_dir)
        root = dataset_root(spec, cache_dir=folder, data_home=config.data_home)
        return DATASETS.create(spec, root=root)

    def side(spec: str) -> Dataset:
        if instances and spec in instances:
            return instances[spec]
        if "->" in spec:
            train, _, test = (part.strip() for part in spec.partition("->"))
            raise ConfigError(
                f"data set '{spec}': give '{train}' as train_dataset and '{test}' as test_dataset"
            )
        parts = [plain(part) for part in joined_specs(spec)]
        return JoinedDataset(parts) if len(parts) > 1 else parts[0]

    if config.train_dataset and config.test_dataset and config.test_tracks:
        train, test = side(config.train_dataset), side(config.test_dataset)
        return CrossedDataset(train, test, config.test_tracks)
    return side(config.data)


def make_task(name: str, dataset: Dataset) -> Task:
    """A registered task, built with a run's data set.

    Raises:
        ConfigError: the name is unknown, the data set does not serve the task, or it is crossed
            and its two sides declare different labels.
    """
    task = TASKS.create(name, dataset)
    if not isinstance(dataset, CrossedDataset):
        return task
    learned: tuple[str, ...] = getattr(TASKS.create(name, dataset.train), "labels", ())
    tested: tuple[str, ...] = getattr(task, "labels", ())
    if tuple(learned) != tuple(tested):
        odd = sorted(set(learned) ^ set(tested))
        reason = f"'{odd[0]}' is a label of one alone" if odd else "in another order"
        raise ConfigError(
            f"task '{name}': data sets '{dataset.train.name}' and '{dataset.test.name}' declare "
            f"different labels ({reason}); train and test on one of them"
        )
    return task


def require_complete(plugins: Mapping[str, object], protocol: type, kind: str) -> None:
    """Refuse a plug-in that lacks an attribute of its protocol.

    Raises:
        ConfigError: names plug-in and attributes.
    """
    for name, plugin in plugins.items():
        missing = [wanted for wanted in protocol.__annotations__ if not hasattr(plugin, wanted)]
        if missing:
            lacks = ", ".join(missing)
            raise ConfigError(f"{kind} '{name}' lacks {lacks}; see mirprobe.{protocol.__name__}")


def choose_layers(layers: Sequence[str], choice: str | Sequence[str]) -> tuple[str, ...]:
    """Which of an encoder's layers to probe.

    Args:
        layers: all that it has.
        choice: `all`, `thirds` (a third and two thirds of the way up, and the last: layers 4, 8
            and 12 of 12), or names. An encoder with one layer is always probed there.

    Raises:
        ConfigError: no name, a name twice, or one that the encoder does not have.
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


def probed_layers(spec: str, encoder: Encoder, config: RunConfig) -> tuple[str, ...]:
    """The layers that a run probes in an encoder.

    Raises:
        ConfigError: the encoder lacks one.
    """
    try:
        return choose_layers(encoder.layers, config.layers)
    except ConfigError as error:
        raise ConfigError(f"encoder '{spec}': {error}") from error
