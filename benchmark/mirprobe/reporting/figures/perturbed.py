"""Score and share that is kept, against the strength of an effect on the test audio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mirprobe.reporting.figures.common import (
    caption_of,
    legend,
    looks,
    panels,
    reach,
    shown,
    title_of,
)
from mirprobe.reporting.perturbed import ENTRY, perturbed_scores
from mirprobe.reporting.run_collection import RunCollection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NEUTRAL = {"transpose": 0.0, "tempo": 1.0, "gain": 0.0}
"""Strengths that change nothing: the undisturbed score is drawn there."""
LOGARITHMIC = ("tempo", "lowpass", "mp3", "opus", "reverb")
WHAT = (
    "Left: score of a {} probe on disturbed test audio. Bars: undisturbed score and the paired "
    "95 % interval of the change. Right: share that is kept of the score above chance."
)


def perturbed(collection: RunCollection, tables: list[pd.DataFrame] | None = None) -> Figure | None:
    """Two panels for each ranked table and effect; None if no test audio was disturbed."""
    points = perturbed_scores(collection.scores)
    tables = collection.tables() if tables is None else tables
    if points.empty:
        return None
    points = points[points["training"] == "undisturbed"].copy()
    points[["effect", "strength"]] = points["perturbation"].str.split("=", expand=True)
    points["strength"] = points["strength"].astype(float)
    points = points.merge(collection.mains[[*ENTRY, "table"]], on=ENTRY)
    found = [
        (rows, str(effect), own)
        for rows in tables
        for effect, own in points[points["table"] == rows["table"].iloc[0]].groupby("effect")
    ]
    if not found:
        return None
    figure, axes = panels(2 * len(found))
    look = looks(list(dict.fromkeys(collection.mains["encoder"])))
    for (rows, effect, own), score, kept in zip(found, axes[::2], axes[1::2], strict=True):
        for encoder in shown(rows):
            curve = _curve(own[own["encoder"] == encoder], effect)
            x, value, before, low, high, share = curve.to_numpy(dtype=np.float64).T
            style = {"lw": 1.2, "ms": 4, "label": encoder, **look[encoder]}
            bars = reach(value, before + low, before + high)
            score.errorbar(x, value, yerr=bars, elinewidth=0.9, **style)
            kept.plot(x, 100 * share, **style)
        for axis in (score, kept):
            if effect in LOGARITHMIC:
                axis.set_xscale("log")
                axis.set_xticks(ticks := sorted(set(own["strength"])), [f"{t:g}" for t in ticks])
                axis.minorticks_off()
            axis.set_xlabel(effect)
        score.set_title(title_of(collection, rows))
        kept.set_title("share kept (%)")
    legend(figure, axes)
    used = list({rows["table"].iloc[0]: rows for rows, _, _ in found}.values())
    figure.set_label(caption_of(used, WHAT.format(used[0]["probe"].iloc[0])))
    return figure


def _curve(own: pd.DataFrame, effect: str) -> pd.DataFrame:
    """Strength, value, undisturbed value, ends of the change and share of one encoder."""
    own = own.assign(before=own["value"] - own["change"])
    columns = ["strength", "value", "before", "low", "high", "kept"]
    if len(own) and effect in NEUTRAL and NEUTRAL[effect] not in set(own["strength"]):
        before = own["before"].iloc[0]
        own = own[columns]
        own.loc[-1] = [NEUTRAL[effect], before, before, 0.0, 0.0, 1.0]
    return own[columns].sort_values("strength")
