"""`mirprobe inspect`: what a ViT-1D sees in one file, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations, Floats, Track
from mirprobe.data import audio
from mirprobe.emergence.attention_maps import READINGS
from mirprobe.emergence.models import InspectedModel
from mirprobe.emergence.onset_detector import PeakSettings, detect, flux, novelty
from mirprobe.evaluation.setup import choose_layers
from mirprobe.metrics.roc_auc import unit

SHOWN = 30.0  # seconds that are drawn where nothing else is asked for
LONGEST = 300.0  # seconds; a self-similarity matrix grows with their square


@dataclass(frozen=True, eq=False)
class TrackInspection:
    """One stretch of a file; frame i is centred at `times[i]` seconds of the file.

    Attributes:
        title: the file's name.
        length: of the file in seconds.
        times: (time,) in seconds from the file's start.
        windows: where the model's windows begin, in seconds from the file's start. Frames of one
            window know of each other, so that tokens and attention change where another begins.
        mel_hz: (bins,) centre of each mel band in Hz.
        logmel: (time, bins) as the model reads it.
        layers: names of all layers.
        heads: names of the heads; `mean` is the map averaged over them.
        reading: which of `mirprobe.emergence.attention_maps.READINGS` the curves are.
        attention: (time, layers, heads + 1) the curves.
        picking: how onsets were detected.
        chosen: the layers that are drawn.
        novelty: (time, chosen, heads + 1) the chosen layers' curves in deviations above their
            moving average, which is what onsets are peaks of.
        onsets: of each chosen layer's mean map, in seconds from the file's start.
        flux: (time,) spectral flux.
        flux_novelty: (time,) likewise.
        flux_onsets: in seconds from the file's start.
        similarity: (chosen, time, time) cosine of the sequence tokens.
    """

    title: str
    length: float
    times: Floats
    windows: Floats
    mel_hz: Floats
    logmel: Floats
    layers: tuple[str, ...]
    heads: tuple[str, ...]
    reading: str
    attention: Floats
    peak_settings: PeakSettings
    chosen: tuple[str, ...]
    novelty: Floats
    onsets: tuple[Floats, ...]
    flux: Floats
    flux_novelty: Floats
    flux_onsets: Floats
    similarity: Floats


def inspect_track(
    path: Path,
    model: InspectedModel,
    *,
    layers: str | Sequence[str] = "thirds",
    reading: str = "received-rise",
    start: float = 0.0,
    duration: float = SHOWN,
    peak_settings: PeakSettings | None = None,
) -> TrackInspection:
    """Read a stretch of a file.

    Args:
        path: an audio file.
        subject: the model.
        layers: as `mirprobe.evaluation.setup.choose_layers` reads them.
        reading: how attention becomes a curve.
        start: where the stretch begins, in seconds.
        duration: of the stretch in seconds; it ends with the file where that is shorter.
        picking: of the onsets, for attention and flux alike.

    Raises:
        ConfigError: an unknown layer or reading, or a stretch that cannot be drawn.
        TrackError: the file is not audio, or shorter than the model's window.
    """
    chosen = choose_layers(model.config.layers, layers)
    if reading not in READINGS:
        raise ConfigError(f"unknown reading '{reading}'; {nearest(reading, list(READINGS))}")
    length = _length(path)
    window = model.config.window
    if not window <= duration <= LONGEST:
        raise ConfigError(
            f"--duration {duration:g}: give between {window:g} s, the model's window, and "
            f"{LONGEST:g} s"
        )
    if length < window:
        raise TrackError(
            f"{path}: lasts {length:.2f} s, shorter than the model's window of {window:g} s; "
            "choose a longer file"
        )
    if not 0 <= start <= length - window:
        raise ConfigError(
            f"--start {start:g}: give between 0 and {length - window:.2f} s, so that {window:g} s "
            f"of {path.name} are left"
        )
    stop = min(start + duration, length)
    track = Track(path.stem, path, "", Annotations(), start, stop if stop < length else None)
    config = model.config.frontend
    seen = model.inspect(audio.load(track, config.sample_rate))
    rate, peak_settings = config.frame_rate, peak_settings or PeakSettings()
    curves = seen.curves[..., list(READINGS).index(reading)].astype(np.float64)
    places = [model.config.layers.index(layer) for layer in chosen]
    strength = flux(seen.logmel, config)
    tokens = unit(seen.tokens[:, places])  # (T, chosen, D)
    return TrackInspection(
        title=path.name,
        length=length,
        times=start + np.arange(len(curves)) / rate,
        windows=start + np.array(seen.windows) / rate,
        mel_hz=config.centres().numpy(),
        logmel=seen.logmel.astype(np.float64),
        layers=model.config.layers,
        heads=model.heads,
        reading=reading,
        attention=curves,
        peak_settings=peak_settings,
        chosen=chosen,
        novelty=novelty(curves[:, places], peak_settings.smoothing, rate),
        onsets=tuple(start + detect(curves[:, place, -1], peak_settings, rate) for place in places),
        flux=strength,
        flux_novelty=novelty(strength, peak_settings.smoothing, rate),
        flux_onsets=start + detect(strength, peak_settings, rate),
        similarity=np.einsum("ild,jld->lij", tokens, tokens),
    )


def to_npz(inspection: TrackInspection) -> bytes:
    """The arrays as a compressed .npz that numpy reads without pickles.

    Times and curves are in float64, log-mel and similarities in float32; the onsets of layer L are
    called `onsets_L`.
    """
    arrays: dict[str, Any] = {
        "times": inspection.times,
        "windows": inspection.windows,
        "mel_hz": inspection.mel_hz,
        "logmel": inspection.logmel.astype(np.float32),
        "layers": np.array(inspection.layers),
        "heads": np.array(inspection.heads),
        "reading": np.array(inspection.reading),
        "attention": inspection.attention,
        "chosen": np.array(inspection.chosen),
        "novelty": inspection.novelty,
        "flux": inspection.flux,
        "flux_novelty": inspection.flux_novelty,
        "flux_onsets": inspection.flux_onsets,
        "similarity": inspection.similarity.astype(np.float32),
    }
    for layer, onsets in zip(inspection.chosen, inspection.onsets, strict=True):
        arrays[f"onsets_{layer}"] = onsets
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _length(path: Path) -> float:
    """Seconds in an audio file.

    Raises:
        TrackError: it is missing, empty or not audio.
    """
    audio.check_file(path)
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise TrackError(
            f"{path}: cannot be decoded ({error}); name an audio file that libsndfile reads"
        ) from error
