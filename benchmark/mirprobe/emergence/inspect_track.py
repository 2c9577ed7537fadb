"""`mirprobe inspect`: tokens, attention and onsets of a ViT-1D in one file, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import soundfile

from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations, Floats, Track
from mirprobe.data import audio
from mirprobe.emergence.attention_maps import READINGS
from mirprobe.emergence.models import InspectedModel, head_names
from mirprobe.emergence.onset_detector import PeakSettings, detect, flux, novelty
from mirprobe.evaluation.setup import choose_layers
from mirprobe.metrics.roc_auc import unit

SHOWN = 30.0  # default duration in seconds
LONGEST = 300.0  # maximum seconds; a self-similarity matrix grows with their square


@dataclass(frozen=True, eq=False)
class TrackInspection:
    """Arrays of an excerpt of a file; frame i is centred at `times[i]` seconds of the file.

    Attributes:
        title: name of the file.
        length: duration of the file in seconds.
        times: (time,), in seconds from the start of the file.
        windows: starts of the windows of the model, in seconds from the start of the file. Frames
            attend only to frames of their window, so tokens and attention change between windows.
        mel_hz: (bins,), centre of each mel band in Hz.
        logmel: (time, bins), the input of the model.
        layers: names of all layers.
        heads: names of the heads; `mean` is the mean map of the heads.
        reading: name of the curves in `mirprobe.emergence.attention_maps.READINGS`.
        attention: (time, layers, heads + 1), the curves.
        peak_settings: settings of the onset detector.
        chosen: layers to draw.
        novelty: (time, chosen, heads + 1), curves of the chosen layers in standard deviations above
            their moving average; onsets are peaks of them.
        onsets: onsets in the mean map of each chosen layer, in seconds from the start of the file.
        flux: (time,), spectral flux.
        flux_novelty: (time,), spectral flux in standard deviations above its moving average.
        flux_onsets: onsets in spectral flux, in seconds from the start of the file.
        similarity: (chosen, time, time), cosine similarity of the sequence tokens.
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
    """Compute the arrays of an excerpt of a file.

    Args:
        path: an audio file.
        model: the model.
        layers: layers to draw, as in `mirprobe.evaluation.setup.choose_layers`.
        reading: name in `mirprobe.emergence.attention_maps.READINGS`.
        start: start of the excerpt in seconds.
        duration: duration in seconds; shorter if the file ends before.
        peak_settings: settings of the onset detector, for attention and spectral flux.

    Raises:
        ConfigError: an unknown layer or reading, or an excerpt outside the file or its limits.
        TrackError: the file is not audio, or is shorter than the window of the model.
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
        heads=head_names(model.config),
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

    Times and curves are float64, log-mel frames and similarities float32. The onsets of layer L are
    named `onsets_L`.
    """
    others = ("title", "length", "peak_settings", "onsets")
    arrays = {name: np.asarray(own) for name, own in vars(inspection).items() if name not in others}
    for name in ("logmel", "similarity"):
        arrays[name] = arrays[name].astype(np.float32)
    for layer, onsets in zip(inspection.chosen, inspection.onsets, strict=True):
        arrays[f"onsets_{layer}"] = onsets
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def _length(path: Path) -> float:
    """Duration of an audio file in seconds.

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
