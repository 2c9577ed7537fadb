"""Score by layer and pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mirprobe.core.plotting import GREY
from mirprobe.reporting.figures.common import (
    Looks,
    caption_of,
    controls,
    legend,
    looks,
    panels,
    shown,
    title_of,
)
from mirprobe.reporting.ranks import ENTRY
from mirprobe.reporting.run_collection import RunCollection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WHAT = (
    "Score by layer, probe: {}; an encoder with one layer is a line. Filled marker: the layer "
    "and pooling that validation chose. Bands: their 95 % intervals over test tracks; with several "
    "fitted probes, the mean of their intervals."
)
DASHES = {"sequence": "-", "class": "--", "both": ":"}  # by pooling


def layers(collection: RunCollection, tables: list[pd.DataFrame] | None = None) -> Figure:
    """Test score of each layer and pooling of each encoder, a panel for each ranked table."""
    tables = collection.tables() if tables is None else tables
    figure, axes = panels(len(tables))
    by_layer = layer_scores(collection)
    look = looks(list(dict.fromkeys(collection.mains["encoder"])))
    for own, rows in zip(axes, tables, strict=True):
        table = rows["table"].iloc[0]
        _panel(own, rows, by_layer[by_layer["table"] == table], look)
        own.set_title(title_of(collection, rows))
    legend(figure, axes)
    figure.set_label(caption_of(tables, WHAT.format(tables[0]["probe"].iloc[0])))
    return figure


def layer_scores(collection: RunCollection) -> pd.DataFrame:
    """The main metric of each encoder, layer and pooling, with the decoding that was selected.

    Returns:
        `table`, `encoder`, `source`, `layer`, `place` (1 is the first that was probed), `value`,
        `low`, `high`, `chosen`; means over resamples, draws and seeds.
    """
    scores = collection.scores
    rows = scores[(scores["kind"] == "probe") & scores["main"]]
    picked = rows[rows["selected"]][[*ENTRY, "draw", "resample", "decoding"]].drop_duplicates()
    rows = rows.merge(picked, on=list(picked.columns))
    names = collection.mains[[*ENTRY, "table"]]
    rows = rows.merge(names, on=ENTRY)
    keys = ["table", "encoder", "source", "layer"]
    groups = rows.groupby(keys, sort=False)
    found = groups[["value", "low", "high"]].mean()
    found = found.assign(chosen=groups["selected"].any()).reset_index()
    order = found.groupby(["table", "encoder"], sort=False)["layer"]
    return found.assign(place=order.transform(lambda names: pd.factorize(names)[0] + 1))


def _panel(axes: Axes, rows: pd.DataFrame, found: pd.DataFrame, look: Looks) -> None:
    encoders = shown(rows)
    found = found[found["encoder"].isin(encoders)]
    deep = set()
    for encoder in encoders:
        mine = found[found["encoder"] == encoder]
        count = mine["layer"].nunique()
        if count > 1:
            deep.add(tuple(dict.fromkeys(mine["layer"])))
        axes.plot([], [], label=encoder, mfc="none", ms=4, lw=1.2, **look[encoder])
        for source, own in mine.groupby("source", sort=False):
            values = own[["value", "low", "high"]].to_numpy(dtype=np.float64).T
            span = (own["place"].to_numpy(dtype=np.float64) - 1) / max(count - 1, 1)
            style = {**look[encoder], "ls": DASHES.get(str(source), "-.")}
            if count == 1:  # a line over the whole width, with its marker in the middle
                span, values = np.array([0.0, 0.5, 1.0]), values.repeat(3, axis=1)
                style["markevery"] = [1]
            axes.plot(span, values[0], lw=1.2, ms=4, mfc="none", **style)
            chosen = own["chosen"].to_numpy(dtype=np.bool_)
            if chosen.any():
                band = {"color": style["color"], "alpha": 0.12 if count > 1 else 0.07, "lw": 0}
                axes.fill_between(span, values[1], values[2], **band)
                filled = chosen if count > 1 else [1]
                axes.plot(span[filled], values[0][filled], **{**look[encoder], "ls": ""}, ms=6)
    for source in dict.fromkeys(found["source"]) if found["source"].nunique() > 1 else ():
        axes.plot([], [], color=GREY, ls=DASHES.get(str(source), "-."), label=f"pooling: {source}")
    controls(axes, rows)
    if len(deep) == 1:
        ticks = next(iter(deep))
        axes.set_xticks(np.linspace(0, 1, len(ticks)), ticks)
        axes.set_xlabel("layer")
    else:
        axes.set_xticks([0, 1], ["first", "last"] if deep else ["", ""])
        axes.set_xlabel("layer, by its place among those that were probed" if deep else "one layer")
