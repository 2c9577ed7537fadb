"""Audio files in folders and archives: search, content hash and decoding in blocks."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from mirprobe.core.audio_stream import ForwardFile
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.hashing import stream_digest
from mirprobe.pretraining.bank_shards import Samples, Skipped

AUDIO = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
ARCHIVES = frozenset({".zip", ".pk3", ".pk4", ".dpk", ".wz"})  # all of them are ZIP archives

_VALUES = 1 << 20  # samples of all channels decoded at a time
_LARGEST = 1 << 30  # maximum bytes of a member of an archive, which is read into memory

# soundfile raises RuntimeError, and ValueError for invalid headers; zipfile raises RuntimeError for
# encrypted members and NotImplementedError, a subclass, for unsupported compression
_UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class AudioFile:
    """An audio file, or a member of an archive.

    Attributes:
        path: path of the file or archive.
        member: name in the archive; empty for a file.
        source: path relative to the parent of the searched folder.
        group: parent of the source.
    """

    path: Path
    member: str
    source: str
    group: str


def find_audio(folders: Sequence[Path]) -> tuple[list[AudioFile], list[Skipped]]:
    """All audio files in folders, in the order of their sources, and unreadable archives.

    Archives are not extracted, and names of members are never used as paths on disk.

    Raises:
        ConfigError: a folder does not exist, or holds no audio.
    """
    found: dict[tuple[Path, str], AudioFile] = {}
    skipped: list[Skipped] = []
    for folder in folders:
        if not folder.is_dir():
            raise ConfigError(f"{folder}: not a folder; name one that holds audio")
        here, broken = _search(folder)
        skipped += broken
        if not here:
            reasons = "".join(f"; {entry.source}: {entry.reason}" for entry in broken[:3])
            kinds = ", ".join(sorted(suffix[1:] for suffix in AUDIO))
            raise ConfigError(f"{folder}: no audio in it ({kinds}, or archives of them){reasons}")
        for audio_file in here:
            found.setdefault((audio_file.path.resolve(), audio_file.member), audio_file)
    return sorted(found.values(), key=lambda one: (one.source, str(one.path))), skipped


def content_hash(audio_file: AudioFile) -> str | Skipped:
    """The SHA-256 of the bytes of an audio file, or the reason why they cannot be read."""
    try:
        with _open(audio_file) as file:
            return stream_digest(file)
    except _UNREADABLE as error:
        return Skipped("", audio_file.source, "undecodable", f"cannot be read ({_reason(error)})")


def decode(audio_file: AudioFile, sample_rate: int) -> Iterator[Samples]:
    """Decode an audio file in blocks, average its channels and resample it (soxr, HQ).

    Yields:
        Blocks (samples,) at `sample_rate`.

    Raises:
        TrackError: the file cannot be read or is not audio.
    """
    try:
        # an open file, not a path: for a path libsndfile uses mpg123, which writes to the terminal
        with _open(audio_file) as raw, ForwardFile(raw) as file:
            same = file.samplerate == sample_rate
            stream = soxr.ResampleStream(file.samplerate, sample_rate, 1, dtype="float32")
            size = max(1, _VALUES // file.channels)
            last = False
            while not last:
                read = file.read(size, dtype="float32", always_2d=True)  # (time, channels)
                last = len(read) < size
                mono = read.mean(axis=1, dtype=np.float32)
                yield mono if same else stream.resample_chunk(mono, last=last)
    except _UNREADABLE as error:
        raise TrackError(f"cannot be decoded ({_reason(error)})") from error


def _search(folder: Path) -> tuple[list[AudioFile], list[Skipped]]:
    found: list[AudioFile] = []
    skipped: list[Skipped] = []

    def unreadable(error: OSError) -> None:
        skipped.append(Skipped("", str(error.filename), "undecodable", _reason(error)))

    name = folder.resolve().name
    for parent, _, files in os.walk(folder, onerror=unreadable):
        for file in files:
            path = Path(parent, file)
            source = str(PurePosixPath(name) / path.relative_to(folder).as_posix())
            if path.suffix.lower() in AUDIO:
                found.append(AudioFile(path, "", source, source.rpartition("/")[0]))
            elif path.suffix.lower() in ARCHIVES:
                try:
                    found += _members(path, source)
                except _UNREADABLE as error:
                    reason = f"not a readable archive ({_reason(error)})"
                    skipped.append(Skipped("", source, "undecodable", reason))
    return found, skipped


def _members(path: Path, source: str) -> list[AudioFile]:
    with zipfile.ZipFile(path) as archive:
        names = (entry.filename for entry in archive.infolist() if not entry.is_dir())
        return [
            AudioFile(path, name, f"{source}!{name}", f"{source}!{name.rpartition('/')[0]}")
            for name in names
            if PurePosixPath(name).suffix.lower() in AUDIO
        ]


@contextmanager
def _open(audio_file: AudioFile) -> Iterator[BinaryIO]:
    if not audio_file.member:
        with audio_file.path.open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(audio_file.path) as archive:
        size = archive.getinfo(audio_file.member).file_size
        if size > _LARGEST:
            raise ValueError(f"{size / 1e9:.1f} GB in an archive is too large: extract it")
        yield BytesIO(archive.read(audio_file.member))  # soundfile needs a file that can seek


def _reason(error: BaseException) -> str:
    """The message of an error, without the path that some libraries include."""
    if isinstance(error, soundfile.LibsndfileError):
        return str(error.error_string)
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
