"""Audio files whose headers and contents disagree."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.audio_files import RATE, REPLACE, refusal, sine, track, write

from mirprobe.core.schema import Floats
from mirprobe.data.audio import check_file, load
from mirprobe.pretraining import audio_files


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("part", [0.95, 0.5, 0.1])
def test_a_file_cut_short(tmp_path: Path, name: str, part: float) -> None:
    path = write(tmp_path / name, sine(RATE, 3.0))
    assert len(load(track(path), RATE)) > 0
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    message = refusal(path)
    assert message.startswith(("truncated, ", "cannot be decoded (", "holds no samples"))
    assert message.endswith(REPLACE)


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("inside", [0, 1, -100])
def test_an_ogg_file_cut_at_or_near_the_end_of_a_page(
    tmp_path: Path, codec: str, inside: int
) -> None:
    path = tmp_path / "a.ogg"
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 10 * 48_000)
    soundfile.write(path, noise, 48_000, format="OGG", subtype=codec)
    assert len(load(track(path), RATE)) == 10 * RATE
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"OggS", len(content) // 2) + inside])
    assert refusal(path).startswith("truncated, ")


def longer(path: Path, frames: int) -> Path:
    """The same Ogg file, whose last page claims so many frames more (RFC 3533)."""
    content = bytearray(path.read_bytes())
    page = content.rindex(b"OggS")
    (granule,) = struct.unpack_from("<q", content, page + 6)
    struct.pack_into("<q", content, page + 6, granule + frames)
    struct.pack_into("<I", content, page + 22, 0)
    checksum = 0
    for byte in content[page:]:
        checksum ^= byte << 24
        for _ in range(8):
            checksum = (checksum << 1) ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    struct.pack_into("<I", content, page + 22, checksum)
    path.write_bytes(content)
    return path


def test_an_ogg_file_that_ends_a_little_early(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", sine(48_000, 3.0), 48_000)
    whole = load(track(path), RATE)
    early = load(track(longer(path, 1200)), RATE)  # some of them were there, but cut off
    assert len(whole) <= len(early) < len(whole) + 400
    np.testing.assert_allclose(early[: 3 * RATE - 400], whole[:-400], atol=1e-6)
    with soundfile.SoundFile(path) as file:
        assert len(file.read()) < file.frames == 3 * 48_000 + 1200
    assert refusal(longer(path, 4800)).startswith("truncated, 14")


def test_the_size_that_a_header_states(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(RATE, 0.1))
    content = path.read_bytes()
    assert len(content) == 3244
    path.write_bytes(content[:-2])
    assert refusal(path) == f"truncated, 3242 of 3244 bytes; {REPLACE}"
    path.write_bytes(content[:-1])  # a byte of padding that some writers forget
    check_file(path)
    for unknown in (0, 0x7FFFF024, 0xFFFFFFFF):  # left by programs that write into a pipe
        length = struct.pack("<I", unknown)
        path.write_bytes(content[:4] + length + content[8:40] + length + content[44:-2])
        check_file(path)
    path.write_bytes(content[:4] + struct.pack("<I", 3236 + 8) + content[8:])
    assert len(load(track(path), RATE)) == 1600  # the samples are complete


@pytest.mark.parametrize("name", ["a.rf64", "a.w64"])
def test_a_long_format_cut_short(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    soundfile.write(path, sine(RATE, 3.0), RATE, format=name[2:].upper(), subtype="PCM_16")
    assert len(load(track(path), RATE)) == 3 * RATE
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    missing = f"truncated, {len(content) // 2} of {len(content)} bytes; {REPLACE}"
    assert refusal(path) == missing


def mp3(path: Path, samples: Floats) -> bytes:
    """The frames of an MP3 file of variable bit rate, the first of which is its index."""
    soundfile.write(path, samples, 44_100, format="MP3", bitrate_mode="VARIABLE")
    content = path.read_bytes()
    assert content[36:40] == b"Xing" or content[21:25] == b"Xing"
    return content


def changing(seconds: float) -> Floats:
    """Noise, then a tone: the first needs a far higher bit rate."""
    samples = sine(44_100, seconds)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, len(samples) // 4)
    samples[: len(noise)] += noise
    return samples / 2


@pytest.mark.parametrize("options", [("CONSTANT", 0.0), ("VARIABLE", 0.6)])
@pytest.mark.parametrize("rate", [22_050, 44_100])
def test_an_excerpt_of_an_mp3_is_that_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int, options: tuple[str, float]
) -> None:
    monkeypatch.setattr(audio_files, "_VALUES", 10_000)
    path = tmp_path / "a.mp3"
    fading = np.exp(-8 * (np.arange(8 * rate) / rate % 0.5))  # frames borrow bytes of earlier ones
    mode, level = options
    samples = fading * sine(rate, 8.0)
    soundfile.write(path, samples, rate, format="MP3", bitrate_mode=mode, compression_level=level)
    whole = load(track(path), rate)
    for start in (1.0, 2.5, 3.333, 5.01):
        part = load(track(path, start, start + 0.5), rate)
        first = round(start * rate)
        np.testing.assert_allclose(part, whole[first : first + len(part)], atol=1e-6)
    decoded = np.concatenate(
        list(audio_files.decode(audio_files.AudioFile(path, "", "a.mp3", ""), rate))
    )
    np.testing.assert_allclose(decoded, whole, atol=1e-6)


def index_size(content: bytes) -> int:
    return content.index(content[:2], 4)


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\0\x20" + bytes(32)])
def test_an_mp3_without_an_index_is_decoded_to_its_end(tmp_path: Path, tag: bytes) -> None:
    path = tmp_path / "a.mp3"
    content = mp3(path, changing(20.0))
    rate = 44_100
    whole = load(track(path), rate)
    assert len(whole) == 20 * rate
    path.write_bytes(tag + content[index_size(content) :])
    assert soundfile.info(path).duration < 15  # what libsndfile makes of it
    found = load(track(path), rate)
    delay = 1105  # samples that the index tells a decoder to leave out
    assert len(whole) + delay <= len(found) < len(whole) + delay + 2 * 1152
    np.testing.assert_allclose(
        found[delay + 4000 :][: 19 * rate], whole[4000:][: 19 * rate], atol=1e-6
    )
    part = load(track(path, 12.0, 13.0), rate)
    np.testing.assert_array_equal(part, found[12 * rate : 13 * rate])


@pytest.mark.parametrize("name", ["a.mp3", "a.ogg", "a.flac", "a.opus"])
def test_joined_files_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.mp3":
        mp3(path, changing(3.0))
    elif name == "a.opus":
        soundfile.write(path, sine(48_000, 3.0), 48_000, format="OGG", subtype="OPUS")
    else:
        write(path, sine(RATE, 3.0))
    assert len(load(track(path), RATE)) == 3 * RATE
    path.write_bytes(path.read_bytes() * 2)
    assert refusal(path) == (
        "holds 2 streams, one after the other; encode it again as one stream or leave the track out"
    )


def test_an_mp3_that_is_longer_than_its_index_says(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = mp3(path, changing(3.0))
    path.write_bytes(content + content[index_size(content) :])
    assert refusal(path).startswith("its header states 3.0 s, but it holds 6.1 s; encode it again")


def test_a_flac_file_of_unknown_length(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", sine(RATE, 30.0))
    whole = load(track(path), RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # 36 bits of STREAMINFO: the number of samples (RFC 9639, section 8.2)
    content[22:26] = bytes(4)
    path.write_bytes(content)
    assert soundfile.info(path).frames > 1 << 60
    np.testing.assert_array_equal(load(track(path), RATE), whole)
    np.testing.assert_array_equal(load(track(path, 1.0, 2.0), RATE), whole[RATE : 2 * RATE])


@pytest.mark.parametrize("between", [b"", b"\0" * 64])
@pytest.mark.parametrize("kind", ["WAV", "RF64", "W64", "AIFF", "AU", "CAF"])
def test_joined_files_of_samples_are_refused(tmp_path: Path, kind: str, between: bytes) -> None:
    path = tmp_path / "a"
    soundfile.write(path, sine(RATE, 1.0), RATE, format=kind, subtype="PCM_16")
    content = path.read_bytes()
    path.write_bytes(content + between + content)
    assert refusal(path).startswith(("holds 2 streams, one after the other", "cannot be decoded"))
    path.write_bytes(content + b"TAG" + bytes(125))
    assert len(load(track(path), RATE)) == RATE


@pytest.mark.parametrize(
    ("kind", "mark", "order"),
    [("WAV", b"data", "<I"), ("AIFF", b"SSND", ">I"), ("CAF", b"data", ">Q")],
)
def test_a_size_that_is_too_small(tmp_path: Path, kind: str, mark: bytes, order: str) -> None:
    path = tmp_path / "a"
    soundfile.write(path, sine(RATE, 1.0), RATE, format=kind, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    struct.pack_into(order, content, content.index(mark) + 4, 16_000)
    path.write_bytes(content)
    assert refusal(path).startswith("its header states 0.5 s, but it holds 1.0 s; encode it again")


def test_a_caf_file_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path / "a.caf", sine(RATE, 1.0))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refusal(path).startswith("truncated, ")


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 96_000, 12_345])
def test_a_flac_file_that_is_longer_than_its_header_says(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.flac", sine(rate, 2.0), rate)
    content = bytearray(path.read_bytes())
    for length, message in (
        (rate, "its header states 1.0 s, but it holds 2.0 s"),
        (2**35, "trunc"),
    ):
        content[21] = content[21] & 0xF0 | length >> 32
        struct.pack_into(">I", content, 22, length & 0xFFFFFFFF)
        path.write_bytes(content)
        assert refusal(path).startswith(message)


def test_a_rate_that_no_audio_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(RATE, 1.0), 1)
    assert refusal(path) == f"its header states a rate of 1 Hz; {REPLACE}"


def test_a_chunk_of_absurd_length(tmp_path: Path) -> None:
    path = tmp_path / "a"
    soundfile.write(path, sine(RATE, 1.0), RATE, format="W64", subtype="PCM_16")
    content = bytearray(path.read_bytes())
    struct.pack_into("<Q", content, 56, 2**63)
    path.write_bytes(content)
    assert refusal(path).endswith(REPLACE)
