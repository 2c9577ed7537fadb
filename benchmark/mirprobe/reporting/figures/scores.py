"""Scores of all encoders, and their differences to one of them, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mirprobe.api.specs import require_scores
from mirprobe.core.errors import ConfigError
from mirprobe.core.plotting import BLUE, GREY
from mirprobe.reporting.figures.common import (
    caption_of,
    contents_of,
    controls,
    legend,
    mark_note,
    marked,
    panels,
    reach,
    short_name,
    shown,
    title_of,
)
from mirprobe.reporting.ranks import LEVEL
from mirprobe.reporting.run_collection import RunCollection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.22  # inches for each encoder


def scores(collection: RunCollection) -> Figure:
    """The main metric of each encoder with its interval and controls, best first."""
    tables = collection.tables()
    most = max(len(shown(rows)) for rows in tables)
    figure, axes = panels(len(tables), height=1.1 + ROW * most)
    for own, rows in zip(axes, tables, strict=True):
        kept = rows[rows["encoder"].isin(shown(rows))]
        values, low, high = kept[["value", "low", "high"]].to_numpy(dtype=np.float64).T
        places = np.arange(len(kept))
        own.errorbar(
            values, places, xerr=reach(values, low, high), fmt="o", ms=4, color=BLUE, elinewidth=1
        )
        controls(own, kept, vertical=True)
        _encoders(own, marked(kept))
        own.set_title(title_of(collection, rows), loc="right")  # space is left of the names
    legend(figure, axes)
    what = f"Main metric on the test tracks. Bars: 95 % intervals over {contents_of(tables)}."
    what += mark_note(tables)
    figure.set_label(caption_of(tables, what))
    return figure


def differences(collection: RunCollection, reference: str | None = None) -> Figure:
    """The paired difference of each encoder to one of them.

    Args:
        collection: the runs.
        reference: an encoder; None for the best of each task.

    Raises:
        ConfigError: the reference has no scores, or no run has differences.
    """
    if reference is not None:
        require_scores("encoder", reference, collection.mains["encoder"].unique())
    pairs = collection.differences
    found = []
    for rows in collection.tables():
        anchor = reference or rows["encoder"].iloc[0]
        own = pairs[(pairs["table"] == rows["table"].iloc[0]) & (pairs["reference"] == anchor)]
        if len(own):
            kept = own.sort_values("difference", ascending=False, kind="stable")
            found.append((rows, anchor, kept[kept["encoder"].isin([*shown(rows), anchor])]))
    if not found:
        raise ConfigError(
            "these runs have no paired differences; score the encoders in one run, on the same "
            "test tracks"
        )
    most = max(len(own) for _, _, own in found)
    figure, axes = panels(len(found), height=1.3 + ROW * most)
    for axis, (rows, anchor, own) in zip(axes, found, strict=True):
        values, low, high = own[["difference", "low", "high"]].to_numpy(dtype=np.float64).T
        places, significant = np.arange(len(own)), (own["p"] < LEVEL).to_numpy()
        ends = reach(values, low, high)
        for these, fill, label in (
            (significant, BLUE, "significant (Holm)"),
            (~significant, "none", "not significant"),
        ):
            axis.errorbar(
                values[these], places[these], xerr=ends[:, these], fmt="o", ms=4, mfc=fill,
                color=BLUE, elinewidth=1, label=label,
            )  # fmt: skip
        axis.axvline(0, color=GREY, lw=0.9)
        _encoders(axis, [*own["encoder"].map(short_name)])
        title = f"{title_of(collection, rows)}:\ndifference to {short_name(anchor)}"
        axis.set_title(title, loc="right")
    legend(figure, axes)
    what = (
        "Difference in the main metric on the same test tracks. Bars: paired 95 % intervals. "
        "Filled: significant at .05 after Holm's correction over all pairs of all tasks shown."
    )
    figure.set_label(caption_of([rows for rows, _, _ in found], what))
    return figure


def _encoders(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
