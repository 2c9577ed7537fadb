from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Floats, Track
from mirprobe.data.audio import check_file, load

RATE = 16_000


def track(path: Path, start: float = 0.0, stop: float | None = None) -> Track:
    return Track("one", path, "group", Annotations(), start, stop)


def sine(rate: int, seconds: float, frequency: float = 440.0) -> Floats:
    return np.asarray(0.5 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate))


def write(path: Path, samples: Floats, rate: int = RATE, subtype: str | None = None) -> Path:
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def refusal(path: Path, start: float = 0.0, stop: float | None = None) -> str:
    """The one line that `load` refuses a file with, without the file's name."""
    with pytest.raises(TrackError) as caught:
        load(track(path, start, stop), RATE)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def frequency_of(
    samples: Floats | np.ndarray[tuple[int], np.dtype[np.float32]], rate: int
) -> float:
    """Of the loudest sine, between the bins by a parabola through the log spectrum."""
    spectrum = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-12)
    peak = int(spectrum.argmax())
    low, mid, high = spectrum[peak - 1 : peak + 2]
    return float((peak + 0.5 * (low - high) / (low - 2 * mid + high)) * rate / len(samples))


def test_a_wav_file_comes_back_as_it_was_written(tmp_path: Path) -> None:
    samples = sine(RATE, 0.5)
    loaded = load(track(write(tmp_path / "a.wav", samples, subtype="FLOAT")), RATE)
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, samples.astype(np.float32))


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_16", 2**-15),
        ("a.wav", "PCM_24", 2**-23),
        ("a.wav", "PCM_32", 1e-7),
        ("a.wav", "PCM_U8", 2**-7),
        ("a.wav", "DOUBLE", 1e-7),
        ("a.flac", "PCM_24", 2**-23),
        ("a.aiff", "PCM_16", 2**-15),
        ("a.au", "PCM_16", 2**-15),
        ("a.ogg", "VORBIS", 0.03),
    ],
)
def test_formats(tmp_path: Path, name: str, subtype: str, tolerance: float) -> None:
    samples = sine(RATE, 0.5)
    loaded = load(track(write(tmp_path / name, samples, subtype=subtype)), RATE)
    assert len(loaded) == len(samples)
    assert np.abs(loaded - samples).max() <= tolerance


