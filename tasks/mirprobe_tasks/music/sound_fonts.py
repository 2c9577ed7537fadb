"""Sound fonts: the font of `studio`, presets of a font, and conversion from .sf3 to .sf2.

A sound font is a RIFF file of lists of chunks. The chunk `smpl` contains all samples in sequence
(16 bits), `shdr` the start, end and loop of each sample, and `phdr` the presets. In an .sf3 file, a
sample whose type has the flag 0x10 is an Ogg Vorbis stream in `smpl`. Its start and end are in
bytes, and its loop is relative to the start of the sample.
"""

from __future__ import annotations

import importlib.util
import io
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from mirprobe.core.atomic_write import replacing
from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.core.hashing import file_digest

STUDIO_FONT = "TimGM6mb"
"""Name of the sound font of `studio`."""

DRUM_BANK = 128
"""Bank of the drum kits."""

_VORBIS, _ROM = 0x10, 0x8000
_GAP = 46  # the format requires as many zeros after each sample
_HEADER = struct.Struct("<20s5IBbHH")
_PRESET = struct.Struct("<20sHHH3I")


@lru_cache(maxsize=1)
def studio_font() -> bytes:
    """The General MIDI sound font in the package pretty_midi, which is not imported.

    Raises:
        ImportError: pretty_midi is not installed.
    """
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise ImportError("pretty_midi, which contains the sound font of studio, is not installed")
    return (Path(spec.origin).parent / f"{STUDIO_FONT}.sf2").read_bytes()


def collect_fonts(sources: Sequence[Path], output: Path, *, with_studio: bool = True) -> list[Path]:
    """Copy the sound fonts of some folders and the font of `studio` into one folder, as .sf2.

    Existing files are kept.

    Args:
        sources: folders to search recursively for .sf2 and .sf3 files.
        output: target folder.
        with_studio: False excludes the font of `studio` and all fonts that share a sample with it.

    Returns:
        All fonts in `output`.

    Raises:
        StorageError: a font is damaged, or the folder cannot be written.
    """
    found = {
        path.stem: path
        for source in sources
        for path in sorted(source.rglob("*"))
        if path.suffix in (".sf2", ".sf3") and path.is_file() and not path.is_symlink()
    }
    for name, path in found.items():
        target = output / f"{name}.sf2"
        if target.exists() or (not with_studio and studio_share(path) > 0):
            continue
        with replacing(target) as file:
            if path.suffix == ".sf3":
                file.write(decompress(path.read_bytes()))
            else:
                with path.open("rb") as original:
                    shutil.copyfileobj(original, file)
    if with_studio and not (output / f"{STUDIO_FONT}.sf2").exists():
        with replacing(output / f"{STUDIO_FONT}.sf2") as file:
            file.write(studio_font())
    return list_fonts(output)


def list_fonts(folder: Path) -> list[Path]:
    """The sound fonts (.sf2) of a folder, sorted.

    Raises:
        ConfigError: the folder has none.
    """
    found = sorted(folder.glob("*.sf2"))
    if not found:
        raise ConfigError(f"{folder}: no sound font (.sf2) in it; fetch some first")
    return found


@lru_cache(maxsize=2)
def read_font(path: Path) -> bytes:
    """The bytes of a font; the last two fonts stay in memory."""
    return path.read_bytes()


@lru_cache(maxsize=64)
def font_digest(path: Path) -> str:
    """A hash of the bytes of a font."""
    return file_digest(path)[:16]


@lru_cache(maxsize=64)
def presets(path: Path) -> frozenset[tuple[int, int]]:
    """The (bank, program) pairs of a font; the bank `DRUM_BANK` holds the drum kits.

    Raises:
        StorageError: the file is not a sound font.
    """
    try:
        rows = _PRESET.iter_unpack(_chunks(path.read_bytes())[b"phdr"])
        return frozenset((bank, program) for _, program, bank, *_ in list(rows)[:-1])
    except (KeyError, struct.error) as error:
        raise StorageError(f"{path}: damaged or not a sound font ({error!r})") from error


