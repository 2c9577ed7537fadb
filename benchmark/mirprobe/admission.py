"""What a run asks of its plug-ins and data before any work, so that faults show at once."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from tqdm import tqdm

from mirprobe.config import RunConfig
from mirprobe.dataset import Dataset
from mirprobe.embed import choose_layers
from mirprobe.encoders.protocol import Encoder
from mirprobe.errors import ConfigError, MirprobeError
from mirprobe.schema import SPLITS, Split, Track

log = logging.getLogger(__name__)

Tracks = Mapping[Split, Sequence[Track]]


def limited(dataset: Dataset, limit: int | None) -> Tracks:
    """At most `limit` tracks of each split.

    Raises:
        ConfigError: a split is empty, or two tracks share an id.
    """
    splits = dataset.splits()
    for split in SPLITS:
        if not splits.get(split):
            raise ConfigError(f"data set '{dataset.name}' has no tracks in split '{split}'")
    known: set[str] = set()
    for track in (track for split in SPLITS for track in splits[split]):
        if track.id in known:
            raise ConfigError(f"data set '{dataset.name}' has two tracks '{track.id}'; rename one")
        known.add(track.id)
    return {split: list(splits[split])[:limit] for split in SPLITS}


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


def probed_layers(spec: str, encoder: Encoder, config: RunConfig) -> tuple[str, ...]:
    """The layers that a run probes in an encoder.

    Raises:
        ConfigError: the encoder lacks one.
    """
    try:
        return choose_layers(encoder.layers, config.layers)
    except ConfigError as error:
        raise ConfigError(f"encoder '{spec}': {error}") from error


def prepare(dataset: Dataset, tracks: Sequence[Track]) -> None:
    """Render or fetch what audio of the data set is missing, with a bar.

    Raises:
        ConfigError: the data set raised an error of its own.
    """
    title = f"audio of {dataset.name}"
    try:
        for _ in tqdm(dataset.prepare(tracks), title, len(tracks), leave=False, disable=None):
            pass
    except MirprobeError:
        raise
    except Exception as error:
        log.debug("data set '%s'", dataset.name, exc_info=True)
        raise ConfigError(
            f"data set '{dataset.name}' cannot make its audio ({type(error).__name__}: {error})"
        ) from error
