"""The figure of `mirprobe inspect`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mirprobe.core.plotting import BLUE, COLOURS, GREY, ORANGE, new_figure, render, style
from mirprobe.core.schema import Floats
from mirprobe.emergence.inspect_track import TrackInspection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

_COLUMNS = 3  # matrices per row
_SECONDS = "seconds in the file (small ticks: the model's windows)"
_DEVIATIONS = (
    "deviations: standard deviations above the moving average; dotted: threshold of an "
    "onset; triangle: the peak is above the axis"
)
_MATRIX_HEIGHT = 3.7  # inches per row of matrices
_READINGS = {
    "received": "attention that each frame receives",
    "received-rise": "rise of the attention that each frame receives",
    "summary": "attention of the class token",
    "summary-rise": "rise of the class token's attention",
    "turn": "change of attention from frame to frame",
}


def draw(inspection: TrackInspection, weights: str, ending: str) -> bytes:
    """Draw log-mel frames, attention curves, onsets and self-similarity matrices.

    Args:
        inspection: the arrays.
        weights: name of the model, for the title.
        ending: `.png` or `.svg`.
    """
    chosen = len(inspection.chosen)
    rows = -(-chosen // _COLUMNS)
    tall = 1.9 + 1.6 + 1.1 * (chosen + 1)
    with style():
        figure = new_figure(11.5, tall + _MATRIX_HEIGHT * rows + 0.5)
        figure.suptitle(_title(inspection, weights), x=0.01, ha="left", fontsize=12, weight="bold")
        parts: Any = figure.subfigures(2, 1, height_ratios=[tall, _MATRIX_HEIGHT * rows])
        _draw_time(parts[0], inspection)
        _draw_matrices(parts[1], inspection, rows)
        return render(figure, ending)


def _title(inspection: TrackInspection, weights: str) -> str:
    first, last = inspection.times[0], inspection.times[-1]
    where = f"{clock(first)} to {clock(last)} of {clock(inspection.length)}"
    # matplotlib would read $ in the name of a file as mathematics
    return f"{inspection.title}, {where}, in {weights}".replace("$", r"\$")


def clock(seconds: float) -> str:
    """Minutes and seconds, `1:05`."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _draw_time(figure: SubFigure, inspection: TrackInspection) -> None:
    """Draw the curves over time, one above the other."""
    heights = [1.9, 1.6] + [1.1] * (len(inspection.chosen) + 1)
    axes: Any = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    _draw_logmel(axes[0], inspection, figure)
    _draw_layers(axes[1], inspection, figure)
    for place, own in enumerate(axes[2:-1]):
        _draw_layer(own, inspection, place)
    _draw_novelty(axes[-1], inspection, inspection.flux_novelty, inspection.flux_onsets, GREY)
    axes[-1].set_title("spectral flux, for comparison")
    axes[-1].set_xlabel(f"{_SECONDS}\n{_DEVIATIONS}")
    axes[-1].set_xlim(inspection.times[0], inspection.times[-1])
    # changes at the starts of the windows may not be musical
    for own in axes:
        own.set_xticks(inspection.windows[1:], minor=True)
    for own in axes[2:]:
        for edge in inspection.windows[1:]:
            own.axvline(edge, color=GREY, lw=0.4, ls=":")
    for own in axes[:-1]:
        own.tick_params(labelbottom=False)


