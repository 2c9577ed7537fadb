"""Parameters of a recording: level, room, noise, tuning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirprobe_tasks.music.random_choice import chance, pick


@dataclass(frozen=True)
class Mix:
    """Parameters of a recording. The names of audio files depend on their `repr`.

    Attributes:
        peak: peak level of the file, in dB relative to full scale.
        wet: level of the reverberation relative to the direct sound, in dB.
        decay: reverberation time in seconds (decay by 60 dB).
        noise: level of the noise floor relative to the music, in dB.
        colour: spectral slope of the noise; 0 is white, 1 falls by 6 dB per octave.
        cutoff: cutoff frequency of a first-order low-pass that models the microphone, in Hz.
        tuning: deviation from A = 440 Hz in cents.
        seed: seed of reverberation and noise.
    """

    peak: float
    wet: float
    decay: float
    noise: float
    colour: float
    cutoff: float
    tuning: float
    seed: int


def draw_mix(rng: np.random.Generator) -> Mix:
    """Draw the parameters of a recording, from close and clean to distant, dull and noisy."""
    cutoff = float(rng.uniform(2500.0, 9000.0))
    return Mix(
        peak=-float(rng.uniform(1.0, 14.0)),
        wet=-float(rng.uniform(6.0, 24.0)),
        decay=float(rng.uniform(0.15, 1.1)),
        noise=-float(rng.uniform(18.0, 55.0)),
        colour=float(pick(rng, (0.0, 0.5, 1.0))),
        cutoff=cutoff if chance(rng, 0.6) else 10_000.0,
        tuning=float(np.clip(rng.normal(0.0, 12.0), -35.0, 35.0)),
        seed=int(rng.integers(2**31)),
    )
