"""All that a configuration names, built before any work: encoders, tracks, cache, workers."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar

from tqdm import tqdm

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import SPLITS, Track
from mirprobe.data.tracks import Tracks, limit_tracks, prepare_audio
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.throughput import ThroughputStore
from mirprobe.encoders.combined import Pca
from mirprobe.encoders.specs import make_encoder
from mirprobe.evaluation.config import Resources, RunConfig, resolve
from mirprobe.evaluation.setup import make_dataset, probed_layers, require_complete

if TYPE_CHECKING:
    from mirprobe.embedding.ray_cluster import RayWorkers

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What encoders are to embed, and how.

    Attributes:
        config: the options of the run, with the resolved precision.
        resources: device and precision of encoders in this process.
        cache: where embeddings are kept.
        dataset: whose tracks they are.
        tracks: of each split.
        encoders: by specification.
        layers: that are kept of each.
        workers: who encode; None is this process.
    """

    config: RunConfig
    resources: Resources
    cache: Cache
    dataset: Dataset
    tracks: Tracks
    encoders: Mapping[str, Encoder]
    layers: Mapping[str, tuple[str, ...]]
    workers: RayWorkers | None

    @property
    def every_track(self) -> list[Track]:
        """Those of all splits."""
        return [track for split in SPLITS for track in self.tracks[split]]

    def prepare(self) -> None:
        """Render or fetch what audio is missing, with a bar.

        Raises:
            ConfigError: the data set raised an error of its own.
        """
        prepare_audio(self.dataset, self.every_track)

    def heard(self, spec: str) -> tuple[str, Encoder]:
        """What of an encoder hears audio, and is cached: of `pca` the encoder within."""
        encoder = self.encoders[spec]
        return (encoder.name, encoder.encoder) if isinstance(encoder, Pca) else (spec, encoder)

    def speed(self, spec: str) -> float:
        """How fast one of the encoders is on this machine; NaN if that was never measured."""
        return self._speeds.known(self.heard(spec)[1])

    def clock(self, embedder: Embedder) -> None:
        """Measure how fast an encoder is that has just encoded something on this machine.

        Raises:
            StorageError: the cache's folder cannot be written.
        """
        if embedder.encoded and self.workers is None:
            self._speeds.learn(embedder.name, embedder.encoder, embedder.batch)

    @property
    def _speeds(self) -> ThroughputStore:
        return ThroughputStore(self.cache.folder, self.resources.device, self.resources.precision)

    def embedder(self, spec: str) -> Embedder:
        """One of the encoders with the cache around it."""
        name, encoder = self.heard(spec)
        layers, dtype = self.layers[spec], self.config.dtype
        device, precision = self.resources.device, self.resources.precision
        if self.workers is not None:
            from mirprobe.embedding.ray_cluster import ClusterEmbedder

            return ClusterEmbedder(
                name,
                encoder,
                self.cache,
                self.workers,
                layers=layers,
                dtype=dtype,
                precision=precision,
            )
        return Embedder(
            name,
            encoder,
            self.cache,
            layers=layers,
            device=device,
            dtype=dtype,
            precision=precision,
        )

    def bar(self, spec: str, results: Iterable[T]) -> Iterable[T]:
        """Results of an encoder's tracks, counted by a progress bar."""
        return tqdm(results, spec, len(self.every_track), leave=False, disable=None)

    def note(self, problems: dict[str, str], found: Mapping[str, str]) -> None:
        """Add tracks that cannot be used to `problems`.

        Raises:
            TrackError: there is one, and `config.strict` is set.
        """
        for track, reason in found.items():
            if self.config.strict:
                raise TrackError(f"track '{track}': {reason}")
            problems.setdefault(track, reason)


@contextmanager
def planned(
    config: RunConfig,
    *,
    encoders: Mapping[str, Encoder] | None = None,
    dataset: Dataset | None = None,
) -> Iterator[Plan]:
    """Build what a configuration names, before any work; workers are let go at the end.

    Args:
        config: what to do.
        encoders: instances to use for the names in `config.encoders` rather than the registry's.
        dataset: likewise, for what the configuration names.

    Raises:
        ConfigError: an unknown name, a data set that cannot serve, or a package that is missing.
    """
    cache = Cache(config.cache_dir)
    resources = resolve(config)
    config = replace(config, precision=resources.precision)
    workers = _workers(config)
    # a broken plug-in or a misspelt name must show before an hour of work, not after it
    dataset = dataset or make_dataset(config)
    built = {
        spec: encoders[spec] if encoders and spec in encoders else make_encoder(spec)
        for spec in config.encoders
    }
    require_complete(built, Encoder, "encoder")
    layers = {spec: probed_layers(spec, encoder, config) for spec, encoder in built.items()}
    tracks = limit_tracks(dataset, config.limit)
    try:
        yield Plan(config, resources, cache, dataset, tracks, built, layers, workers)
    finally:
        if workers is not None:
            workers.close()


def _workers(config: RunConfig) -> RayWorkers | None:
    if config.engine == "local":
        return None
    if find_spec("ray") is None:
        raise ConfigError("engine 'ray' needs Ray; pip install 'mirprobe[ray]'")
    from mirprobe.embedding.ray_cluster import RayWorkers

    return RayWorkers(config.device)
