"""Score against the number of training tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mirprobe.reporting.few_labels import curves
from mirprobe.reporting.figures.common import (
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
    from matplotlib.figure import Figure

WHAT = (
    "Score by number of training tracks, probe: {}. Bars: standard deviation over "
    "random subsets of the training split."
)


def few_labels(
    collection: RunCollection, tables: list[pd.DataFrame] | None = None
) -> Figure | None:
    """A panel for each ranked table with subsets of the training split; None if there is none."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    points = curves(collection.scores).merge(collection.mains[[*ENTRY, "table"]], on=ENTRY)
    points = points[~points["subset"].str.endswith("shots")]
    tables = collection.tables() if tables is None else tables
    tables = [rows for rows in tables if (points["table"] == rows["table"].iloc[0]).any()]
    if not tables:
        return None
    figure, axes = panels(len(tables))
    look = looks(list(dict.fromkeys(collection.mains["encoder"])))
    for own, rows in zip(axes, tables, strict=True):
        found = points[points["table"] == rows["table"].iloc[0]]
        for encoder in shown(rows):
            curve = found[found["encoder"] == encoder]
            columns = curve[["train_tracks", "value", "deviation"]].fillna(0)
            x, values, bars = columns.to_numpy(dtype=np.float64).T
            style = {"lw": 1.2, "ms": 4, "elinewidth": 0.9, "label": encoder, **look[encoder]}
            own.errorbar(x, values, yerr=bars, **style)
        controls(own, rows)
        own.set_xscale("log")
        own.set_xticks(sorted(set(found["train_tracks"])))
        own.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f}"))
        own.xaxis.set_minor_formatter(NullFormatter())
        own.set_xlabel("training tracks")
        own.set_title(title_of(collection, rows))
    legend(figure, axes)
    figure.set_label(caption_of(tables, WHAT.format(tables[0]["probe"].iloc[0])))
    return figure
