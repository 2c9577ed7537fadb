"""Parameters of a recording: level, room, noise, tuning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirprobe_tasks.music.random_choice import chance, pick


@dataclass(frozen=True)
class Mix:
    """Parameters of a recording. Names of audio files depend on them, by `repr`.

    Attributes:
        peak: of the file, in dB relative to full scale.
        wet: level of the tail of the room relative to the direct sound, in dB.
        decay: of the room: seconds until the tail has decayed by 60 dB.
        noise: level of the noise floor relative to the music, in dB.
        colour: 0 for white noise, 1 for noise that falls by 6 dB per octave.
        cutoff: of a first-order low-pass that models the microphone, in Hz.
        tuning: deviation from A = 440 Hz in cents.
        seed: of room and noise.
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
    """Draw a recording, from close and clean to distant, dull and noisy."""
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
