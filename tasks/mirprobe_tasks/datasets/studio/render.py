"""From a piece to its audio file: play each part, mix, add room and noise, write FLAC."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.schema import Floats, Split
from mirprobe_tasks.datasets.studio.compose import Piece, compose
from mirprobe_tasks.music.midi import part_to_midi
from mirprobe_tasks.music.mix import Mix
from mirprobe_tasks.music.notes import Part

SAMPLE_RATE = 22_050
"""Of the files, in Hz."""

_RECIPE = 1  # raise when the same piece and mix are to sound different
_FONT = "TimGM6mb.sf2"


@lru_cache(maxsize=1)
def sound_font() -> bytes:
    """The General MIDI sound font that pretty_midi ships, found without importing it."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        raise ImportError("pretty_midi is not installed; it ships the sound font of studio")
    return (Path(spec.origin).parent / _FONT).read_bytes()


@lru_cache(maxsize=1)
def _renderer() -> str:
    """What turns MIDI into sound: the renderer's version, the sound font and this recipe."""
    font = hashlib.blake2b(sound_font(), digest_size=8).hexdigest()
    return f"{importlib.metadata.version('midirenderer')} {font} {_RECIPE}"


def file_name(piece: Piece) -> str:
    """The audio file's name: the id and a digest of all that the sound depends on."""
    return take_name(piece.id, piece.parts, piece.mix, piece.grid.duration)


def take_name(id: str, parts: Sequence[Part], mix: Mix, duration: float) -> str:
    """As `file_name`, for any parts."""
    digest = hashlib.blake2b(_renderer().encode(), digest_size=4)
    digest.update(repr((mix, duration)).encode())
    for part in parts:
        digest.update(part_to_midi(part, mix.tuning, duration))
        digest.update(repr((part.role, part.gain)).encode())
    return f"{id}-{digest.hexdigest()}.flac"


def render(piece: Piece) -> Floats:
    """The piece as (samples,) at `SAMPLE_RATE`, `piece.grid.duration` seconds long."""
    return play(piece.parts, piece.mix, piece.grid.duration)


def play(parts: Sequence[Part], mix: Mix, duration: float) -> Floats:
    """Parts as (samples,) at `SAMPLE_RATE`, each with its gain, recorded as the mix says."""
    length = round(duration * SAMPLE_RATE)
    dry = np.zeros(length)
    for part in parts:
        midi = part_to_midi(part, mix.tuning, duration)
        sound = synthesise(sound_font(), midi, length)
        dry += sound * 10 ** (part.gain / 20) / loudness(sound)
    return record(dry, mix)


def synthesise(font: bytes, midi: bytes, length: int, rate: int = SAMPLE_RATE) -> Floats:
    """Mono sound of one part, resampled to `rate` and cut or filled to `length` samples."""
    import midirenderer
    import soundfile
    import soxr

    wave, played_at = soundfile.read(io.BytesIO(midirenderer.render_wave_from(font, midi)))
    sound = np.zeros(length)
    resampled = soxr.resample((wave[:, 0] + wave[:, 1]) / 2, played_at, rate)[:length]
    sound[: len(resampled)] = resampled
    return sound


def loudness(sound: Floats, rate: int = SAMPLE_RATE) -> float:
    """Root mean square over the frames of 50 ms in which the part is heard; 1 for silence."""
    frame = rate // 20
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    power = np.square(frames).mean(axis=1)
    heard = power[power > 0.01 * power.max()]
    return float(np.sqrt(heard.mean())) if len(heard) else 1.0


def record(dry: Floats, mix: Mix, rate: int = SAMPLE_RATE) -> Floats:
    """Put the dry sum into its room, add the noise floor and set the level.

    Args:
        dry: (samples,) at `rate`.
        mix: the recording; its cutoff lies below rate / 2.
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
    """Impulse response: the direct sound at time 0, then a tail of noise that decays."""
    size = int(mix.decay * rate)
    time = np.arange(size) / rate
    tail = rng.normal(size=size) * 10 ** (-3 * time / mix.decay)
    tail[: int(0.004 * rate)] = 0.0  # the first wall is over a metre away
    tail *= 10 ** (mix.wet / 20) / np.sqrt(np.square(tail).sum())
    tail[0] = 1.0
    return np.asarray(tail)


def _noise(rng: np.random.Generator, length: int, colour: float, rate: int) -> Floats:
    """Noise of unit power whose amplitude falls with frequency to the power of -`colour`."""
    from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

    size = next_fast_len(length, real=True)
    frequency = np.maximum(rfftfreq(size, 1 / rate), 40.0)
    noise = irfft(rfft(rng.normal(size=size)) * frequency**-colour, n=size)[:length]
    return np.asarray(noise / np.sqrt(np.square(noise).mean()))


def write(split: Split, index: int, path: Path) -> None:
    """Compose and render a piece to `path`, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    write_flac(path, render(compose(split, index)))


def write_flac(path: Path, sound: Floats) -> None:
    """Write (samples,) at `SAMPLE_RATE` to a file of 16 bits, whole or not at all.

    Raises:
        StorageError: the file cannot be written.
    """
    import soundfile

    encoded = io.BytesIO()
    soundfile.write(encoded, sound, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    write_whole(path, encoded.getvalue())
