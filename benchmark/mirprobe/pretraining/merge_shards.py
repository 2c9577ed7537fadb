"""Parts into a bank: appended, split and described.

Tracks are only ever appended, so the first rows of a new `frames.npy` are the old ones: a bank is
valid at every moment, also between the renaming of its one file and of the other. Parts are deleted
last of all.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mirprobe.core.atomic_write import LEFTOVERS, replacing
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.pretraining.bank import VERSION, Bank, BankTrack, HeldOut, QuantisationError
from mirprobe.pretraining.bank_shards import FOLDER, SUFFIX, Part, Skipped, Stored, read_part
from mirprobe.pretraining.quantise import DType, Quantiser
from mirprobe.vit1d.frontend import LogMelConfig

log = logging.getLogger(__name__)

_ROWS = 1 << 20  # rows that are copied at a time
_Made = tuple[LogMelConfig, DType]


def recorded(path: Path, config: LogMelConfig | None = None, dtype: DType = "uint8") -> set[str]:
    """The keys of all tracks that need no work: in the bank, in a part, or skipped for good.

    Args:
        path: the bank's folder, which need not exist.
        config: the front end that is to be added; None for the default one.
        dtype: the type that is to be added.

    Raises:
        ConfigError: the bank holds frames of another front end or type.
        StorageError: the bank is damaged.
    """
    wanted = (config or LogMelConfig(), dtype)
    keys: set[str] = set()
    if (path / "bank.json").exists():
        bank = Bank.open(path)
        _agree(path, (bank.config, bank.dtype), wanted)
        keys |= {track.key for track in bank.tracks} | {entry.key for entry in bank.skipped}
    for part in _parts(path):
        _agree(path, (part.config, part.dtype), wanted)
        keys.add(part.track.key)
    return keys - {""}


def pack(
    path: str | Path, *, held_out: HeldOut | None = None, skipped: Sequence[Skipped] = ()
) -> Bank:
    """Move all parts into the bank and delete them; the bank is made where there is none.

    Args:
        path: the bank's folder.
        held_out: the rule of the split; None keeps the bank's own, or takes the default.
        skipped: to be listed beside what the parts say.

    Raises:
        ConfigError: nothing to pack, or parts of different front ends.
        StorageError: the disk cannot be written, or the bank is damaged; nothing is lost.
    """
    path = Path(path)
    old = Bank.open(path) if (path / "bank.json").exists() else None
    stored = [part for part in _parts(path) if _sound(part)]
    made: list[_Made] = [(part.config, part.dtype) for part in stored]
    made += [(old.config, old.dtype)] if old else []
    for other in made:
        _agree(path, other, made[-1])
    added, duplicates = _choose(stored, old.tracks if old else ())
    left_out = [part.track for part in stored if isinstance(part.track, Skipped)]
    left_out = [*(old.skipped if old else ()), *left_out, *duplicates, *skipped]
    if not added and old is None:
        reasons = "; ".join(f"{entry.source}: {entry.reason}" for entry in left_out[:3])
        raise ConfigError(f"{path}: no track for a bank ({reasons or 'no parts'}); add other audio")
    config, dtype = made[-1]
    quantiser = Quantiser.make(config, dtype)
    rule = held_out or (old.held_out if old else HeldOut())
    tracks = _place(old, [track for track, _ in added], rule)
    if added:
        _write_frames(path / "frames.npy", old, added, quantiser, config)
    head = {
        "version": VERSION,
        "config": asdict(config),
        "dtype": dtype,
        "offset": quantiser.offset,
        "scale": quantiser.scale,
        "error": asdict(_error(old, [track for track, _ in added], config)),
        "held_out": asdict(rule),
        "tracks": [asdict(track) for track in tracks],
        "skipped": [asdict(entry) for entry in _still(left_out, tracks)],
    }
    with replacing(path / "bank.json") as file:
        file.write(json.dumps(head, indent=1, ensure_ascii=False).encode())
    _tidy(path, stored)
    return Bank.open(path)


def _parts(path: Path) -> Iterator[Stored]:
    """All parts whose head can be read; any other is deleted, so that it is made again."""
    for file in sorted((path / FOLDER).glob(f"*{SUFFIX}")):
        try:
            yield read_part(file)
        except StorageError as error:
            log.warning("%s: deleted, the next run makes it again", error)
            file.unlink(missing_ok=True)


def _sound(part: Stored) -> bool:
    """Whether a part's frames are what was written; if not it is deleted."""
    try:
        part.rows()
    except StorageError as error:
        log.warning("%s: deleted, the next run makes it again", error)
        part.path.unlink(missing_ok=True)
        return False
    return True


