"""The figures of `mirprobe emergence`: onsets, similarities and probes by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mirprobe.core.plotting import BLUE, GREEN, GREY, ORANGE, new_figure, render, style
from mirprobe.emergence.claims import R, Result
from mirprobe.emergence.models import RANDOM, TRAINED
from mirprobe.emergence.onset_scores import OnsetResult
from mirprobe.emergence.probing import PLAIN, ProbeResult
from mirprobe.emergence.similarity_scores import SEQUENCE, SimilarityResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SOURCES = {"class": ORANGE, SEQUENCE: BLUE, "both": GREEN}
_LEVELS = {PLAIN: (ORANGE, "--"), "chroma": (GREEN, "-.")}
_BASELINES = {
    "flux": ("spectral flux", "black", "-"),
    "even": ("chance, evenly spaced", GREY, "--"),
    "uniform": ("chance, random times", GREY, ":"),
}
_RELATIONS = {
    "chord": "same chord (frames of a track)",
    "beat": "same phase within the beat (frames of a track)",
    "section": "same section (frames of a track)",
    "key": "same key (tracks)",
    "tags": "shared tags (tracks)",
}


def onsets_chart(results: Sequence[OnsetResult]) -> bytes:
    """F-measure of the heads of every layer, random weights, spectral flux and chance onsets."""
    own = [one for one in results if one.row["model"] == TRAINED]
    layers = _names(own, "layer")
    with style():
        figure = new_figure(7.2, 3.9)
        axes = figure.subplots()
        place = np.arange(len(layers))
        per_seed = [
            [[r.row["value"] for r in _of(results, RANDOM, seed, layer=layer)] for layer in layers]
            for seed in _seeds(results)
        ]
        if per_seed:
            values = np.array(per_seed).swapaxes(0, 1).reshape(len(layers), -1)
            axes.fill_between(
                place, values.min(1), values.max(1), color=GREY, alpha=0.25, lw=0,
                label=f"all heads of {len(per_seed)} random weights",
            )  # fmt: skip
        heads = _names(own, "head")
        for number, head in enumerate(heads):
            rows = [one for one in own if one.row["head"] == head]
            mean = head == "mean"
            _line(
                axes, place + (number - (len(heads) - 1) / 2) * 0.12, rows,
                color=BLUE if mean else ORANGE, marker="s" if mean else "o", lw=0, ms=3.5,
                label="mean of the heads" if mean else ("each head" if number == 0 else None),
            )  # fmt: skip
        for model, (label, colour, dash) in _BASELINES.items():
            for one in _of(results, model):
                axes.axhline(one.row["value"], color=colour, ls=dash, lw=1, label=label)
        _layers(axes, layers)
        axes.set_ylabel("F-measure, 50 ms")
        axes.set_title("Onsets detected in attention; bars: 95 % over test tracks")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return render(figure, ".png")


def similarity_chart(results: Sequence[SimilarityResult]) -> bytes:
    """ROC-AUC of the sequence tokens in each relation."""
    rows = [one for one in results if one.row["source"] == SEQUENCE]
    relations = _names(rows, "relation")

    def panel(axes: Axes, relation: str) -> None:
        here = [one for one in rows if one.row["relation"] == relation]
        own = _of(here, TRAINED)
        place = np.arange(len(own))
        for number, seed in enumerate(_seeds(here)):
            values = [one.row["value"] for one in _of(here, RANDOM, seed)]
            axes.plot(place, values, color=GREY, lw=1, label=None if number else "random weights")
        _line(axes, place, own, color=BLUE, marker="o", ms=3.5, lw=1.2, label=TRAINED)
        for model, (colour, dash) in _LEVELS.items():
            for one in _of(here, model):
                axes.axhline(one.row["value"], color=colour, ls=dash, lw=1, label=model)
        axes.axhline(0.5, color="black", lw=0.6, ls=":")
        axes.set_title(_RELATIONS[relation])
        _layers(axes, [one.row["layer"] for one in own])

    return _panels(relations, panel, "ROC-AUC of cosine similarity")


def sources_chart(results: Sequence[ProbeResult]) -> bytes:
    """Scores of linear probes by layer and pooling, of trained and random weights."""

    def panel(axes: Axes, task: str) -> None:
        here = [one for one in results if one.row["task"] == task]
        for beside, (source, colour) in zip((-0.15, 0.0, 0.15), _SOURCES.items(), strict=True):
            own = _of(here, TRAINED, source=source)
            if own:
                place = np.arange(len(own)) + beside
                _line(axes, place, own, color=colour, marker="o", ms=3.5, lw=1.0, label=source)
                _layers(axes, [one.row["layer"] for one in own])
            for number, seed in enumerate(_seeds(here)):
                values = [one.row["value"] for one in _of(here, RANDOM, seed, source=source)]
                label = "the same, random weights" if source == SEQUENCE and not number else None
                axes.plot(np.arange(len(values)), values, color=colour, lw=0.7, ls=":", label=label)
        for one in _of(here, PLAIN):
            axes.axhline(one.row["value"], color="black", lw=0.8, ls="--", label="log-mel frames")
        axes.set_title(f"{task}: {here[0].row['metric']}")

    return _panels(_names(results, "task"), panel, "test score of a linear probe")


def _panels(names: Sequence[str], draw: Callable[[Axes, str], None], label: str) -> bytes:
    """A figure with one panel per name, in two or three columns, with a common legend."""
    columns = 2 if len(names) == 4 else min(3, len(names))
    rows = -(-len(names) // columns)
    with style():
        figure = new_figure(3.6 * columns, 2.7 * rows + 0.5)
        axes: Any = figure.subplots(rows, columns, squeeze=False)
        handles: dict[str, Any] = {}
        for own, name in zip(axes.flat, names, strict=False):
            draw(own, name)
            found = zip(*own.get_legend_handles_labels(), strict=True)
            handles |= {text: handle for handle, text in found}
        for own in axes[:, 0]:
            own.set_ylabel(label)
        for own in axes.flat[len(names) :]:
            own.set_axis_off()
        figure.legend(
            handles.values(), handles, loc="outside lower center", ncols=5 if columns > 2 else 3
        )
        return render(figure, ".png")


def _line(axes: Axes, place: Any, rows: Sequence[Result], **style: Any) -> None:
    """Draw values with their intervals."""
    values = np.array([[one.row[name] for name in ("value", "low", "high")] for one in rows])
    # a bootstrap interval may not contain the value
    reach = np.abs(np.stack([values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]]))
    axes.errorbar(place, values[:, 0], yerr=reach, elinewidth=0.8, **style)


def _layers(axes: Axes, layers: Sequence[str]) -> None:
    axes.set_xticks(range(len(layers)), list(layers))
    axes.set_xlabel("layer")


def _of(results: Iterable[R], model: str, seed: int | None = None, **where: Any) -> list[R]:
    wanted = {"model": model, **where, **({} if seed is None else {"seed": seed})}
    return [one for one in results if all(one.row[name] == v for name, v in wanted.items())]


def _seeds(results: Iterable[Result]) -> list[int]:
    return sorted({one.row["seed"] for one in results if one.row["model"] == RANDOM})


def _names(results: Iterable[Result], column: str) -> list[str]:
    return list(dict.fromkeys(one.row[column] for one in results))
