"""Disturbed audio: the error of each effect itself, and the labels that move along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Beats, Segments, Track
from mirprobe.data import audio
from mirprobe.data.perturb import (
    EFFECTS,
    RATE,
    Samples,
    _decoded,
    noise,
    parse_perturbations,
    perturb,
    plain_name,
    text_of,
)
from mirprobe.evaluation.perturbed_annotations import moved_tracks, transposed

SECONDS = 3
KEPT = [  # all of them but those that change pitch or tempo
    *("noise=30", "gain=-12", "lowpass=4000", "reverb=0.5"),
    *("mp3=128", "mp3=64", "mp3=32", "opus=64", "opus=24", "opus=12"),
]


def sine(hertz: float = 440.0) -> Samples:
    time = np.arange(SECONDS * RATE) / RATE
    return np.asarray(0.3 * np.sin(2 * np.pi * hertz * time), dtype=np.float32)


def cents(samples: Samples, hertz: float) -> float:
    """Distance of the highest peak of the spectrum to a frequency."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * len(middle)))
    return float(1200 * np.log2(spectrum.argmax() * RATE / (8 * len(middle)) / hertz))


@pytest.mark.parametrize("semitones", [-6, -1, 0, 0.5, 6])
def test_a_transposed_sine_is_within_five_cents(semitones: float) -> None:
    found = perturb(sine(), f"transpose={semitones:g}")
    assert len(found) == SECONDS * RATE
    assert abs(cents(found, 440 * 2 ** (semitones / 12))) < 5


@pytest.mark.parametrize("text", [*KEPT, "tempo=0.8", "tempo=1.25"])
def test_the_pitch_stays(text: str) -> None:
    assert abs(cents(perturb(sine(), text), 440)) < 5


@pytest.mark.parametrize("text", [*KEPT, "transpose=-6", "transpose=6", "tempo=0.8", "tempo=1.25"])
def test_a_click_is_within_five_milliseconds(text: str) -> None:
    clicks = np.zeros(SECONDS * RATE, dtype=np.float32)
    burst = np.hanning(64).astype(np.float32) * np.sin(np.arange(64)).astype(np.float32)
    for second in (1, 2):
        clicks[second * RATE - 32 : second * RATE + 32] = 0.9 * burst
    found = perturb(clicks, text)
    factor = float(text.partition("=")[2]) if text.startswith("tempo") else 1.0
    assert len(found) == pytest.approx(len(clicks) / factor, abs=1)
    for second in (1, 2):
        near = slice(round((second - 0.3) * RATE / factor), round((second + 0.3) * RATE / factor))
        energy = np.convolve(np.square(found[near]), np.ones(64), "same")
        place = (near.start + energy.argmax()) / RATE
        assert abs(place - second / factor) < 0.005


def test_closed_forms() -> None:
    own = sine()
    ratio = np.mean(np.square(own)) / np.mean(np.square(noise(own, 20.0) - own))
    assert 10 * np.log10(ratio) == pytest.approx(20, abs=1e-3)
    np.testing.assert_allclose(perturb(own, "gain=20"), 10 * own, rtol=1e-6)
    both = sine(1000) + sine(8000)
    np.testing.assert_allclose(
        perturb(both, "lowpass=3000")[9999:-9999], sine(1000)[9999:-9999], atol=1e-3
    )


