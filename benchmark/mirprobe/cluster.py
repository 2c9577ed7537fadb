"""Encoding on a Ray cluster: chunks of tracks to workers, which write entries into the cache.

The only module that knows of Ray. Restarts, retries and where a worker runs are Ray's affair. What
a worker must be able to do by itself: import mirprobe, build the encoder by its specification, and
see audio, cache and the working directory under the same paths as the program that gives the order.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util import ActorPool

from mirprobe.cache import Cache
from mirprobe.calls import Precision
from mirprobe.embed import Dtype, Embedder, Filled, Keys, Missing
from mirprobe.encoder_specs import make_encoder
from mirprobe.errors import (
    ChangedEncoderError,
    ConfigError,
    EncoderError,
    MirprobeError,
    StorageError,
    TrackError,
)
from mirprobe.schema import Annotations, Embedding

log = logging.getLogger(__name__)

CHUNK = 16
"""Tracks to a worker at a time: what is encoded again where one dies."""

RETRIES = 3
"""Of a chunk whose worker died."""

LAG = 60.0
"""Seconds after which a file that another machine wrote shows on NFS."""


Outcome = list[str | None] | MirprobeError
"""Of a chunk: for each track None, or why it cannot be used; or the error that ended it."""


@dataclass(frozen=True)
class Order:
    """What a worker must know to encode as the program that gives the order would.

    Attributes:
        spec: of the encoder.
        fingerprint: that it must have.
        layers: to keep.
        dtype: of the entries.
        precision: of the arithmetic.
        device: where the encoder works.
        place: of the cache.
        folder: of the cache on this machine.
        directory: that relative paths start from.
    """

    spec: str
    fingerprint: str
    layers: tuple[str, ...]
    dtype: Dtype
    precision: Precision
    device: str
    place: Path | str
    folder: Path
    directory: Path


class Worker:
    """A process of the cluster with one encoder at a time."""

    def __init__(self) -> None:
        self._order: Order | None = None
        self._embedder: Embedder | None = None

    def encode(self, order: Order, number: int, chunk: Missing) -> tuple[int, Outcome]:
        """Encode a chunk of tracks into the cache; returns its number and what came of it."""
        try:
            if order != self._order or self._embedder is None:
                self._embedder, self._order = None, None  # two encoders may not fit on a device
                self._embedder, self._order = _built(order), order
            results = self._embedder.compute(chunk)
            reasons = {t.id: str(r) for t, r in results if isinstance(r, TrackError)}
        except MirprobeError as error:  # Ray would log it a second time, at length
            return number, error
        return number, [reasons.get(track.id) for track, _ in chunk]

    def idle(self) -> None:
        """Answer, once all that was asked before is done."""


def _built(order: Order) -> Embedder:
    """The encoder as the order wants it, with the cache around it."""
    here = f"in a worker on {platform.node()}"
    try:
        os.chdir(order.directory)
    except OSError as error:
        raise EncoderError(
            f"encoder '{order.spec}': {order.directory} cannot be entered {here} "
            f"({error.strerror}); start the command in a folder that all machines see"
        ) from error
    try:
        encoder = make_encoder(order.spec)
        fingerprint = encoder.fingerprint
    except MirprobeError as error:
        raise EncoderError(
            f"encoder '{order.spec}' cannot be built {here} ({error}); engine 'ray' takes classes "
            "in files and those of packages that every machine has, not instances or classes "
            "registered by a running program"
        ) from error
    if fingerprint != order.fingerprint:
        raise EncoderError(
            f"encoder '{order.spec}' is another one {here}: its fingerprint differs; give every "
            "machine the same files, weights and packages"
        )
    return Embedder(
        order.spec,
        encoder,
        Cache(order.place, order.folder),
        layers=order.layers,
        device=order.device,
        dtype=order.dtype,
        precision=order.precision,
    )


class Workers:
    """Processes of a Ray cluster: one a free GPU where it has GPUs, one a free core elsewhere.

    They are started when they are first needed. The cluster is the one that this program is
    connected to; else that of `RAY_ADDRESS`, or one that runs on this machine; else one is started
    here, and ended by `close`.

    Args:
        device: `auto`, `cpu` or `cuda`.
    """

    def __init__(self, device: str) -> None:
        self._wanted = device
        self._connected = False
        self.actors: list[Any] = []
        self.device = "cpu"

    def start(self) -> None:
        """Connect and start them, unless they are there.

        Raises:
            ConfigError: no cluster answers at `RAY_ADDRESS`, or it has no GPU and one is wanted.
        """
        if self.actors:
            return
        where = "the one in use" if ray.is_initialized() else self._connect()
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        gpus = self._wanted != "cpu" and there.get("GPU", 0) >= 1
        if self._wanted == "cuda" and not gpus:
            raise ConfigError("device 'cuda': the Ray cluster has no GPU; give --device auto")
        self.device = "cuda" if gpus else "cpu"
        count = max(1, int(free.get("GPU" if gpus else "CPU", 1)))
        worker = ray.remote(Worker).options(
            num_cpus=1,
            num_gpus=int(gpus),
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        self.actors = [worker.remote() for _ in range(count)]
        if free.get("GPU" if gpus else "CPU", 0) < 1:
            log.warning("Ray: the cluster is busy; waiting until a worker finds room")
        log.info("Ray: %s; workers: %d, each on a %s", where, count, "GPU" if gpus else "CPU core")

    def _connect(self) -> str:
        """Connect to a cluster; says to which."""
        address = os.environ.get("RAY_ADDRESS")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self._connected = True
        try:
            ray.init(address or "auto", logging_level=logging.ERROR)
        except ConnectionError as error:
            if address:
                raise ConfigError(
                    f"no Ray cluster answers at RAY_ADDRESS={address}; start one there with `ray "
                    "start --head`, or unset the variable"
                ) from error
            ray.init("local", include_dashboard=False, logging_level=logging.ERROR)
            return "a cluster of this machine, started for this command"
        return f"the cluster at {ray.get_runtime_context().gcs_address}"

    def encode(
        self, order: Order, chunks: Sequence[Missing]
    ) -> Iterator[tuple[int, list[str | None]]]:
        """The number of each chunk that is done, and for each of its tracks why it is of no use.

        Raises:
            EncoderError: a worker met it, or died again and again.
            StorageError: a worker met it.
        """
        pool = ActorPool(self.actors)

        def give(worker: Any, item: tuple[int, Missing]) -> Any:
            return worker.encode.remote(order, *item)

        try:
            for number, outcome in pool.map_unordered(give, list(enumerate(chunks))):
                if isinstance(outcome, MirprobeError):
                    raise outcome
                yield number, outcome
        except RayActorError as error:
            raise EncoderError(
                f"encoder '{order.spec}': its worker died, and {RETRIES} more times at the same "
                "tracks or without leave to start again; free memory, or see with --engine local "
                "what it dies of (what is finished is cached)"
            ) from error

    def settle(self) -> None:
        """Wait until none of them works any more."""
        ray.get([actor.idle.remote() for actor in self.actors])

    def close(self) -> None:
        """End them, and the connection or cluster that was made for them."""
        for actor in self.actors:
            ray.kill(actor)
        self.actors = []
        if self._connected:
            ray.shutdown()


class ClusterEmbedder(Embedder):
    """An Embedder whose encoder works on a cluster, and here not at all.

    Args:
        name: of the encoder.
        encoder: only what it declares is read.
        cache: on a path or at an address that all workers see.
        workers: who encode.
        options: as for `Embedder`; the device is the workers'.
    """

    def __init__(self, name: str, encoder: Any, cache: Cache, workers: Workers, **options: Any):
        super().__init__(name, encoder, cache, **options)
        self.workers = workers

    def compute(self, missing: Missing) -> Iterator[Filled]:
        """As `Embedder.compute`, in chunks on all workers."""
        self.workers.start()
        size = max(1, min(CHUNK, -(-len(missing) // len(self.workers.actors))))
        # workers have no use for the truth
        tracks = [(replace(track, annotations=Annotations()), keys) for track, keys in missing]
        chunks = [tracks[first : first + size] for first in range(0, len(tracks), size)]
        try:
            for number, reasons in self.workers.encode(self._order(), chunks):
                own = missing[number * size : (number + 1) * size]
                written = [keys for (_, keys), why in zip(own, reasons, strict=True) if why is None]
                for keys in written[-1:]:
                    self._await(keys)
                for (track, keys), why in zip(own, reasons, strict=True):
                    yield track, keys if why is None else TrackError(why)
        except ChangedEncoderError:
            self.workers.settle()
            self.cache.discard(key for _, keys in missing for key in keys.values())
            raise

    def read(self, keys: Keys) -> Embedding:
        """As `Embedder.read`, once the entries show on this machine."""
        if not all(self.cache.path(key).exists() for key in keys.values()):
            self._await(keys)
        return super().read(keys)

    def _await(self, keys: Keys) -> None:
        """Wait for entries that another machine has written."""
        until = time.monotonic() + LAG
        for key in keys.values():
            while not self.cache.exists(key):
                if time.monotonic() > until:
                    raise StorageError(
                        f"cache '{self.cache.place}': what a worker wrote does not show here after "
                        f"{LAG:.0f} s; name a --cache-dir that all machines share"
                    )
                time.sleep(0.2)

    def _order(self) -> Order:
        return Order(
            spec=self.name,
            fingerprint=self.encoder.fingerprint,
            layers=self.layers,
            dtype=self.dtype,
            precision=self.precision,
            device=self.workers.device,
            place=self.cache.place,
            folder=self.cache.folder,
            directory=Path.cwd(),
        )
