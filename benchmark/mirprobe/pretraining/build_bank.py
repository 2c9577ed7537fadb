"""Build a bank from folders of audio: decode each file once, in parallel, resumably."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mirprobe.core.parallel import parallel_map
from mirprobe.pretraining.audio_files import AudioFile, content_hash, decode, find_audio
from mirprobe.pretraining.bank import Bank, HeldOut
from mirprobe.pretraining.bank_shards import Shard, Skipped, write_shard
from mirprobe.pretraining.merge_shards import known_keys, merge_shards
from mirprobe.pretraining.quantise import DType
from mirprobe.vit1d.frontend import LogMelConfig


def build_bank(
    folders: Sequence[Path],
    bank: Path,
    *,
    config: LogMelConfig | None = None,
    dtype: DType = "uint8",
    held_out: HeldOut | None = None,
    jobs: int = 0,
) -> Bank:
    """Add all audio files in folders to a bank, which is created if it is missing.

    Files that the bank already holds are skipped; they are compared by content, not by name. If the
    run is interrupted, finished tracks are kept as shards, and the next run merges them.

    Args:
        folders: searched recursively, including archives (`audio_files.ARCHIVES`).
        bank: folder of the bank.
        config: the front end; None for the default.
        dtype: number type of the frames on disk.
        held_out: rule of the split; None keeps the rule of the bank, or uses the default.
        jobs: number of processes; 0 for one per core.

    Raises:
        ConfigError: a folder is missing or holds no audio, no track is usable, or the bank is of
            another front end or type.
        StorageError: the disk cannot be written, the bank is damaged or a process died; all
            finished tracks are kept.
    """
    config = config or LogMelConfig()
    ready = known_keys(bank, config, dtype)
    audio_files, skipped = find_audio(folders)
    unique: dict[str, AudioFile] = {}
    hashed = parallel_map(content_hash, [(one,) for one in audio_files], jobs, "reading")
    for audio_file, key in zip(audio_files, hashed, strict=True):
        if isinstance(key, Skipped):
            skipped.append(key)
        elif key in unique:
            reason = f"the same file as {unique[key].source}"
            skipped.append(Skipped(key, audio_file.source, "duplicate", reason))
        else:
            unique[key] = audio_file
    work = [(one, key, bank, config, dtype) for key, one in unique.items() if key not in ready]
    for _ in parallel_map(_compute, work, jobs, "decoding"):
        pass
    return merge_shards(bank, held_out=held_out, skipped=skipped)


def _compute(
    audio_file: AudioFile, key: str, bank: Path, config: LogMelConfig, dtype: DType
) -> Shard | Skipped:
    return write_shard(
        bank,
        key,
        decode(audio_file, config.sample_rate),
        id=key[:16],
        source=audio_file.source,
        group=audio_file.group,
        config=config,
        dtype=dtype,
    )
