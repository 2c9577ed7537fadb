"""Score and share that is kept, against the strength of an effect on the test audio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mirprobe.reporting.figures.common import (
    WIDTH,
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

NEUTRAL = {"transpose": 0.0, "exact-transpose": 0.0, "tempo": 1.0, "exact-tempo": 1.0, "gain": 0.0}
"""Strengths that change nothing: the undisturbed score is drawn there."""
UNITS = {
    "transpose": "semitones", "noise": "dB", "gain": "dB", "lowpass": "Hz", "mp3": "kbit/s",
    "opus": "kbit/s", "reverb": "s",
}  # fmt: skip
LOGARITHMIC = ("tempo", "exact-tempo", "lowpass", "mp3", "opus", "reverb")
WHAT = (
    "Upper panels of a task: score of a {} probe on disturbed test audio. Bars: undisturbed score "
    "and the paired 95 % interval of the change. Lower panels: share that is kept of the score "
    "above chance."
)
COLUMNS = 6
PANEL = 2.2, 1.8  # inches


def perturbed(collection: RunCollection, tables: list[pd.DataFrame] | None = None) -> Figure | None:
    """A column for each effect, two rows for each ranked table; None if no audio was disturbed."""
    points = perturbed_scores(collection.scores)
    tables = collection.tables() if tables is None else tables
    if points.empty:
        return None
    points = points[points["training"] == "undisturbed"].copy()
    points[["effect", "strength"]] = points["perturbation"].str.split("=", expand=True)
    points["strength"] = points["strength"].astype(float)
    points = points.merge(collection.mains[[*ENTRY, "table"]], on=ENTRY)
    found = [
        (rows, effects[first : first + COLUMNS])
        for rows in tables
        for effects in [[*points[points["table"] == rows["table"].iloc[0]].groupby("effect")]]
        for first in range(0, len(effects), COLUMNS)
    ]
    if not found:
        return None
    columns = max(len(effects) for _, effects in found)
    width = max(WIDTH, PANEL[0] * columns)
    figure, axes = panels(2 * columns * len(found), PANEL[1], columns, width)
    look = looks(list(dict.fromkeys(collection.mains["encoder"])))
    for place, (rows, effects) in enumerate(found):
        scores, shares = (axes[(2 * place + n) * columns :][:columns] for n in range(2))
        scores[0].set_ylabel(title_of(collection, rows))
        shares[0].set_ylabel("share kept (%)")
        for axis in (*scores[len(effects) :], *shares[len(effects) :]):
            axis.remove()
        for (effect, own), score, kept in zip(effects, scores, shares, strict=False):
            for encoder in shown(rows):
                curve = _curve(own[own["encoder"] == encoder], effect)
                x, value, before, low, high, share = curve.to_numpy(dtype=np.float64).T
                style = {"lw": 1.2, "ms": 4, "label": encoder, **look[encoder]}
                bars = reach(value, before + low, before + high)
                score.errorbar(x, value, yerr=bars, elinewidth=0.9, **style)
                kept.plot(x, 100 * share, **style)
            ticks = sorted(set(own["strength"]))
            for axis in (score, kept):
                if effect in LOGARITHMIC:
                    axis.set_xscale("log")
                    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
                    axis.minorticks_off()
                axis.set_xlabel(f"{effect} ({UNITS.get(effect.removeprefix('exact-'), 'times')})")
    legend(figure, axes)
    used = list({rows["table"].iloc[0]: rows for rows, _ in found}.values())
    figure.set_label(caption_of(used, WHAT.format(used[0]["probe"].iloc[0])))
    return figure


def _curve(own: pd.DataFrame, effect: str) -> pd.DataFrame:
    """Strength, value, undisturbed value, ends of the change and share of one encoder."""
    own = own.assign(before=own["value"] - own["change"])
    columns = ["strength", "value", "before", "low", "high", "kept"]
    neutral = NEUTRAL.get(effect)
    if len(own) and neutral is not None and neutral not in set(own["strength"]):
        before = own["before"].iloc[0]
        own = own[columns]
        own.loc[-1] = [neutral, before, before, 0.0, 0.0, 1.0]
    return own[columns].sort_values("strength")
