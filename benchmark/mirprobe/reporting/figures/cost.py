"""Score against speed and number of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mirprobe.reporting.figures.common import (
    caption_of,
    contents_of,
    legend,
    looks,
    panels,
    reach,
    short_name,
    shown,
    title_of,
)
from mirprobe.reporting.run_collection import RunCollection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHAT = (
    "Score against speed (seconds of audio encoded per second, as each run measured it) and "
    "number of parameters. Bars: 95 % intervals over {}."
)
_AXES = {"speed": "speed (s of audio per s)", "model_parameters": "parameters"}


def cost(collection: RunCollection, tables: list[pd.DataFrame] | None = None) -> Figure:
    """Main metric of each encoder against its speed and its parameters; a row for each table."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    tables = collection.tables() if tables is None else tables
    figure, axes = panels(2 * len(tables), height=2.3)
    look = looks(list(dict.fromkeys(collection.mains["encoder"])))
    for place, rows in enumerate(tables):
        for own, (name, label) in zip(axes[2 * place : 2 * place + 2], _AXES.items(), strict=True):
            own.set_title(title_of(collection, rows))
            ranked = rows[rows["encoder"].isin(shown(rows))]
            known = ranked[ranked[name].notna()]
            unknown = ", ".join(map(short_name, ranked.loc[ranked[name].isna(), "encoder"]))
            own.set_xlabel(f"{label}; unknown: {unknown}" if unknown else label)
            if known.empty:
                own.text(0.5, 0.5, "unknown", ha="center", transform=own.transAxes)
                continue
            for encoder, x, value, low, high in known[
                ["encoder", name, "value", "low", "high"]
            ].itertuples(index=False):
                ends = reach([value], [low], [high])
                twins = known.loc[known[name] == x, "encoder"].tolist()  # one beside the other
                shift = twins.index(encoder) - (len(twins) - 1) / 2
                x = x * 10 ** (0.07 * shift) if x else 900 * shift
                own.errorbar(
                    [float(x)], [value], yerr=ends, lw=0, elinewidth=0.9, ms=5,
                    label=str(encoder), **look[str(encoder)],
                )  # fmt: skip
            if name == "speed":
                own.set_xscale("log")
                own.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=8))
                own.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
            else:
                own.set_xscale("symlog", linthresh=1e4)
                own.set_xlim(left=-4e3)
                most = known[name].astype(float).max()
                powers = range(4, int(np.log10(max(most, 1e4))) + 2)
                own.set_xticks([0, *(10.0**power for power in powers)])
                own.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _count(x)))
            own.xaxis.set_minor_locator(NullLocator())
    legend(figure, axes)
    figure.set_label(caption_of(tables, WHAT.format(contents_of(tables))))
    return figure


def _count(number: float) -> str:
    """`10 k`, `1 M`, `10 G`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"
