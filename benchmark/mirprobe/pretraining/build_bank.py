"""Folders of music into a bank: each recording is decoded once, by all cores, and may be killed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mirprobe.core.parallel import parallel
from mirprobe.pretraining.audio_files import Recording, content_hash, decode, find
from mirprobe.pretraining.bank import Bank, HeldOut
from mirprobe.pretraining.bank_shards import Part, Skipped, write_part
from mirprobe.pretraining.merge_shards import pack, recorded
from mirprobe.pretraining.quantise import DType
from mirprobe.vit1d.frontend import LogMelConfig


def harvest(
    folders: Sequence[Path],
    bank: Path,
    *,
    config: LogMelConfig | None = None,
    dtype: DType = "uint8",
    held_out: HeldOut | None = None,
    jobs: int = 0,
) -> Bank:
    """Add all audio under some folders to a bank, which is made where there is none.

    What the bank holds already, by the content of the files and not by their names, is skipped.
    Whatever ends the run early, finished tracks wait in the bank's `parts/` for the next one.

    Args:
        folders: searched to the bottom; packs (`recordings.PACKS`) are looked into.
        bank: the bank's folder.
        config: the front end; None for the default one.
        dtype: of the frames on disk.
        held_out: the rule of the split; None keeps the bank's own, or takes the default.
        jobs: processes; 0 for one a core.

    Raises:
        ConfigError: a folder is missing or holds no audio, no track is usable, or the bank is of
            another front end or type.
        StorageError: the disk cannot be written, the bank is damaged or a process died; all
            finished tracks are kept.
    """
    config = config or LogMelConfig()
    ready = recorded(bank, config, dtype)
    recordings, skipped = find(folders)
    unique: dict[str, Recording] = {}
    hashed = parallel(content_hash, [(one,) for one in recordings], jobs, "reading")
    for recording, key in zip(recordings, hashed, strict=True):
        if isinstance(key, Skipped):
            skipped.append(key)
        elif key in unique:
            reason = f"the same file as {unique[key].source}"
            skipped.append(Skipped(key, recording.source, "duplicate", reason))
        else:
            unique[key] = recording
    work = [(one, key, bank, config, dtype) for key, one in unique.items() if key not in ready]
    for _ in parallel(_compute, work, jobs, "decoding"):
        pass
    return pack(bank, held_out=held_out, skipped=skipped)


def _compute(
    recording: Recording, key: str, bank: Path, config: LogMelConfig, dtype: DType
) -> Part | Skipped:
    return write_part(
        bank,
        key,
        decode(recording, config.sample_rate),
        id=key[:16],
        source=recording.source,
        group=recording.group,
        config=config,
        dtype=dtype,
    )