def test_mp3(tmp_path: Path) -> None:
    samples = sine(RATE, 1.0)
    loaded = load(track(write(tmp_path / "a.mp3", samples)), RATE)
    assert abs(len(loaded) - len(samples)) <= 1152  # a block
    assert frequency_of(loaded, RATE) == pytest.approx(440, abs=1)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = sine(RATE, 0.2, 440), sine(RATE, 0.2, 1000)
    path = write(tmp_path / "a.wav", np.stack([left, right, 0 * left], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(load(track(path), RATE), (left + right) / 3, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("wanted", [16_000, 24_000])
def test_resampling_keeps_pitch_length_and_level(tmp_path: Path, rate: int, wanted: int) -> None:
    samples = sine(rate, 0.7013, 1234.5)
    loaded = load(track(write(tmp_path / "a.wav", samples, rate)), wanted)
    assert abs(len(loaded) - len(samples) * wanted / rate) <= 0.5
    assert frequency_of(loaded, wanted) == pytest.approx(1234.5, rel=1e-4)
    middle = loaded[len(loaded) // 4 : -len(loaded) // 4]
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.5, rel=0.01)
    # and its phase: nothing is delayed
    expected = 0.5 * np.sin(2 * np.pi * 1234.5 * np.arange(len(loaded)) / wanted)
    quarter = slice(len(loaded) // 4, -len(loaded) // 4)
    assert np.abs(loaded[quarter] - expected[quarter]).max() < 0.01


def test_resampling_removes_what_the_new_rate_cannot_hold(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(44_100, 0.5, 12_000), 44_100, "FLOAT")
    assert np.abs(load(track(path), 16_000)[500:-500]).max() < 1e-3


def test_start_and_stop(tmp_path: Path) -> None:
    samples = sine(RATE, 1.0)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    whole = samples.astype(np.float32)
    np.testing.assert_array_equal(load(track(path, 0.25, 0.75), RATE), whole[4000:12000])
    np.testing.assert_array_equal(load(track(path, 0.25), RATE), whole[4000:])
    np.testing.assert_array_equal(load(track(path, 0.0, 1.0), RATE), whole)


@pytest.mark.parametrize(
    ("start", "stop"), [(1.0, None), (2.0, None), (0.0, 1.5), (0.5, 0.5), (0.5, 0.2), (-0.5, None)]
)
def test_a_stretch_outside_the_file(tmp_path: Path, start: float, stop: float | None) -> None:
    path = write(tmp_path / "a.wav", sine(RATE, 1.0))
    assert refusal(path, start, stop) == (
        f"track 'one' spans {start} to {stop} s of a file of 1.000 s; correct its start and stop"
    )


def test_a_missing_file(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "a.wav") == "no such audio file; check its path or the data set's folder"
    )
    (tmp_path / "folder.wav").mkdir()
    assert refusal(tmp_path / "folder.wav").startswith("no such audio file")


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", sine(RATE, 0.1))

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert refusal(path) == "cannot be read (Permission denied); check its permissions"
    monkeypatch.undo()
    long = tmp_path / ("x" * 300)
    assert refusal(long) == "cannot be read (File name too long); check its permissions"


REPLACE = "replace the file or leave the track out"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert refusal(path) == f"is empty; {REPLACE}"


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "a.au"])
def test_a_file_without_samples(tmp_path: Path, name: str) -> None:
    message = refusal(write(tmp_path / name, np.zeros(0)))
    assert message.startswith(("holds no samples", "cannot be decoded", "is empty"))
    assert message.endswith(REPLACE)


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


def test_a_format_in_which_nobody_can_seek(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", sine(8000, 3.0), 8000, subtype="GSM610")
    whole = load(track(path), 8000)
    assert 3 * 8000 <= len(whole) < 3.1 * 8000
    np.testing.assert_array_equal(load(track(path, 1.0, 2.0), 8000), whole[8000:16_000])


@pytest.mark.parametrize("content", [b"This is no audio.\n" * 100, b"RIFF", b"\0" * 5000, b"fLaC"])
@pytest.mark.parametrize("name", ["a.wav", "a.mp3", "a"])
def test_what_is_not_audio(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith("cannot be decoded (")
    assert message.endswith(f"); {REPLACE}")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_are_not_numbers(tmp_path: Path, value: float, channels: int) -> None:
    samples = np.repeat(sine(RATE, 0.1)[:, None], channels, axis=1)
    samples[77, -1] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert refusal(path) == f"holds NaN or infinite samples; {REPLACE}"


def test_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(RATE))
    assert refusal(path) == f"is silent, every sample is zero; {REPLACE}"
    one = np.zeros(RATE)
    one[-1] = 0.5
    write(path, one)
    assert load(track(path), RATE).any()
    assert refusal(path, 0.0, 0.5) == f"is silent, every sample is zero; {REPLACE}"


def test_channels_that_cancel_out(tmp_path: Path) -> None:
    left = sine(RATE, 0.1)
    path = write(tmp_path / "a.wav", np.stack([left, -left], axis=1), subtype="FLOAT")
    assert refusal(path) == f"is silent, its channels cancel out; {REPLACE}"


def test_audio_too_short_for_the_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.full(2, 0.5), 96_000)
    assert refusal(path) == f"no sample is left of 2 at 16000 Hz; {REPLACE}"


@settings(deadline=None, max_examples=30)
@given(samples=st.integers(6, 5000), rate=st.sampled_from([8_000, 16_000, 44_100, 96_000]))
def test_any_length_resamples_to_its_share(
    tmp_path_factory: pytest.TempPathFactory, samples: int, rate: int
) -> None:
    path = tmp_path_factory.mktemp("lengths") / "a.wav"
    write(path, np.linspace(0.1, 0.5, samples), rate)
    assert abs(len(load(track(path), RATE)) - samples * RATE / rate) <= 0.5


def at_once(path: Path, wanted: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """What `load` gives, with the whole file in memory."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1, dtype=np.float32), rate, wanted))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100])
def test_blocks_leave_no_trace(
    tmp_path: Path, name: str, rate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (3 * 1000 + 7, 2))
    path = write(tmp_path / name, noise, rate)
    expected = at_once(path, RATE)
    for block in (1, 999, 1000, soundfile.info(path).frames, 1 << 18):
        monkeypatch.setattr("mirprobe.data.audio._BLOCK", block)
        np.testing.assert_array_equal(load(track(path), RATE), expected)


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
