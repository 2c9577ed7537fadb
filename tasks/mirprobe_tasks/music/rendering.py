"""Renders parts as audio: synthesis with a sound font, mixing, reverberation and noise."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Floats
from mirprobe_tasks.music.midi import TICK, part_to_midi
from mirprobe_tasks.music.mix import Mix
from mirprobe_tasks.music.notes import Note, Part
from mirprobe_tasks.music.sound_fonts import studio_font

SAMPLE_RATE = 22_050
"""Sample rate of the rendered files, in Hz."""

UNCHANGED = "tempo", 1.0
"""Effect and strength that `played` returns the parts of."""

_RECIPE = 1  # increase it when a change here changes the audio


@lru_cache(maxsize=1)
def _renderer() -> str:
    """Version of the synthesiser, the sound font and this recipe."""
    font = hashlib.blake2b(studio_font(), digest_size=8).hexdigest()
    return f"{importlib.metadata.version('midirenderer')} {font} {_RECIPE}"


def audio_file_name(track_id: str, parts: Sequence[Part], mix: Mix, duration: float) -> str:
    """Name of the audio file: the id and a hash of everything that the audio depends on."""
    digest = hashlib.blake2b(_renderer().encode(), digest_size=4)
    digest.update(repr((mix, duration)).encode())
    for part in parts:
        digest.update(part_to_midi(part, mix.tuning, duration))
        digest.update(repr((part.role, part.gain)).encode())
    return f"{track_id}-{digest.hexdigest()}.flac"


def render_parts(parts: Sequence[Part], mix: Mix, duration: float) -> Floats:
    """Render parts as audio.

    Args:
        parts: each is played at its gain.
        mix: tuning, level, reverberation and noise.
        duration: in seconds.

    Returns:
        (samples,) at `SAMPLE_RATE`.
    """
    length = round(duration * SAMPLE_RATE)
    dry = np.zeros(length)
    for part in parts:
        midi = part_to_midi(part, mix.tuning, duration)
        audio = synthesise(studio_font(), midi, length)
        dry += audio * 10 ** (part.gain / 20) / loudness(audio)
    return record(dry, mix)


def played(
    parts: Sequence[Part], duration: float, effect: str, strength: float
) -> tuple[tuple[Part, ...], float]:
    """Parts and their duration, transposed by semitones or `strength` times as fast.

    Drums are not transposed. Times are rounded to MIDI ticks.

    Raises:
        ConfigError: semitones are not whole, or a note would leave the range of MIDI.
    """
    semitones, factor = (strength, 1.0) if effect == "transpose" else (0.0, strength)
    if semitones != round(semitones):
        raise ConfigError(f"perturb 'exact-transpose={strength:g}': give whole semitones")
    if not semitones and factor == 1:
        return tuple(parts), duration

    def moved(note: Note, pitched: bool) -> Note:
        start, end = (round(time / factor / TICK) * TICK for time in (note.start, note.end))
        pitch = note.pitch + round(semitones) * pitched
        if not 0 <= pitch < 128:
            raise ConfigError(
                f"perturb 'exact-transpose={strength:g}': note {note.pitch} leaves the range of "
                "MIDI, 0 to 127; give fewer semitones"
            )
        return replace(note, start=start, end=max(end, start + TICK), pitch=pitch)

    own = [
        replace(part, notes=tuple(moved(note, part.role != "drums") for note in part.notes))
        for part in parts
    ]
    return tuple(own), duration / factor


def synthesise(font: bytes, midi: bytes, length: int, rate: int = SAMPLE_RATE) -> Floats:
    """(length,) mono audio of a MIDI file at `rate`, truncated or zero-padded."""
    import midirenderer
    import soundfile
    import soxr

    wave, played_at = soundfile.read(io.BytesIO(midirenderer.render_wave_from(font, midi)))
    audio = np.zeros(length)
    resampled = soxr.resample((wave[:, 0] + wave[:, 1]) / 2, played_at, rate)[:length]
    audio[: len(resampled)] = resampled
    return audio


def loudness(audio: Floats, rate: int = SAMPLE_RATE) -> float:
    """Root mean square over frames of 50 ms, without silent frames; 1 for silence.

    Args:
        audio: (samples,) at `rate`.
        rate: in Hz.
    """
    frame = rate // 20
    frames = audio[: len(audio) // frame * frame].reshape(-1, frame)
    power = np.square(frames).mean(axis=1)
    audible = power[power > 0.01 * power.max()]
    return float(np.sqrt(audible.mean())) if len(audible) else 1.0


def record(dry: Floats, mix: Mix, rate: int = SAMPLE_RATE) -> Floats:
    """Add reverberation, apply the low-pass, add the noise floor, and set the level.

    Args:
        dry: (samples,) at `rate`.
        mix: parameters of the recording; the cutoff is below rate / 2.
        rate: in Hz.
    """
    from scipy.signal import butter, fftconvolve, lfilter

    rng = np.random.default_rng(mix.seed)
    music = fftconvolve(dry, _room(rng, mix, rate))[: len(dry)]
    music = lfilter(*butter(1, mix.cutoff, fs=rate), music)
    noise = _noise(rng, len(dry), mix.colour, rate)
    noise *= loudness(music, rate) * 10 ** (mix.noise / 20)
    recording = music + noise
    return np.asarray(recording * (10 ** (mix.peak / 20) / np.abs(recording).max()))


def _room(rng: np.random.Generator, mix: Mix, rate: int) -> Floats:
    """Impulse response of the room: direct sound at time 0, then decaying noise."""
    size = int(mix.decay * rate)
    time = np.arange(size) / rate
    tail = rng.normal(size=size) * 10 ** (-3 * time / mix.decay)
    tail[: int(0.004 * rate)] = 0.0  # the nearest wall is more than a metre away
    tail *= 10 ** (mix.wet / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return np.asarray(tail)


def _noise(rng: np.random.Generator, length: int, colour: float, rate: int) -> Floats:
    """Noise of unit power; its amplitude is proportional to frequency ** -colour."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    size = next_fast_len(length, real=True)
    frequency = np.maximum(rfftfreq(size, 1 / rate), 40.0)
    noise = irfft(rfft(rng.normal(size=size)) * frequency**-colour, n=size)[:length]
    return np.asarray(noise / np.sqrt(np.square(noise).mean()))


def write_flac(path: Path, audio: Floats) -> None:
    """Write (samples,) at `SAMPLE_RATE` to a 16-bit FLAC file, atomically.

    Raises:
        StorageError: the file cannot be written.
    """
    import soundfile

    encoded = io.BytesIO()
    soundfile.write(encoded, audio, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_whole(path, encoded.getvalue())
