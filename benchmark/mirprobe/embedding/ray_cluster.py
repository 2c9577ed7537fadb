"""Encoding on a Ray cluster: workers encode chunks of tracks and write entries into the cache.

This is the only module that imports Ray. Ray restarts workers, repeats calls and places workers.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError, WorkerCrashedError
from ray.util import ActorPool
from tqdm import tqdm

from mirprobe.api.encoder import Encoder
from mirprobe.core.errors import (
    ConfigError,
    EncoderError,
    MirprobeError,
    TrackError,
    UntrustedEncoderError,
)
from mirprobe.core.schema import Annotations
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import LAG, Embedder, Filled, Keyed, Keys, Missing, await_entries
from mirprobe.embedding.ray_worker import EncodingJob, RayWorker
from mirprobe.embedding.track_encoder import Encoding

log = logging.getLogger(__name__)

RETRIES = 3
"""How often a chunk is repeated after its worker died."""

ANSWER = 5.0
"""Seconds in which a cluster at `RAY_ADDRESS` must accept a connection."""


class RayWorkers:
    """Worker processes of a Ray cluster: some per free GPU, or one per free core without GPUs.

    They are started when they are first needed. The cluster is the one that this program is
    connected to; else that of `RAY_ADDRESS`, or one that runs on this machine; else one is started
    here, and ended by `close`.

    Args:
        device: `auto`, `cpu` or `cuda`.
        per_gpu: workers of each GPU.
        chunk: tracks per call of a worker; all of them are encoded again if the worker dies.
    """

    def __init__(self, device: str, per_gpu: int = 1, chunk: int = 16) -> None:
        self._wanted = device
        self._per_gpu = per_gpu
        self.chunk = chunk
        self._connected = False
        self._count = 0
        self.actors: list[Any] = []
        self.device = "cpu"

    def start(self) -> None:
        """Connect and start them, unless they are there.

        Raises:
            ConfigError: no cluster answers at `RAY_ADDRESS`, or it has no GPU and one is wanted.
        """
        if self.actors:
            return
        where = self._connected_to()
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]
        gpus = self._wanted != "cpu" and there.get("GPU", 0) >= 1
        if self._wanted == "cuda" and not gpus:
            raise ConfigError("device 'cuda': the Ray cluster has no GPU; give --device auto")
        self.device = "cuda" if gpus else "cpu"
        room = int(free.get("GPU", 0) * self._per_gpu if gpus else free.get("CPU", 0))
        if not self._count:
            self._count = max(1, room)
            what = "GPU" if gpus else "CPU core"
            log.info("Ray: %s; workers: %d, each on a %s", where, self._count, what)
            if not room:
                log.warning("Ray: the cluster is busy; waiting until a worker finds room")
        worker = ray.remote(RayWorker).options(
            num_cpus=1,
            num_gpus=1 / self._per_gpu if gpus else 0,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        self.actors = [worker.remote() for _ in range(self._count)]

    def _connected_to(self) -> str:
        """Connect to a cluster unless this program is connected; returns a description of it."""
        if ray.is_initialized():
            return "the one in use"
        address = os.environ.get("RAY_ADDRESS")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if address:
            _require_answer(address)
        self._connected = True
        try:
            ray.init(address or "auto", logging_level=logging.ERROR)
        except ConnectionError as error:
            if address:
                raise _no_cluster(address) from error
            try:
                ray.init("local", include_dashboard=False, logging_level=logging.ERROR)
            except Exception as failure:  # Ray has no name for a start that takes too long
                raise ConfigError(
                    f"Ray cannot start a cluster here ({failure}); give --engine local, or start "
                    "one with `ray start --head`"
                ) from failure
            return "a cluster of this machine, started for this command"
        return f"the cluster at {ray.get_runtime_context().gcs_address}"

    def encode(
        self, job: EncodingJob, chunks: Sequence[Missing]
    ) -> Iterator[tuple[int, list[str | None]]]:
        """Encode chunks; yields their numbers and, for each track, None or why it is unusable.

        Raises:
            EncoderError: raised in a worker, or a worker died repeatedly.
            StorageError: raised in a worker.
        """
        pool = ActorPool(self.actors)

        def give(worker: Any, item: tuple[int, Missing]) -> Any:
            return worker.encode.remote(job, *item)

        try:
            for number, outcome in pool.map_unordered(give, list(enumerate(chunks))):
                if isinstance(outcome, MirprobeError):
                    raise outcome
                yield number, outcome
        except RayActorError as error:
            self.stop()  # others may be dying of the same; the next encoder gets new ones
            raise EncoderError(
                f"encoder '{job.spec}': its worker died {RETRIES + 1} times at the same "
                "tracks, or was ended for good; free memory, or see with --engine local "
                "what it dies of (what is finished is cached)"
            ) from error

    def compute(
        self, function: Any, calls: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Iterator[tuple[int, Any]]:
        """Call a function as tasks of the cluster, one core each.

        A call whose worker dies is made a second time. After that it is a failure.

        Args:
            function: returns a result and failures.
            calls: its arguments.
            names: of the calls, for failures and the progress bar.

        Yields:
            The number of a call and what it returns, in no particular order.
        """
        self._connected_to()
        self.stop()  # they hold the cores
        remote = ray.remote(function).options(num_cpus=1, max_retries=1)
        pending = {remote.remote(*call): number for number, call in enumerate(calls)}
        title = f"{len(calls)} cells on the cluster"
        with tqdm(total=len(calls), desc=title, unit="cell", leave=False, disable=None) as progress:
            while pending:
                (done,), _ = ray.wait(list(pending))
                number = pending.pop(done)
                try:
                    outcome = ray.get(done)
                except WorkerCrashedError:
                    reason = "its worker died twice, perhaps for lack of memory; start again"
                    outcome = None, {names[number]: reason}
                progress.update()
                yield number, outcome

    def wait_until_idle(self) -> None:
        """Wait until no worker is busy."""
        ray.get([actor.idle.remote() for actor in self.actors])

    def stop(self) -> None:
        """End the workers; `start` makes new ones."""
        for actor in self.actors:
            ray.kill(actor)
        self.actors = []

    def close(self) -> None:
        """End the workers and the connection or cluster that was started for them."""
        self.stop()
        if self._connected:
            ray.shutdown()


def _require_answer(address: str) -> None:
    """Refuse a `RAY_ADDRESS` that nothing listens at: Ray itself would wait for minutes.

    Raises:
        ConfigError: `HOST:PORT` or `ray://HOST:PORT` does not accept a connection in time.
    """
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not port.isdecimal():  # `auto`, `local`: Ray finds the cluster itself
        return
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _no_cluster(address) from error


def _no_cluster(address: str) -> ConfigError:
    return ConfigError(
        f"no Ray cluster answers at RAY_ADDRESS={address}; start one there with `ray start "
        "--head`, or unset the variable"
    )


class ClusterEmbedder(Embedder):
    """An `Embedder` whose encoder runs only on the workers of a cluster.

    Args:
        name: of the encoder.
        encoder: only its attributes are read.
        cache: at a path or an address that all workers can read and write.
        encoding: how it encodes; the device is the workers'.
        workers: encode the tracks.

    Raises:
        ConfigError: the cache lies in the memory of this process.
    """

    def __init__(
        self, name: str, encoder: Encoder, cache: Cache, encoding: Encoding, workers: RayWorkers
    ) -> None:
        super().__init__(name, encoder, cache, encoding)
        if str(cache.place).startswith("memory://"):
            raise ConfigError(
                f"cache '{cache.place}' lies in the memory of one process; engine 'ray' needs a "
                "--cache-dir that all machines share"
            )
        self.workers = workers

    def compute(self, missing: Missing) -> Iterator[Filled]:
        """As `Embedder.compute`, in chunks on all workers."""
        self.workers.start()
        size = max(1, min(self.workers.chunk, -(-len(missing) // len(self.workers.actors))))
        # workers do not need annotations
        tracks = [(replace(track, annotations=Annotations()), keys) for track, keys in missing]
        chunks = [tracks[first : first + size] for first in range(0, len(tracks), size)]
        try:
            for number, reasons in self.workers.encode(self._job(), chunks):
                own = missing[number * size : (number + 1) * size]
                written = [keys for (_, keys), why in zip(own, reasons, strict=True) if why is None]
                for keys in written[-1:]:
                    await_entries(self.cache, keys, LAG)
                for (track, keys), why in zip(own, reasons, strict=True):
                    yield track, keys if why is None else TrackError(why)
        except UntrustedEncoderError:
            self.workers.wait_until_idle()
            self.cache.discard(key for _, keys in missing for key in keys.values())
            raise

    def check_cached(self, keyed: Keyed) -> None:
        """Do nothing: this machine may lack the weights or the device of the workers."""

    def _note(self, keys: Keys) -> None:
        """Do nothing: the code of other machines may have written the entries."""

    def _job(self) -> EncodingJob:
        return EncodingJob(
            spec=self.name,
            fingerprint=self.encoder.fingerprint,
            encoding=replace(self.encoding, device=self.workers.device),
            place=self.cache.place,
            folder=self.cache.folder,
            directory=Path.cwd(),
        )