@pytest.mark.parametrize("name", [name for name in EFFECTS if plain_name(name) == name])
def test_an_effect_depends_on_audio_and_strength_alone(name: str) -> None:
    strength = {"lowpass": 3000, "mp3": 64, "opus": 24, "tempo": 1.25}.get(name, 2)
    first, again = (perturb(sine(), f"{name}={strength}") for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_a_track_is_disturbed_where_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "sine.wav"
    soundfile.write(path, sine(), RATE, subtype="FLOAT")
    track = Track("a", path, "a", Annotations(), 0.5, 2.5, "gain=20")
    plain = Track("a", path, "a", Annotations(), 0.5, 2.5)
    np.testing.assert_allclose(audio.load(track, 16_000), 10 * audio.load(plain, 16_000), atol=1e-5)


@pytest.mark.parametrize(
    ("label", "semitones", "expected"),
    [
        ("C# minor", -1, "C minor"),
        ("Bb major", 3, "C# major"),
        ("X", 3, "X"),
        ("A other", 2, "B other"),
        ("F#:min7/b3", 6, "C:min7/b3"),
        ("B", 1, "C"),
        ("N", 5, "N"),
        ("Cb:maj", 1, "C:maj"),
    ],
)
def test_transposed_labels(label: str, semitones: int, expected: str) -> None:
    assert transposed(label, semitones) == expected


def moved(annotations: Annotations, text: str, *fields: str) -> Annotations:
    [perturbation] = parse_perturbations([text])
    [track] = moved_tracks([Track("a", Path("a"), "a", annotations)], perturbation, fields)
    return track.annotations


def test_times_follow_the_tempo() -> None:
    chords = Segments(np.array([[0.0, 2.0]]), ("C:maj",))
    beats = Beats(np.array([1.0, 2.0]), np.array([1, 2]))
    own = Annotations(
        key="C major", chords=chords, beats=beats, tempo=100.0, onsets=np.array([1.0]),
        extra={"claps": {"left": beats}, "word": "a"},
    )  # fmt: skip
    fields = ("key", "chords", "beats", "tempo", "onsets", "claps", "word")
    fast = moved(own, "tempo=1.25", *fields)
    assert (fast.key, fast.tempo, fast.get("word")) == ("C major", 125.0, "a")
    assert fast.chords is not None
    np.testing.assert_array_equal(fast.chords.intervals, [[0.0, 1.6]])
    for times in (fast.beats.times, fast.get("claps")["left"].times):  # type: ignore[union-attr]
        np.testing.assert_array_equal(times, [0.8, 1.6])
    np.testing.assert_array_equal(fast.onsets, [0.8])
    high = moved(own, "transpose=-2", *fields)
    assert (high.key, high.tempo) == ("A# major", 100.0)
    assert high.chords is not None
    assert high.chords.labels == ("A#:maj",)
    assert moved(own, "noise=3", "key").key == "C major"
    assert moved(own, "noise=3", "key").beats is None  # no task reads it


@pytest.mark.parametrize(
    ("annotations", "text", "message"),
    [
        (Annotations(pitch="G9"), "transpose=1", "'pitch' of track 'a' cannot be moved along (G9"),
        (Annotations(key="C major"), "transpose=0.5", "(it takes whole semitones)"),
        (Annotations(extra={"own": np.ones(2)}), "tempo=2", "use Beats"),
    ],
)
def test_what_cannot_be_moved_along(annotations: Annotations, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        moved(annotations, text, *annotations.given())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_strengths() -> None:
    found = parse_perturbations(["transpose=-1..1", "noise=30,0.5"])
    assert [text_of(one) for one in found] == [
        *("transpose=-1", "transpose=0", "transpose=1", "noise=30", "noise=0.5"),
    ]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nois=3", "did you mean 'noise'?"),
        ("noise=loud", "'loud' is no number; write NAME=STRENGTH,... or NAME=-6..6"),
        ("noise", "'' is no number"),
        ("noise=nan", "noise takes dB of signal to noise, -60 to 120"),
        ("tempo=0", "tempo takes times the tempo, 0.25 to 4"),
        ("mp3=100", "mp3 takes kbit/s, 32, 40, 48"),
        ("gain=3,3", "gain=3 is given twice"),
        ("transpose=3..1", "the range is empty"),
    ],
)
def test_bad_strengths(spec: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_perturbations([spec])
    assert message in str(caught.value)


def test_a_codec_or_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda kind: {})
    with pytest.raises(ConfigError, match="cannot write opus; install libsndfile"):
        parse_perturbations(["opus=24"])
    found: Any = lambda name: None  # noqa: E731
    monkeypatch.setattr("mirprobe.data.perturb.find_spec", found)
    with pytest.raises(ConfigError, match=r"pip install 'mirprobe\[perturb\]'"):
        parse_perturbations(["transpose=1"])


def test_bit_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(file: Any) -> Samples:
        sizes.append(file.tell())
        return _decoded(file)

    monkeypatch.setattr("mirprobe.data.perturb._decoded", measured)
    loud = noise(sine(), 0.0)
    wanted = [("mp3", 128), ("mp3", 64), ("mp3", 32), ("opus", 64), ("opus", 24), ("opus", 12)]
    for name, kilobits in wanted:
        perturb(loud, f"{name}={kilobits}")
        assert sizes.pop() * 8 / SECONDS / 1000 == pytest.approx(kilobits, rel=0.15)
