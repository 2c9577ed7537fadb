"""The figures of `mirprobe emergence`: onsets, similarities and probes by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mirprobe.core.plotting import BLUE, GREEN, GREY, ORANGE, VIOLET, new_figure, render, style
from mirprobe.emergence.models import CONCAT, EQUAL, RANDOM, TRAINED
from mirprobe.emergence.probing import PLAIN
from mirprobe.emergence.rows import ScoredRow, by_seed, select, values_of
from mirprobe.emergence.similarity_scores import SEQUENCE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SOURCES = {"class": ORANGE, SEQUENCE: BLUE, "both": GREEN, EQUAL: VIOLET, CONCAT: GREY}
SPAN = 0.4  # least range of an axis of scores: smaller ones exaggerate differences
_BASELINES = {
    "flux": ("spectral flux", "black", "-"),
    "even": ("chance, evenly spaced", GREY, "--"),
    "uniform": ("chance, random times", GREY, ":"),
    PLAIN: (PLAIN, ORANGE, "--"),
    "chroma": ("chroma", GREEN, "-."),
}
_RELATIONS = {
    "chord": "same chord (frames)",
    "beat": "same phase in the beat (frames)",
    "section": "same section (frames)",
    "key": "same key (tracks)",
    "tags": "shared tags (tracks)",
}


def onsets_chart(results: Sequence[ScoredRow], data: str) -> bytes:
    """F-measure of the heads of every layer, random weights, spectral flux and chance onsets."""
    own, untrained = (select(results, model=model) for model in (TRAINED, RANDOM))
    layers, heads = (values_of(own, name) for name in ("layer", "head"))
    with style():
        figure = new_figure(7.2, 3.9)
        axes = figure.subplots()
        place = np.arange(len(layers))
        if untrained:
            values = np.array([_values(select(untrained, layer=layer)) for layer in layers])
            axes.fill_between(
                place, values.min(1), values.max(1), color=GREY, alpha=0.25, lw=0,
                label=f"all heads of {len(values_of(untrained, 'seed'))} random weights",
            )  # fmt: skip
        for number, head in enumerate(heads):
            mean = head == "mean"
            _line(
                axes, place + (number - (len(heads) - 1) / 2) * 0.12, select(own, head=head),
                color=BLUE if mean else ORANGE, marker="s" if mean else "o", lw=0, ms=3.5,
                label="mean of the heads" if mean else ("each head" if number == 0 else None),
            )  # fmt: skip
        _baselines(axes, results)
        _layers(axes, layers)
        axes.set_ylabel("F-measure, 50 ms")
        axes.set_ylim(0, 1)
        axes.set_title(
            f"Onsets detected in attention on {data}, {_tracks(own)}; bars: 95 % over test tracks"
        )
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        return render(figure, ".png")


def similarity_chart(results: Sequence[ScoredRow], data: str) -> bytes:
    """ROC-AUC of the sequence tokens in each relation."""
    rows = select(results, source=SEQUENCE)

    def panel(axes: Axes, relation: str) -> None:
        here = select(rows, relation=relation)
        own = select(here, model=TRAINED)
        for number, values in enumerate(_per_seed(here)):
            axes.plot(values, color=GREY, lw=0.5, label=None if number else "random weights")
        _line(axes, np.arange(len(own)), own, color=BLUE, marker="o", ms=3.5, lw=1.2, label=TRAINED)
        _baselines(axes, here)
        axes.axhline(0.5, color="black", lw=0.6, ls=":")
        axes.set_title(f"{_RELATIONS[relation]}, {_tracks(here)}")
        _layers(axes, values_of(own, "layer"))

    title = f"Similarity of sequence tokens on {data}; bars: 95 % over n test tracks"
    return _panels(values_of(rows, "relation"), panel, "ROC-AUC of cosine similarity", title)


def sources_chart(results: Sequence[ScoredRow], data: str) -> bytes:
    """Scores of linear probes by layer and pooling, of trained and random weights.

    Intervals of five poolings would hide each other; the table has them.
    """

    def panel(axes: Axes, task: str) -> None:
        here = select(results, task=task)
        for (source, colour), marker in zip(_SOURCES.items(), "os^Dv", strict=True):
            own = select(here, model=TRAINED, source=source)
            if own:
                axes.plot(
                    _values(own), color=colour, marker=marker, ms=4, mfc="none", lw=1, label=source
                )
                _layers(axes, values_of(own, "layer"))
            untrained = np.array(_per_seed(select(here, source=source)))
            if len(untrained):
                label = "the same, random weights (mean)" if source == SEQUENCE else None
                axes.plot(untrained.mean(0), color=colour, lw=0.9, ls=":", label=label)
        for value in _values(select(here, model=PLAIN)):
            axes.axhline(value, color="black", lw=0.8, ls="--", label="log-mel frames")
        axes.set_title(f"{task}: {here[0].row['metric']}, {_tracks(here)}")

    title = (
        f"Linear probes by layer and pooling on {data}, n test tracks; all axes have the same scale"
    )
    return _panels(values_of(results, "task"), panel, "test score", title)


def _panels(
    names: Sequence[str], draw: Callable[[Axes, str], None], label: str, title: str
) -> bytes:
    """A figure with one panel per name, in two or three columns, with a common legend.

    The axes of scores all span the same range, so that equal differences look equal.
    """
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
        span = max(SPAN, *(np.diff(own.get_ylim())[0] for own in axes.flat[: len(names)]))
        for own in axes.flat[: len(names)]:
            middle = np.clip(np.mean(own.get_ylim()), span / 2, max(1 - span / 2, span / 2))
            own.set_ylim(middle - span / 2, middle + span / 2)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)
        for own in axes[:, 0]:
            own.set_ylabel(label)
        for own in axes.flat[len(names) :]:
            own.set_axis_off()
        figure.legend(
            handles.values(), handles, loc="outside lower center", ncols=5 if columns > 2 else 3
        )
        return render(figure, ".png")


def _line(axes: Axes, place: Any, rows: Sequence[ScoredRow], **style: Any) -> None:
    """Draw values with their intervals."""
    values = np.array([[one.row[name] for name in ("value", "low", "high")] for one in rows])
    # an interval may not contain the value
    reach = np.abs(np.stack([values[:, 0] - values[:, 1], values[:, 2] - values[:, 0]]))
    axes.errorbar(place, values[:, 0], yerr=reach, elinewidth=0.8, **style)


def _layers(axes: Axes, layers: Sequence[str]) -> None:
    axes.set_xticks(range(len(layers)), list(layers))
    axes.set_xlabel("layer")


def _baselines(axes: Axes, results: Sequence[ScoredRow]) -> None:
    for model, (label, colour, dash) in _BASELINES.items():
        for value in _values(select(results, model=model)):
            axes.axhline(value, color=colour, ls=dash, lw=1, label=label)


def _tracks(results: Sequence[ScoredRow]) -> str:
    """`n = 72`: the number of test tracks of the rows of a panel."""
    counts = sorted({int(one.row["n"]) for one in results})
    return f"n = {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}"


def _values(results: Iterable[ScoredRow]) -> list[float]:
    return [one.row["value"] for one in results]


def _per_seed(results: Sequence[ScoredRow]) -> list[list[float]]:
    """The values of random weights, one list per seed."""
    return [_values(own) for own in by_seed(results)]