def _agree(path: Path, found: _Made, wanted: _Made) -> None:
    if found != wanted:
        what = "front end" if found[0] != wanted[0] else "type"
        raise ConfigError(
            f"{path}: holds frames of another {what}; name another folder for this bank"
        )


def _choose(
    stored: Sequence[Stored], tracks: Sequence[BankTrack]
) -> tuple[list[tuple[Part, Stored]], list[Skipped]]:
    """Parts that are new, in the order of their sources, and those that repeat another track."""
    pairs = [(part.track, part) for part in stored if isinstance(part.track, Part)]
    keys = {track.key for track in tracks}
    taken = {track.digest: track.source for track in tracks}
    names = {track.id: track.source for track in tracks}
    added: list[tuple[Part, Stored]] = []
    duplicates: list[Skipped] = []
    for track, part in sorted(pairs, key=lambda pair: (pair[0].source, pair[0].id)):
        if track.key in keys:
            continue  # packed by a run that was killed before it deleted the part
        same = taken.get(track.digest)
        if same is not None or track.id in names:
            reason = f"the same as {same}" if same else f"{names[track.id]} has its id {track.id}"
            duplicates.append(Skipped(track.key, track.source, "duplicate", reason))
            continue
        taken[track.digest] = names[track.id] = track.source
        added.append((track, part))
    return added, duplicates


def _place(old: Bank | None, added: Sequence[Part], rule: HeldOut) -> list[BankTrack]:
    before = old.tracks if old else ()
    same_rule = old is not None and old.held_out == rule
    known = {track.work: track.split for track in before} if same_rule else {}
    every: list[BankTrack | Part] = [*before, *added]
    splits = rule.assign([track.work for track in every], known)
    tracks: list[BankTrack] = []
    start = 0
    for track in every:
        tracks.append(
            BankTrack(
                id=track.id,
                source=track.source,
                group=track.group,
                start=start,
                frames=track.frames,
                split=splits[track.work],
                work=track.work,
                duration=track.duration,
                key=track.key,
                digest=track.digest,
            )
        )
        start += track.frames
    return tracks


def _write_frames(
    path: Path,
    old: Bank | None,
    added: Sequence[tuple[Part, Stored]],
    quantiser: Quantiser,
    config: LogMelConfig,
) -> None:
    total = (len(old.frames) if old else 0) + sum(track.frames for track, _ in added)
    dtype = np.dtype(quantiser.dtype)
    header = {"descr": dtype.str, "fortran_order": False, "shape": (total, config.bins)}
    with replacing(path) as file:
        np.lib.format.write_array_header_1_0(file, header)
        if old:
            for start in range(0, len(old.frames), _ROWS):
                file.write(_bytes(old.frames[start : start + _ROWS]))
        for _, part in added:
            file.write(_bytes(part.rows()))


def _bytes(rows: Any) -> memoryview:
    return np.ascontiguousarray(rows).data.cast("B")


def _error(old: Bank | None, added: Sequence[Part], config: LogMelConfig) -> QuantisationError:
    values = config.bins * sum(track.frames for track in added)
    squares = sum(track.squares for track in added)
    largest = max((track.largest for track in added), default=0.0)
    if old:
        values += old.frames.size
        squares += old.error.rms**2 * old.frames.size
        largest = max(largest, old.error.largest)
    return QuantisationError(rms=math.sqrt(squares / values), largest=largest)


def _still(entries: Sequence[Skipped], tracks: Sequence[BankTrack]) -> list[Skipped]:
    """Skipped tracks, each once, without those that could be read at last."""
    read = {track.source for track in tracks}
    latest = {(entry.key, entry.source): entry for entry in entries if entry.source not in read}
    return sorted(latest.values(), key=lambda entry: (entry.source, entry.key))


def _tidy(path: Path, stored: Sequence[Stored]) -> None:
    for part in stored:
        part.path.unlink(missing_ok=True)
    for leftover in (*(path / FOLDER).glob(LEFTOVERS), *path.glob(LEFTOVERS)):
        leftover.unlink(missing_ok=True)
    if (path / FOLDER).is_dir() and not any((path / FOLDER).iterdir()):
        (path / FOLDER).rmdir()