def _draw_logmel(axes: Axes, inspection: TrackInspection, figure: SubFigure) -> None:
    image = _image(axes, inspection.logmel.T, inspection, cmap="magma")
    axes.set_title("log-mel spectrogram, as the model reads it")
    wanted = [hz for hz in (100, 400, 1000, 2000, 4000) if hz < inspection.mel_hz[-1]]
    places = np.interp(wanted, inspection.mel_hz, np.arange(len(inspection.mel_hz)))
    axes.set_yticks(places, [f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz" for hz in wanted])
    figure.colorbar(image, ax=axes, pad=0.01, aspect=12, label="log power (std)")


def _draw_layers(axes: Axes, inspection: TrackInspection, figure: SubFigure) -> None:
    """Draw the mean map of every layer, each layer on its own scale."""
    curves = inspection.attention[:, :, -1]
    low, high = np.percentile(curves, [2, 99.5], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    image = _image(axes, ((curves - low) / spread).clip(0, 1).T, inspection, cmap="viridis")
    what = _READINGS[inspection.reading]
    axes.set_title(f"{what}: every layer on its own scale, mean of the heads")
    axes.set_ylabel("layer")
    count = len(inspection.layers)
    shown = list(range(0, count, -(-count // 6)))
    axes.set_yticks(shown, [inspection.layers[place] for place in shown])
    bar = figure.colorbar(image, ax=axes, pad=0.01, aspect=12, ticks=[0, 1])
    bar.ax.set_yticklabels(["low", "high"])


def _draw_layer(axes: Axes, inspection: TrackInspection, place: int) -> None:
    novelty, onsets = inspection.novelty[:, place], inspection.onsets[place]
    for head in range(novelty.shape[1] - 1):
        colour = COLOURS[1 + head % (len(COLOURS) - 1)]  # the first is like that of the mean
        axes.plot(inspection.times, novelty[:, head], color=colour, lw=0.5, alpha=0.6)
    _draw_novelty(axes, inspection, novelty[:, -1], onsets, BLUE)
    axes.set_title(
        f"layer {inspection.chosen[place]}, mean of {novelty.shape[1] - 1} heads (thin: each): "
        f"{len(onsets)} onsets (orange); black: the {len(inspection.flux_onsets)} of spectral flux"
    )


def _draw_novelty(
    axes: Axes, inspection: TrackInspection, novelty: Floats, onsets: Floats, colour: str
) -> None:
    """Draw a curve, its onsets, the threshold, and the onsets of spectral flux at the top."""
    axes.plot(inspection.times, novelty, color=colour, lw=1.0)
    low, high = max(-2.5, float(novelty.min())), max(4.0, float(np.percentile(novelty, 99)))
    heights = np.interp(onsets - inspection.peak_settings.shift, inspection.times, novelty)
    for these, marker, size in ((heights <= high, "o", 2.8), (heights > high, "^", 4.5)):
        if these.any():  # the layout fails beside an unclipped line without points
            axes.plot(
                onsets[these], np.minimum(heights, high)[these], marker, color=ORANGE, ms=size,
                clip_on=False,
            )  # fmt: skip
    axes.axhline(inspection.peak_settings.threshold, color=GREY, lw=0.5, ls=":")
    top = axes.get_xaxis_transform()
    axes.vlines(inspection.flux_onsets, 0.9, 1.0, color="black", lw=0.6, transform=top)
    axes.set_ylim(low, high + 0.12 * (high - low))
    axes.set_ylabel("deviations", fontsize=7)
    axes.locator_params(axis="y", nbins=3)


def _image(axes: Axes, values: Floats, inspection: TrackInspection, **options: Any) -> Any:
    """An image (rows, time) with pixels centred on the times of the frames."""
    return axes.imshow(
        values, origin="lower", aspect="auto", interpolation="nearest",
        extent=(*_edges(inspection), -0.5, len(values) - 0.5), **options,
    )  # fmt: skip


def _edges(inspection: TrackInspection) -> tuple[float, float]:
    """Start of the first and end of the last pixel, in seconds."""
    half = (inspection.times[1] - inspection.times[0]) / 2
    return inspection.times[0] - half, inspection.times[-1] + half


def _draw_matrices(figure: SubFigure | Figure, inspection: TrackInspection, rows: int) -> None:
    """Draw the self-similarity of each chosen layer, all on one scale."""
    low, high = np.percentile(np.stack(list(inspection.similarity)), [1, 99])
    axes: Any = figure.subplots(rows, min(_COLUMNS, len(inspection.chosen)), squeeze=False)
    extent = _edges(inspection) * 2
    layers = zip(axes.flat, inspection.chosen, inspection.similarity, strict=False)
    for own, layer, matrix in layers:
        image = own.imshow(
            matrix, origin="lower", extent=extent, interpolation="antialiased",
            cmap="magma", vmin=low, vmax=max(high, low + 1e-6),
        )  # fmt: skip
        own.set_title(f"layer {layer}: cosine similarity of tokens")
        own.set_xlabel("seconds in the file")
        own.locator_params(nbins=6, integer=True)
        own.set_xticks(inspection.windows[1:], minor=True)
        own.set_yticks(inspection.windows[1:], minor=True)
        figure.colorbar(image, ax=own, shrink=0.8, pad=0.02)
    for own in axes[:, 0]:
        own.set_ylabel("seconds in the file")
    for own in axes.flat[len(inspection.chosen) :]:
        own.set_axis_off()
