"""What the figures of finished runs share: panels, colours of encoders, captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mirprobe.core.plotting import COLOURS, GREY, MARKERS, new_figure
from mirprobe.reporting.run_collection import RunCollection
from mirprobe.reporting.tables import UNRANKED, UNRANKED_NOTE, unranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 12
"""Encoders that one panel shows: with more, their lines are hard to distinguish."""
LONGEST = 36
"""Characters of a name in a figure."""
WIDTH = 7.0  # inches: both columns of a page
Looks = dict[str, dict[str, Any]]
"""Encoder -> colour and marker, as matplotlib names them."""


def looks(encoders: Sequence[str]) -> Looks:
    """Colour and marker of each encoder; the pair differs for the first 42."""
    return {
        name: {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[(place % len(COLOURS) + place // len(COLOURS)) % len(MARKERS)],
        }
        for place, name in enumerate(encoders)
    }


def shown(rows: pd.DataFrame) -> list[str]:
    """The encoders of a ranked table that a panel shows: the best `MOST`, in order."""
    return [str(name) for name in rows["encoder"].iloc[:MOST]]


def data_of(rows: pd.DataFrame) -> str:
    """`studio, 72 test tracks` of a ranked table, and what it leaves out."""
    groups, n = rows["groups"].iloc[0], int(rows["n"].max())
    inside = "" if pd.isna(groups) or groups == n else f" in {groups} groups"
    tracks = "1 test track" if n == 1 else f"{n} test tracks"
    left = len(rows) - MOST
    more = f"; the best {MOST} of {len(rows)} encoders" if left > 0 else ""
    missing = [*rows.loc[rows["value"].isna(), "encoder"]]
    without = f"; without a score: {', '.join(missing)}" if missing else ""
    return f"{rows['dataset'].iloc[0]}, {tracks}{inside}{more}{without}"


def title_of(collection: RunCollection, rows: pd.DataFrame) -> str:
    """`chord (majmin)`."""
    return f"{collection.titles[rows['table'].iloc[0]]} ({rows['metric'].iloc[0]})"


def caption_of(tables: Sequence[pd.DataFrame], what: str) -> str:
    """A caption: what the figure shows, and on which data; the data once if it is the same."""
    data = dict.fromkeys(data_of(rows) for rows in tables)
    if len(data) == 1:
        return f"{what} Data: {next(iter(data))}."
    each = (f"{rows['task'].iloc[0]}: {data_of(rows)}" for rows in tables)
    return f"{what} Data: {'; '.join(each)}."


def contents_of(tables: Sequence[pd.DataFrame]) -> str:
    """What the intervals contain, such as `test tracks (and draws where there are several)`."""
    texts = [text for rows in tables for text in rows["interval"]]
    over = [text.partition(" over ")[2].partition(" (")[0] for text in texts]
    parts = dict.fromkeys(part for text in over for part in text.split(", ") if part)
    names = dict.fromkeys(part.removesuffix(" of these fitted probes") for part in parts)
    tested = [name for name in names if name.startswith("test ")]
    more = [name for name in names if name not in tested]
    several = f" (and {', '.join(more)} where there are several)" if more else ""
    return f"{' or '.join(tested)}{several}"


def panels(
    count: int, height: float = 2.5, columns: int = 2, width: float = WIDTH
) -> tuple[Figure, list[Axes]]:
    """A figure with `count` panels in rows of at most `columns`."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = new_figure(width, (height if columns > 1 else 1.3 * height) * rows)
    axes: Any = figure.subplots(rows, columns, squeeze=False)
    for own in axes.flat[count:]:
        own.set_axis_off()
    return figure, list(axes.flat[:count])


def reach(values: Any, low: Any, high: Any) -> Any:
    """Interval ends as (2, n) distances from the values; an interval may not contain its value."""
    ends = np.array([np.subtract(values, low), np.subtract(high, values)], dtype=np.float64)
    return np.nan_to_num(ends).clip(0)


def controls(axes: Axes, rows: pd.DataFrame, *, vertical: bool = False) -> None:
    """Lines at chance, at shuffled labels (the mean over encoders) and at the ceiling."""
    draw = axes.axvline if vertical else axes.axhline
    for kind, dash in (("ceiling", "-."), ("shuffled", "--"), ("chance", ":")):
        value = rows[kind].astype(float).mean()
        if not np.isnan(value):
            label = "shuffled labels (mean)" if kind == "shuffled" else kind
            draw(value, color=GREY, lw=0.9, ls=dash, label=label, zorder=0)


def legend(figure: Figure, axes: Sequence[Axes], columns: int = 3) -> None:
    """One legend below all panels, each label once; the figure grows by its height."""
    handles: dict[str, Any] = {}
    for own in axes:
        handles |= {
            text: handle
            for handle, text in zip(*own.get_legend_handles_labels(), strict=True)
            if text not in handles
        }
    if handles:
        texts = [short_name(text) for text in handles]
        columns = min(columns, 2) if max(map(len, texts)) > LONGEST * 3 // 4 else columns
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + 0.17 * -(-len(texts) // columns))
        figure.legend(list(handles.values()), texts, loc="outside lower center", ncols=columns)


def literal(text: str) -> str:
    """A text as matplotlib draws it as it stands: `$` would begin mathematics."""
    return text.replace("$", r"\$")


def short_name(name: str) -> str:
    """A name, as matplotlib draws it; the middle of a long one is left out."""
    half = LONGEST // 2
    return literal(f"{name[:half]}…{name[-half:]}" if len(name) > LONGEST else name)


def marked(rows: pd.DataFrame) -> list[str]:
    """The encoders of rows of a board, as matplotlib draws them; `†`: not ranked."""
    names = rows["encoder"].map(short_name)
    return [*names.where(~unranked(rows), names + f" {UNRANKED}")]


def mark_note(tables: Sequence[pd.DataFrame]) -> str:
    """What `†` means, after a space; empty if no row has it."""
    return f" {UNRANKED_NOTE}" if any(unranked(rows).any() for rows in tables) else ""
