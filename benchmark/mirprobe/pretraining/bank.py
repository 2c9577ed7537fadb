"""A bank: the log-mel frames of many tracks in one file, the training data of ViT-1D.

A bank is a folder with two files. `frames.npy` holds the concatenated frames of all tracks, (N,
bins) uint8 or float16; a number q stands for `q * scale + offset`. `bank.json` holds the front end,
the number type, offset and scale, the quantisation error, the tracks with their rows and splits,
the skipped tracks and a checksum of it all. While tracks are added, `bank_shards.write_shard`
writes their frames to `parts/`, and `merge_shards` moves them into the two files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from tokenize import TokenError
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import digest, unit_hash
from mirprobe.pretraining.bank_shards import Skipped, StoredTrack, rows_digest
from mirprobe.pretraining.quantise import DType, Quantiser
from mirprobe.vit1d.frontend import LogMelConfig

Split = Literal["train", "held-out"]


@dataclass(frozen=True)
class HeldOut:
    """Rule that holds out tracks for validation, by a seeded hash of their work.

    A track keeps its split when other tracks are added, as long as the rule does not change.

    Attributes:
        fraction: expected share of works; 0 holds out none. At most half of the works are held out.
        minimum: minimum number of works, but at most half of them.
        seed: seed of the hash.
    """

    fraction: float = 0.05
    minimum: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 0.5:
            raise ConfigError(f"held out {self.fraction}: give a share of the works, 0 to 0.5")

    def assign(self, works: Iterable[str], known: Mapping[str, Split]) -> dict[str, Split]:
        """Assign a split to every work; known works keep theirs."""
        draws = {work: unit_hash("held-out", self.seed, work) for work in set(works) - known.keys()}
        splits = dict(known)
        held = sum(split == "held-out" for split in known.values())
        most = (len(draws) + len(known)) // 2
        for work in sorted(draws, key=lambda work: draws[work]):
            chosen = draws[work] < self.fraction or held < self.minimum
            splits[work] = "held-out" if chosen and held < most and self.fraction else "train"
            held += splits[work] == "held-out"
        return splits


VERSION = 1
ROWS = 1 << 20  # rows copied at a time
_FIELDS = set("version config dtype offset scale error held_out tracks skipped".split())  # noqa: SIM905


@dataclass(frozen=True)
class BankTrack(StoredTrack):
    """A track in a bank.

    Attributes:
        start: first row.
        split: `train` or `held-out`.
    """

    start: int
    split: Split


@dataclass(frozen=True)
class QuantisationError:
    """Quantisation error over all values of a bank, in units of the front end."""

    rms: float
    largest: float


@dataclass(frozen=True, eq=False)
class Bank:
    """An open bank; `frames` is a memory map.

    Attributes:
        path: folder of the bank.
        config: the front end.
        tracks: tracks in the order of their rows.
        frames: (N, bins), uint8 or float16.
        quantiser: converts between stored numbers and frames.
        error: measured quantisation error.
        held_out: rule of the split.
        skipped: tracks that are not in the bank, with reasons.
    """

    path: Path
    config: LogMelConfig
    tracks: tuple[BankTrack, ...]
    frames: NDArray[Any]
    quantiser: Quantiser
    error: QuantisationError
    held_out: HeldOut
    skipped: tuple[Skipped, ...]

    @classmethod
    def open(cls, path: str | Path, expected: LogMelConfig | None = None) -> Bank:
        """Open a bank.

        Args:
            path: folder of the bank.
            expected: the front end that the bank must have; None for any.

        Raises:
            StorageError: the bank is missing, unfinished, damaged or truncated.
            ConfigError: its front end is not the expected one.
        """
        path = Path(path)
        head = _read_head(path)
        try:
            if head["version"] != VERSION:
                raise StorageError(
                    f"{path}: a bank of version {head['version']}, this mirprobe reads {VERSION}"
                )
            checksum = head.pop("checksum", None)  # banks of earlier versions have none
            if digest(head) != checksum if checksum else head.keys() != _FIELDS:
                raise ConfigError("its checksum is wrong")
            config = LogMelConfig(**head["config"])
            tracks = tuple(BankTrack(**track) for track in head["tracks"])
            if head["dtype"] not in get_args(DType):
                raise ConfigError(f"dtype {head['dtype']!r}")
            starts = [0, *accumulate(track.frames for track in tracks)]
            if [track.start for track in tracks] != starts[:-1]:
                raise ConfigError("tracks do not follow each other")
            quantiser = Quantiser(head["dtype"], head["offset"], head["scale"])
            error = QuantisationError(**head["error"])
            held_out = HeldOut(**head["held_out"])
            skipped = tuple(Skipped(**entry) for entry in head["skipped"])
        except (KeyError, TypeError, ValueError, ConfigError) as fault:
            raise StorageError(f"{path}/bank.json: damaged ({fault!r}); build it again") from fault
        if expected is not None and config != expected:
            fields = ", ".join(
                name for name, value in asdict(expected).items() if value != head["config"][name]
            )
            raise ConfigError(
                f"{path}: a bank of another front end (differs in {fields}); build one for this"
            )
        frames = _open_frames(path / "frames.npy", starts[-1], config.bins, quantiser.dtype)
        return cls(path, config, tracks, frames, quantiser, error, held_out, skipped)

    @property
    def dtype(self) -> DType:
        """Number type of the frames on disk."""
        return self.quantiser.dtype

    @property
    def hours(self) -> float:
        """Hours of audio in the bank, without silence."""
        return len(self.frames) / self.config.frame_rate / 3600

    @property
    def error_db(self) -> float:
        """Root mean square of the quantisation error in dB."""
        return self.error.rms * self.config.deviation * 10 / math.log(10)

    def split(self, name: Split) -> tuple[BankTrack, ...]:
        """The tracks of one split."""
        return tuple(track for track in self.tracks if track.split == name)

    def load(self, device: torch.device | str = "cpu") -> Tensor:
        """Load `frames` to a device, (N, bins), in the number type on disk.

        Raises:
            StorageError: a track is damaged.
        """
        dtype = getattr(torch, self.dtype)
        tensor = torch.empty(self.frames.shape, dtype=dtype, device=device)
        for track in self.tracks:
            own = slice(track.start, track.start + track.frames)
            rows = np.array(self.frames[own])  # torch needs writable memory
            if rows_digest(rows) != track.digest:
                raise StorageError(
                    f"{self.path}/frames.npy: track '{track.id}' is damaged, its checksum is "
                    "wrong; copy it again or build the bank again"
                )
            tensor[own] = torch.from_numpy(rows)
        return tensor


def _read_head(path: Path) -> Any:
    file = path / "bank.json"
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        unfinished = (path / "parts").is_dir()
        what = "the bank is not finished" if unfinished else "no bank is here"
        raise StorageError(
            f"{path}: {what}; build it with `mirprobe pretrain bank FOLDER -o {path}`"
        ) from error
    except OSError as error:
        raise StorageError(f"{file}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise StorageError(f"{file}: damaged, not JSON; build the bank again") from error


def _open_frames(file: Path, total: int, bins: int, dtype: DType) -> NDArray[Any]:
    remedy = "copy it again or build the bank again"
    try:
        frames: NDArray[Any] = np.lib.format.open_memmap(file, mode="r")  # never a pickle
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"{file}: cannot be read ({reason}); {remedy}") from error
    # ValueError: also where the file is shorter than its header says; the others: an odd header
    except (ValueError, TypeError, SyntaxError, OverflowError, TokenError) as error:
        reason = " ".join(str(error).split())
        raise StorageError(f"{file}: truncated or damaged ({reason}); {remedy}") from error
    if frames.dtype != np.dtype(dtype) or frames.shape[1:] != (bins,) or len(frames) < total:
        raise StorageError(
            f"{file}: holds {frames.shape} {frames.dtype}, bank.json says {(total, bins)} {dtype}; "
            f"{remedy}"
        )
    rows: NDArray[Any] = frames[:total]  # a killed merge can leave more rows
    return rows
