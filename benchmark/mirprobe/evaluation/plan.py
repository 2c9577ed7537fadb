"""Builds everything that a configuration names: encoders, tracks, cache, workers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tqdm import tqdm

from mirprobe.api.dataset import Dataset
from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import SPLITS, Level, Split, Track
from mirprobe.data.tracks import Tracks, limit_tracks, prepare_audio, tracks_of
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder, Keys
from mirprobe.embedding.throughput import ThroughputStore
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.device import Resources, find_device, find_precision
from mirprobe.evaluation.setup import ProbedEncoder, make_dataset, make_encoders
from mirprobe.reporting.shared_cells import SharedCells

if TYPE_CHECKING:
    from mirprobe.embedding.ray_cluster import RayWorkers


@dataclass(frozen=True)
class Plan:
    """What a run embeds, and with what.

    Attributes:
        config: the configuration; its precision is never `auto`.
        resources: device and precision of encoders in this process.
        cache: where embeddings are kept.
        dataset: the data set.
        tracks: its tracks, by split.
        encoders: by their names in the rows.
        broken: name -> reason of the encoders that could not be built.
        workers: the workers of a cluster that encode; None if this process encodes.
        shared: whether cells that other runs have finished are used.
        perturbed: perturbation -> the test tracks with it, or the tracks of all splits.
        dropped: number of test tracks that are left out because they leak; None if not sought.
    """

    config: RunConfig
    resources: Resources
    cache: Cache
    dataset: Dataset
    tracks: Tracks
    encoders: Mapping[str, ProbedEncoder]
    broken: Mapping[str, str]
    workers: RayWorkers | None
    shared: bool = True
    perturbed: Mapping[str, Tracks] = field(default_factory=dict)
    dropped: int | None = None

    @property
    def shared_cells(self) -> SharedCells:
        """The finished cells of all runs with this cache."""
        return SharedCells(self.cache.cells)

    @property
    def every_track(self) -> list[Track]:
        """The tracks of all splits."""
        return tracks_of(self.tracks)

    @property
    def perturbed_splits(self) -> Sequence[Split]:
        """The splits that perturbations are applied to."""
        return SPLITS if self.config.perturb_train else ("test",)

    def prepare(self) -> None:
        """Render or download missing audio, with a progress bar.

        Raises:
            ConfigError: the data set raised any other error.
        """
        prepare_audio(self.dataset, self.every_track)
        for tracks in self.perturbed.values():
            played = [track for track in tracks_of(tracks) if not track.perturbation]
            prepare_audio(self.dataset, played)

    def speed(self, probed: ProbedEncoder) -> float:
        """The measured speed of an encoder on this machine; NaN if it was never measured."""
        return self._speeds.get(probed.encoder)

    @property
    def _speeds(self) -> ThroughputStore:
        return ThroughputStore(self.cache.folder, self.resources.device, self.resources.precision)

    def embedder(self, probed: ProbedEncoder, draw: int = 0) -> Embedder:
        """A draw of an encoder with the cache around it."""
        own = self.resources
        config = self.config
        encoding = Encoding(
            probed.layers, own.device, config.dtype, own.precision, config.batch_size
        )
        if self.workers is None:
            return Embedder(*probed.draws[draw], self.cache, encoding)
        from mirprobe.embedding.ray_cluster import ClusterEmbedder

        return ClusterEmbedder(*probed.draws[draw], self.cache, encoding, self.workers)

    def fill(
        self,
        embedder: Embedder,
        levels: Sequence[Level],
        tracks: Sequence[Track],
        problems: dict[str, str],
    ) -> tuple[dict[str, Keys], dict[str, str]]:
        """Embed tracks into the cache, with a progress bar, then measure the encoder's speed.

        No embedding is read: what stays in memory must not lie between what the encoder frees.

        Returns:
            The keys of each track's embeddings, and why the other tracks are unusable.

        Raises:
            EncoderError: as for `Embedder.fill`.
            StorageError: the cache's folder cannot be written.
            TrackError: as for `add_problems`.
        """
        filled: dict[str, Keys] = {}
        unusable: dict[str, str] = {}
        results = embedder.fill(tracks, levels)
        for track, keys in tqdm(results, embedder.name, len(tracks), leave=False, disable=None):
            if isinstance(keys, TrackError):
                unusable[track.id] = str(keys)
                self.add_problems(problems, unusable)
            else:
                filled[track.id] = keys
        if embedder.encoded and self.workers is None:
            self._speeds.measure(embedder.name, embedder.encoder, embedder.batch)
        return filled, unusable

    def fill_perturbed(
        self, embedder: Embedder, levels: Sequence[Level], problems: dict[str, str]
    ) -> dict[str, dict[str, Keys]]:
        """Embed the disturbed tracks as `fill`; for each perturbation the keys of its tracks."""
        return {
            text: self.fill(embedder, levels, tracks_of(tracks), problems)[0]
            for text, tracks in self.perturbed.items()
        }

    def add_problems(self, problems: dict[str, str], found: Mapping[str, str]) -> None:
        """Add tracks that cannot be used, with the reasons, to `problems`.

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
    shared: bool = True,
) -> Iterator[Plan]:
    """Build everything that a configuration names, before any work; workers are closed at the end.

    Args:
        config: the configuration.
        encoders: instances to use for specifications rather than the registry's.
        dataset: an instance to use rather than the registry's.
        shared: whether cells that other runs have finished are used.

    Raises:
        ConfigError: an unknown name, an unsuitable data set, or a missing package.
    """
    cache = Cache(config.cache_dir, config.local_folder)
    device = find_device(config.device)
    resources = Resources(device, find_precision(config.precision, device))
    config = replace(config, precision=resources.precision)
    workers = _workers(config)
    try:
        # a broken plug-in or a misspelt name must show before an hour of work, not after it
        dataset = dataset or make_dataset(config)
        broken: dict[str, str] = {}
        built = make_encoders(config, encoders, broken)
        tracks = limit_tracks(dataset, config.limit, config.test_limit)
        yield Plan(config, resources, cache, dataset, tracks, built, broken, workers, shared)
    finally:
        if workers is not None:
            workers.close()


def _workers(config: RunConfig) -> RayWorkers | None:
    if config.engine == "local":
        return None
    if find_spec("ray") is None:
        raise ConfigError("engine 'ray' needs Ray; pip install 'mirprobe[ray]'")
    from mirprobe.embedding.ray_cluster import RayWorkers

    return RayWorkers(config.device, config.gpu_workers, config.chunk)
