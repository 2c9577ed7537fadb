"""Merge shards into a bank.

Tracks are only appended, so the first rows of a new `frames.npy` are the old rows. The bank is
therefore valid at every moment, also between the replacement of its two files. Shards are deleted
last.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from itertools import chain
from pathlib import Path

import numpy as np

from mirprobe.core.atomic_write import LEFTOVERS, replacing
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import digest
from mirprobe.pretraining.bank import ROWS, VERSION, Bank, BankTrack, HeldOut, QuantisationError
from mirprobe.pretraining.bank_shards import (
    FOLDER,
    SUFFIX,
    Shard,
    ShardFile,
    Skipped,
    StoredTrack,
    read_shard,
)
from mirprobe.pretraining.quantise import DType, Quantiser
from mirprobe.vit1d.frontend import LogMelConfig

log = logging.getLogger(__name__)

_Format = tuple[LogMelConfig, DType]


def known_keys(path: Path, config: LogMelConfig | None = None, dtype: DType = "uint8") -> set[str]:
    """Keys of all tracks that need no processing: in the bank, in a shard, or skipped.

    Args:
        path: folder of the bank, which may not exist.
        config: front end of the tracks to add; None for the default.
        dtype: number type of the tracks to add.

    Raises:
        ConfigError: the bank holds frames of another front end or type.
        StorageError: the bank is damaged.
    """
    wanted = (config or LogMelConfig(), dtype)
    keys: set[str] = set()
    if (path / "bank.json").exists():
        bank = Bank.open(path)
        _check_same_format(path, (bank.config, bank.dtype), wanted)
        keys |= {track.key for track in bank.tracks} | {entry.key for entry in bank.skipped}
    for shard in _shards(path):
        _check_same_format(path, (shard.config, shard.dtype), wanted)
        keys.add(shard.track.key)
    return keys - {""}


def merge_shards(
    path: str | Path, *, held_out: HeldOut | None = None, skipped: Sequence[Skipped] = ()
) -> Bank:
    """Move all shards into the bank and delete them; the bank is created if it is missing.

    Args:
        path: folder of the bank.
        held_out: rule of the split; None keeps the rule of the bank, or uses the default.
        skipped: further tracks to list as skipped.

    Raises:
        ConfigError: there is no track, or shards have different front ends.
        StorageError: the disk cannot be written, or the bank is damaged; nothing is lost.
    """
    path = Path(path)
    stored = list(_shards(path, verify=True))
    old = _open_or_empty(path, stored)
    config, quantiser = old.config, old.quantiser
    for shard in stored:
        _check_same_format(path, (shard.config, shard.dtype), (config, old.dtype))
    added, duplicates = _select_new(stored, old.tracks)
    left_out = [shard.track for shard in stored if isinstance(shard.track, Skipped)]
    left_out = [*old.skipped, *left_out, *duplicates, *skipped]
    if not added and not old.tracks:
        reasons = "; ".join(f"{entry.source}: {entry.reason}" for entry in left_out[:3])
        raise ConfigError(
            f"{path}: no track for a bank ({reasons or 'no shards'}); add other audio"
        )
    rule = held_out or old.held_out
    new = [track for track, _ in added]
    tracks = _assign_rows(old, new, rule)
    if added:
        _write_frames(path / "frames.npy", old, added)
    head = {
        "version": VERSION,
        "config": asdict(config),
        "dtype": old.dtype,
        "offset": quantiser.offset,
        "scale": quantiser.scale,
        "error": asdict(_error(old, new)),
        "held_out": asdict(rule),
        "tracks": [asdict(track) for track in tracks],
        "skipped": [asdict(entry) for entry in _latest_skipped(left_out, tracks)],
    }
    head["checksum"] = digest(head)
    with replacing(path / "bank.json") as file:
        file.write(json.dumps(head, indent=1, ensure_ascii=False).encode())
    _clean_up(path, stored)
    return Bank.open(path)


def _open_or_empty(path: Path, stored: Sequence[ShardFile]) -> Bank:
    """The bank in a folder, or one without tracks of the format of the shards."""
    if (path / "bank.json").exists():
        return Bank.open(path)
    config, dtype = (stored[-1].config, stored[-1].dtype) if stored else (LogMelConfig(), "uint8")
    frames, quantiser = np.empty((0, config.bins), dtype), Quantiser.make(config, dtype)
    return Bank(path, config, (), frames, quantiser, QuantisationError(0.0, 0.0), HeldOut(), ())


def _shards(path: Path, *, verify: bool = False) -> Iterator[ShardFile]:
    """All intact shards; damaged ones are deleted, so that they are computed again.

    Args:
        path: folder of the bank.
        verify: also read the frames and compare them with their checksum.
    """
    for file in sorted((path / FOLDER).glob(f"*{SUFFIX}")):
        try:
            shard = read_shard(file)
            if verify:
                shard.rows()
        except StorageError as error:
            log.warning("%s: deleted, the next run computes it again", error)
            file.unlink(missing_ok=True)
        else:
            yield shard


def _check_same_format(path: Path, found: _Format, wanted: _Format) -> None:
    if found != wanted:
        what = "front end" if found[0] != wanted[0] else "type"
        raise ConfigError(
            f"{path}: holds frames of another {what}; name another folder for this bank"
        )


def _select_new(
    stored: Sequence[ShardFile], tracks: Sequence[BankTrack]
) -> tuple[list[tuple[Shard, ShardFile]], list[Skipped]]:
    """New shards in the order of their sources, and shards that repeat another track."""
    pairs = [(shard.track, shard) for shard in stored if isinstance(shard.track, Shard)]
    keys = {track.key for track in tracks}
    taken = {track.digest: track.source for track in tracks}
    names = {track.id: track.source for track in tracks}
    added: list[tuple[Shard, ShardFile]] = []
    duplicates: list[Skipped] = []
    for track, shard in sorted(pairs, key=lambda pair: (pair[0].source, pair[0].id)):
        if track.key in keys:
            continue  # merged by a run that was killed before it deleted the shard
        same = taken.get(track.digest)
        if same is not None or track.id in names:
            reason = f"the same as {same}" if same else f"{names[track.id]} has its id {track.id}"
            duplicates.append(Skipped(track.key, track.source, "duplicate", reason))
            continue
        taken[track.digest] = names[track.id] = track.source
        added.append((track, shard))
    return added, duplicates


def _assign_rows(old: Bank, added: Sequence[Shard], rule: HeldOut) -> list[BankTrack]:
    known = {track.work: track.split for track in old.tracks} if old.held_out == rule else {}
    every: list[StoredTrack] = [*old.tracks, *added]
    splits = rule.assign([track.work for track in every], known)
    tracks: list[BankTrack] = []
    start = 0
    for track in every:
        shared = {field.name: getattr(track, field.name) for field in fields(StoredTrack)}
        tracks.append(BankTrack(**shared, start=start, split=splits[track.work]))
        start += track.frames
    return tracks


def _write_frames(path: Path, old: Bank, added: Sequence[tuple[Shard, ShardFile]]) -> None:
    total = len(old.frames) + sum(track.frames for track, _ in added)
    dtype = np.dtype(old.dtype)
    header = {"descr": dtype.str, "fortran_order": False, "shape": (total, old.config.bins)}
    before = (old.frames[start : start + ROWS] for start in range(0, len(old.frames), ROWS))
    with replacing(path) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for rows in chain(before, (shard.rows() for _, shard in added)):
            file.write(np.ascontiguousarray(rows).data.cast("B"))


def _error(old: Bank, added: Sequence[Shard]) -> QuantisationError:
    values = old.config.bins * sum(track.frames for track in added) + old.frames.size
    squares = sum(track.squares for track in added) + old.error.rms**2 * old.frames.size
    largest = max([old.error.largest, *(track.largest for track in added)])
    return QuantisationError(rms=math.sqrt(squares / values), largest=largest)


def _latest_skipped(entries: Sequence[Skipped], tracks: Sequence[BankTrack]) -> list[Skipped]:
    """Skipped tracks without duplicates and without those that were read later."""
    read = {track.source for track in tracks}
    latest = {(entry.key, entry.source): entry for entry in entries if entry.source not in read}
    return sorted(latest.values(), key=lambda entry: (entry.source, entry.key))


def _clean_up(path: Path, stored: Sequence[ShardFile]) -> None:
    for shard in stored:
        shard.path.unlink(missing_ok=True)
    for leftover in (*(path / FOLDER).glob(LEFTOVERS), *path.glob(LEFTOVERS)):
        leftover.unlink(missing_ok=True)
    if (path / FOLDER).is_dir() and not any((path / FOLDER).iterdir()):
        (path / FOLDER).rmdir()
