from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from helpers.audio_files import RATE, REPLACE, refusal, sine, track, write
from hypothesis import given, settings
from hypothesis import strategies as st

from mirprobe.core.schema import Floats
from mirprobe.data.audio import load


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


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert refusal(path) == f"is empty; {REPLACE}"


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff", "a.au"])
def test_a_file_without_samples(tmp_path: Path, name: str) -> None:
    message = refusal(write(tmp_path / name, np.zeros(0)))
    assert message.startswith(("holds no samples", "cannot be decoded", "is empty"))
    assert message.endswith(REPLACE)


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
    for kind in ("FLOAT", "PCM_16"):  # the second rounds
        path = write(tmp_path / "a.wav", np.stack([left, -left], axis=1), subtype=kind)
        assert refusal(path) == f"is silent, its channels cancel out; {REPLACE}"


def test_integers_that_were_written_as_floats(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 20_000 * np.ones(100), subtype="FLOAT")
    assert refusal(path).startswith("has samples up to 2e+04, full scale is 1; divide them by")
    write(path, 50 * np.ones(100), subtype="FLOAT")
    assert load(track(path), RATE).max() == pytest.approx(50, rel=0.2)


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
