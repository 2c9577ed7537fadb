"""Disturbed audio: effects of a strength, the same for the same audio on every run.

Every effect works on mono samples at `RATE`, whatever rate an encoder has. An effect keeps the
length of the audio and the times in it, except `tempo`. An exact effect is no effect on samples:
the data set plays its music anew, transposed or faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from io import BytesIO
from typing import Any
from zlib import crc32

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError

Samples = NDArray[np.float32]

RATE = 44_100
"""Sampling rate of the audio that is disturbed, in Hz."""

VERSION = 1
"""Of the effects: part of the keys of cached embeddings of disturbed audio."""

EXACT = "exact-"
"""Begins the names of effects that the data set renders."""

_OPUS_RATE = 48_000
_MP3_RATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_DELAY = 576 + 529  # samples: of LAME's encoder and of a decoder, if the file does not say
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")


def transpose(samples: Samples, semitones: float) -> Samples:
    """Transpose by semitones at the same tempo (Signalsmith Stretch)."""
    return _stretch(samples, semitones, 1.0)


def tempo(samples: Samples, factor: float) -> Samples:
    """Play `factor` times as fast at the same pitch (Signalsmith Stretch)."""
    return _stretch(samples, 0.0, factor)


def _stretch(samples: Samples, semitones: float, factor: float) -> Samples:
    from python_stretch import Signalsmith

    stretch = Signalsmith.Stretch()
    stretch.preset(1, RATE)
    stretch.setTransposeSemitones(semitones)
    stretch.timeFactor = factor
    stretched: Any = stretch.process(samples[None])
    return np.asarray(stretched[0], dtype=np.float32)


def noise(samples: Samples, decibels: float) -> Samples:
    """Add white noise at a ratio of signal to noise."""
    own = _random(samples).standard_normal(len(samples))
    scale = _rms(samples) / _rms(own) * 10 ** (-decibels / 20)
    return np.asarray(samples + scale * own, dtype=np.float32)


def gain(samples: Samples, decibels: float) -> Samples:
    """Multiply; nothing is clipped."""
    return samples * np.float32(10 ** (decibels / 20))


def lowpass(samples: Samples, hertz: float) -> Samples:
    """Remove what lies above a frequency: Butterworth, order 8, forwards and backwards."""
    from scipy.signal import butter, sosfiltfilt  # a second to import

    sections = butter(8, hertz, fs=RATE, output="sos")
    return np.asarray(sosfiltfilt(sections, samples, padlen=0), dtype=np.float32)


def reverb(samples: Samples, seconds: float) -> Samples:
    """Add a tail of noise that falls by 60 dB in some seconds, as loud as the direct sound."""
    time = np.arange(1, round(seconds * RATE) + 1) / RATE
    tail = np.random.default_rng(0).standard_normal(len(time)) * 10 ** (-3 * time / seconds)
    response = np.concatenate([[1.0], tail / np.linalg.norm(tail)])
    from scipy.signal import fftconvolve

    wet = fftconvolve(samples, response)[: len(samples)]
    return np.asarray(wet * (_rms(samples) / _rms(wet)), dtype=np.float32)


def mp3(samples: Samples, kilobits: float) -> Samples:
    """Encode as MP3 at a constant bit rate and decode (libsndfile)."""
    level = min(1 - (kilobits - 32) / (320 - 32), 0.999)
    file = BytesIO()
    with soundfile.SoundFile(
        file,
        "w",
        RATE,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=level,
        bitrate_mode="CONSTANT",
    ) as coded:
        coded.write(samples)
    decoded = _decoded(file)
    skip = _MP3_DELAY if len(decoded) > len(samples) else 0
    return _fitted(decoded[skip:], len(samples))


def opus(samples: Samples, kilobits: float) -> Samples:
    """Encode as Opus at about this bit rate and decode (libsndfile)."""
    file = BytesIO()
    with soundfile.SoundFile(
        file,
        "w",
        _OPUS_RATE,
        1,
        format="OGG",
        subtype="OPUS",
        compression_level=(256 - kilobits) / 250,
    ) as coded:
        coded.write(soxr.resample(samples, RATE, _OPUS_RATE))
    return _fitted(soxr.resample(_decoded(file), _OPUS_RATE, RATE), len(samples))


def _decoded(file: BytesIO) -> Samples:
    file.seek(0)
    samples: Samples = soundfile.read(file, dtype="float32")[0]
    return samples


def _fitted(samples: Samples, length: int) -> Samples:
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def _rms(samples: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) or 1.0


def _random(samples: Samples) -> np.random.Generator:
    return np.random.default_rng(crc32(samples.tobytes()))


@dataclass(frozen=True)
class _Effect:
    """A function of samples and strength, the strengths it takes, and the module it needs."""

    apply: Callable[[Samples, float], Samples]
    low: float
    high: float
    takes: str
    values: tuple[float, ...] = ()
    module: str = ""
    codec: tuple[str, str] = ("", "")


EFFECTS: dict[str, _Effect] = {
    "transpose": _Effect(transpose, -24, 24, "semitones", module="python_stretch"),
    "tempo": _Effect(tempo, 0.25, 4, "times the tempo", module="python_stretch"),
    "noise": _Effect(noise, -60, 120, "dB of signal to noise"),
    "gain": _Effect(gain, -120, 60, "dB"),
    "lowpass": _Effect(lowpass, 20, RATE / 2 - 1, "Hz"),
    "mp3": _Effect(mp3, 32, 320, "kbit/s", _MP3_RATES, codec=("MP3", "MPEG_LAYER_III")),
    "opus": _Effect(opus, 6, 256, "kbit/s", codec=("OGG", "OPUS")),
    "reverb": _Effect(reverb, 0.05, 20, "seconds of reverberation"),
}
EFFECTS |= {EXACT + name: replace(EFFECTS[name], module="") for name in ("transpose", "tempo")}
"""By name."""


def parse_perturbations(specs: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Names and strengths of `NAME=STRENGTH,...`, such as `transpose=-6..6` or `noise=30,10`.

    Raises:
        ConfigError: a name is unknown, a strength is no number, out of range or given twice, or a
            package or codec is missing.
    """
    found: list[tuple[str, float]] = []
    for spec in specs:
        name, _, text = spec.partition("=")
        if name not in EFFECTS:
            raise ConfigError(f"perturb '{spec}': {nearest(name, EFFECTS)}")
        effect = EFFECTS[name]
        for strength in _strengths(spec, text):
            if not effect.low <= strength <= effect.high or (
                effect.values and strength not in effect.values
            ):
                known = ", ".join(f"{one:g}" for one in effect.values)
                raise ConfigError(
                    f"perturb '{spec}': {name} takes {effect.takes}, "
                    + (known or f"{effect.low:g} to {effect.high:g}")
                )
            if (name, strength) in found:
                raise ConfigError(f"perturb '{spec}': {name}={strength:g} is given twice")
            found.append((name, strength))
        if effect.module and find_spec(effect.module) is None:
            raise ConfigError(f"perturb '{spec}' needs a package; pip install 'mirprobe[perturb]'")
        kind, codec = effect.codec
        if kind and codec not in soundfile.available_subtypes(kind):
            raise ConfigError(
                f"perturb '{spec}': libsndfile {soundfile.__libsndfile_version__} cannot write "
                f"{name}; install libsndfile 1.2 or later"
            )
    return tuple(found)


def _strengths(spec: str, text: str) -> list[float]:
    values: list[float] = []
    for part in text.split(","):
        if span := _RANGE.fullmatch(part):
            first, last = int(span[1]), int(span[2])
            values += map(float, range(first, last + 1))
            continue
        try:
            values.append(float(part))
        except ValueError:
            raise ConfigError(
                f"perturb '{spec}': '{part}' is no number; write NAME=STRENGTH,... or NAME=-6..6"
            ) from None
    if not values:
        raise ConfigError(f"perturb '{spec}': the range is empty; write the smaller end first")
    return values


def text_of(perturbation: tuple[str, float]) -> str:
    """`NAME=STRENGTH`, as in `Track.perturbation` and in rows."""
    return f"{perturbation[0]}={perturbation[1]:g}"


def plain_name(name: str) -> str:
    """The name of an effect without the prefix of the exact ones."""
    return name.removeprefix(EXACT)


def perturb(samples: Samples, perturbation: str) -> Samples:
    """Samples at `RATE` with an effect; `perturbation` is what `text_of` returns."""
    name, _, strength = perturbation.partition("=")
    return EFFECTS[name].apply(samples, float(strength))