@lru_cache(maxsize=64)
def studio_share(path: Path) -> float:
    """Fraction (0 to 1, by length) of the samples of a font that the font of `studio` contains.

    Samples must be identical. A font with lossy compression therefore has a fraction of 0.
    """
    studio = _sample_lengths(studio_font())
    lengths = _sample_lengths(path.read_bytes())
    return sum(lengths[key] for key in lengths.keys() & studio) / max(1, sum(lengths.values()))


def _sample_lengths(font: bytes) -> dict[bytes, int]:
    """Segment near the start of a sample -> length of the sample, for all samples of a font."""
    chunks = _chunks(font)
    if b"smpl" not in chunks or b"shdr" not in chunks:
        raise StorageError("damaged or not a sound font (no samples)")
    rows = [(start, end) for _, start, end, *_ in _HEADER.iter_unpack(chunks[b"shdr"])]
    samples = chunks[b"smpl"]
    return {
        samples[2 * (start + 50) : 2 * (start + 450)]: end - start
        for start, end in rows
        if end - start > 500
    }


def decompress(font: bytes) -> bytes:
    """Convert an .sf3 font to .sf2: decode the samples, keep everything else.

    Raises:
        StorageError: the bytes are not a sound font, or a sample cannot be decoded.
    """
    import soundfile

    try:
        chunks = _chunks(font)
        packed = chunks[b"smpl"]
        pcm, headers, position = bytearray(), bytearray(), 0
        for row in _HEADER.iter_unpack(chunks[b"shdr"]):
            name, start, end, loop_start, loop_end, rate, key, cents, link, kind = row
            if kind & _VORBIS:
                stream = io.BytesIO(packed[start:end])
                audio, _ = soundfile.read(stream, dtype="int16", always_2d=True)
                samples = audio[:, 0].tobytes()
                loop_start, loop_end = loop_start + position, loop_end + position
            elif kind & _ROM or end <= start:
                samples = b""  # includes the terminal record
                loop_start = loop_end = position
            else:
                samples = packed[2 * start : 2 * end]
                loop_start, loop_end = loop_start - start + position, loop_end - start + position
            kind &= ~_VORBIS
            stop = position + len(samples) // 2
            places = (position, stop, loop_start, loop_end)
            headers += _HEADER.pack(name, *places, rate, key, cents, link, kind)
            pcm += samples + bytes(2 * _GAP)
            position = stop + _GAP
    except (KeyError, struct.error, soundfile.LibsndfileError) as error:
        raise StorageError(f"damaged or not a sound font ({error!r})") from error
    replaced = {b"smpl": bytes(pcm), b"shdr": bytes(headers), b"ifil": struct.pack("<HH", 2, 4)}
    return _rebuilt(font, replaced)


def _chunks(font: bytes) -> dict[bytes, bytes]:
    """Name -> body of the chunks of all lists of a font."""
    if font[:4] != b"RIFF" or font[8:12] != b"sfbk":
        raise StorageError("damaged or not a sound font (it does not start with RIFF sfbk)")
    return {name: body for _, chunk_list in _walk(font, 12) for name, body in _walk(chunk_list, 4)}


def _walk(data: bytes, position: int) -> Iterator[tuple[bytes, bytes]]:
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        yield name, data[position + 8 : position + 8 + size]
        position += 8 + size
        # MuseScore writes chunks of odd length without the padding byte of RIFF
        position += size % 2 and data[position : position + 1] == b"\0"


def _rebuilt(font: bytes, replaced: Mapping[bytes, bytes]) -> bytes:
    lists = b"".join(
        _chunk(
            b"LIST",
            chunks[:4] + b"".join(_chunk(n, replaced.get(n, body)) for n, body in _walk(chunks, 4)),
        )
        for _, chunks in _walk(font, 12)
    )
    return _chunk(b"RIFF", b"sfbk" + lists)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)
