"""Audio files with anything in their headers: all samples, or one line; never a part in silence."""

from __future__ import annotations

import resource
import signal
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Literal

import numpy as np
import pytest
import soundfile
from helpers.laws import examples, read_or_refused
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mirprobe.core.schema import Annotations, Track
from mirprobe.data.audio import load

RATE = 16_000
LENGTH = 8000
MEMORY = 1 << 30
SECONDS = 20
SHORT = 0.025
KINDS = {
    "wav": ("WAV", "PCM_16"),
    "wav-24": ("WAV", "PCM_24"),
    "wav-float": ("WAV", "FLOAT"),
    "wav-ulaw": ("WAV", "ULAW"),
    "wavex": ("WAVEX", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "aifc": ("AIFF", "FLOAT"),
    "au": ("AU", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}
PLAIN = [kind for kind in KINDS if kind not in ("flac", "ogg", "opus", "mp3")]


@cache
def content(kind: str) -> bytes:
    form, subtype = KINDS[kind]
    time = np.arange(LENGTH) / RATE
    samples = 0.5 * np.sin(2 * np.pi * 440 * time) + np.random.default_rng(0).normal(
        0, 0.05, LENGTH
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        soundfile.write(path, samples, RATE, format=form, subtype=subtype)
        return path.read_bytes()


@contextmanager
def limited() -> Iterator[None]:
    """At most so much more memory, and so many seconds."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"not done after {SECONDS} s")

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, before[1]))
    handler = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


def loaded(data: bytes) -> NDArray[np.float32] | None:
    """The samples; None if the file is refused in one line that names it."""
    with tempfile.TemporaryDirectory() as folder, limited():
        path = Path(folder) / "odd.audio"
        path.write_bytes(data)
        one = Track("one", path, "group", Annotations())
        found = read_or_refused(lambda: load(one, RATE), f"{path}: ")
        return None if isinstance(found, str) else found


@cache
def whole(kind: str) -> NDArray[np.float32]:
    samples = loaded(content(kind))
    assert samples is not None
    assert abs(len(samples) - LENGTH) <= 1200
    return samples


def not_shortened(samples: NDArray[np.float32] | None, kind: str) -> None:
    if samples is not None:
        assert len(samples) >= len(whole(kind)) - SHORT * RATE - 2  # resampled and rounded


@examples(150)
@given(kind=st.sampled_from([*KINDS]), place=st.integers(0, 130), byte=st.integers(0, 255))
def test_a_byte_of_the_header_changed(kind: str, place: int, byte: int) -> None:
    data = bytearray(content(kind))
    data[place] = byte
    loaded(bytes(data))


@examples(150)
@given(
    kind=st.sampled_from([*KINDS]),
    place=st.integers(0, 120),
    width=st.sampled_from([2, 4, 8]),
    value=st.one_of(
        st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**16, 2**31, 2**32 - 1, 2**63])
    ),
    order=st.sampled_from(["little", "big"]),
)
def test_a_field_of_the_header_changed(
    kind: str, place: int, width: int, value: int, order: Literal["little", "big"]
) -> None:
    data = bytearray(content(kind))
    data[place : place + width] = (value % 256**width).to_bytes(width, order)
    loaded(bytes(data))


@examples(100)
@given(kind=st.sampled_from([*KINDS]), part=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short(kind: str, part: float) -> None:
    data = content(kind)
    not_shortened(loaded(data[: int(part * len(data))]), kind)


JUNK = [b"\0" * 10, b"\0" * 5000, b"TAG" + b"x" * 125, b"junk", b"\xff" * 40, b"LIST\4\0\0\0INFO"]


@examples(80)
@given(
    kind=st.sampled_from([*KINDS]),
    junk=st.one_of(st.binary(min_size=1, max_size=200), st.sampled_from(JUNK)),
)
def test_something_appended(kind: str, junk: bytes) -> None:
    samples = loaded(content(kind) + junk)
    not_shortened(samples, kind)
    if samples is not None and kind in PLAIN:
        np.testing.assert_array_equal(samples[:LENGTH], whole(kind))


@pytest.mark.parametrize("tag", [b"TAG" + b"x" * 125, b"\0" * 100], ids=["tag", "zeros"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_file_with_a_tag_behind_it_gives_all_samples(kind: str, tag: bytes) -> None:
    samples = loaded(content(kind) + tag)
    assert samples is not None
    np.testing.assert_allclose(samples[: len(whole(kind))], whole(kind), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("between", [b"", b"\0" * 64], ids=["joined", "padded"])
def test_joined_files(kind: str, between: bytes) -> None:
    samples = loaded(content(kind) + between + content(kind))
    if samples is not None:
        assert len(samples) >= 1.9 * LENGTH


SIZES = {  # of the samples: place, width and order of the field
    "wav": (40, 4, "little"),
    "wav-24": (40, 4, "little"),
    "wav-float": (None, 4, "little"),
    "wavex": (None, 4, "little"),
    "aiff": (None, 4, "big"),
    "aifc": (None, 4, "big"),
    "au": (8, 4, "big"),
    "caf": (None, 8, "big"),
    "w64": (None, 8, "little"),
}


@examples(120)
@given(
    kind=st.sampled_from([*SIZES]),
    change=st.one_of(st.integers(-LENGTH * 2, LENGTH * 2), st.integers(-40, 40)),
)
def test_a_size_too_large_or_too_small(kind: str, change: int) -> None:
    """The bytes are whole: all samples come out, or the file is refused."""
    data = bytearray(content(kind))
    place, width, order = SIZES[kind]
    if place is None:
        mark = {"aiff": b"SSND", "aifc": b"SSND", "w64": b"data\xf3"}.get(kind, b"data")
        place = data.index(mark) + (16 if kind == "w64" else 4)
    size = int.from_bytes(data[place : place + width], order)  # type: ignore[arg-type]
    if size + change < 0:
        change = -size
    data[place : place + width] = (size + change).to_bytes(width, order)  # type: ignore[arg-type]
    not_shortened(loaded(bytes(data)), kind)


@examples(40)
@given(total=st.one_of(st.integers(0, 2**36 - 1), st.integers(0, 2 * LENGTH)))
def test_any_length_in_the_header_of_a_flac_file(total: int) -> None:
    data = bytearray(content("flac"))
    (word,) = struct.unpack_from(">Q", data, 18)
    struct.pack_into(">Q", data, 18, word >> 36 << 36 | total)
    not_shortened(loaded(bytes(data)), "flac")


@examples(60)
@given(kind=st.sampled_from([*KINDS]), change=st.integers(1, 400), tail=st.booleans())
def test_bytes_lost_in_the_middle(kind: str, change: int, tail: bool) -> None:
    data = content(kind)
    middle = len(data) // 2
    loaded(data[:middle] + data[middle + change :] + (b"\0" * change if tail else b""))


@examples(60)
@given(data=st.binary(max_size=300), kind=st.sampled_from(["", *KINDS]))
def test_any_bytes(data: bytes, kind: str) -> None:
    loaded((content(kind)[:40] if kind else b"") + data)
