"""`mirprobe report`: the leaderboard, figures, comparisons and test tracks of runs as one page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import pandas as pd

from mirprobe.core.atomic_write import write_whole
from mirprobe.core.errors import PluginError, TrackError, plugin_errors
from mirprobe.core.plotting import inline_svg, require_matplotlib, style
from mirprobe.reporting.figures.common import data_of, title_of
from mirprobe.reporting.figures.cost import cost
from mirprobe.reporting.figures.errors import error_view
from mirprobe.reporting.figures.few_labels import few_labels
from mirprobe.reporting.figures.layers import layers
from mirprobe.reporting.figures.perturbed import perturbed
from mirprobe.reporting.probe_agreement import probe_agreement
from mirprobe.reporting.ranks import mean_ranks
from mirprobe.reporting.report.tracks import tracks_of
from mirprobe.reporting.run_collection import RunCollection
from mirprobe.reporting.stored_run import StoredRun
from mirprobe.reporting.tables import (
    UNDEFINED,
    UNRANKED,
    UNRANKED_NOTE,
    encoders_of,
    notes_of,
    ranked_cells,
    span,
    unranked,
)

TEMPLATES = Path(__file__).parent / "templates"
FIGURES = {
    "layers": ("Score by layer and pooling", layers),
    "few": ("Few labels", few_labels),
    "perturbed": ("Disturbed audio", perturbed),
    "cost": ("Cost against quality", cost),
}


def write_report(collection: RunCollection, output: Path) -> None:
    """Write the page.

    Args:
        collection: the runs.
        output: the file.

    Raises:
        ConfigError: matplotlib is missing.
        StorageError: the file cannot be written.
    """
    write_whole(output, page(collection).encode())


def page(collection: RunCollection) -> str:
    """The page as text."""
    require_matplotlib()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = collection.tables()
    with style():
        tasks = list(_tasks(collection, tables))
    return environment.get_template("page.html").render(
        summary=_summary(collection, tables),
        overview=_overview(collection, tables),
        readings=[_reading(row) for row in probe_agreement(collection).itertuples()],
        tasks=tasks,
        encoders=encoders_of(collection.board),
        runs=[_run(run) for run in collection.runs],
        data={"tasks": [task.pop("data") for task in tasks]},
        style=(TEMPLATES / "page.css").read_text(encoding="utf-8"),
        script=(TEMPLATES / "page.js").read_text(encoding="utf-8"),
    )


def _summary(collection: RunCollection, tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    mains = collection.mains
    datasets = list(dict.fromkeys(mains["dataset"]))
    return {
        "encoders": mains["encoder"].nunique(),
        "tasks": len(tables),
        "datasets": datasets,
        "data": list(dict.fromkeys(data_of(rows) for rows in tables)),
        "probes": sorted({f"{row.probe} probe, preset {row.preset}" for row in mains.itertuples()}),
        "few": bool(mains["n"].lt(30).any()),
    }


def _reading(row: Any) -> list[str]:
    tau = f"{_three(row.tau)} ({_three(row.low)} to {_three(row.high)})"
    return [row.task, row.reading, row.other, str(row.encoders), tau, row.reversed]


def _overview(collection: RunCollection, tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    """Encoders x tasks: best mean rank first."""
    best = collection.best()
    means = mean_ranks(collection.board)
    names = [
        *means,
        *(name for name in dict.fromkeys(collection.mains["encoder"]) if name not in means),
    ]
    cells = {(row.table, row.encoder): row for row in collection.mains.itertuples()}
    rows = [
        {
            "encoder": name,
            "mean": means.get(name, ""),
            "cells": [
                _cell(cells.get((table, name)), (table, name) in best)
                for table in range(len(tables))
            ],
        }
        for name in names
    ]
    controls = [
        {"name": kind, "cells": [_three(rows[kind].astype(float).mean()) for rows in tables]}
        for kind in ("chance", "shuffled", "ceiling")
    ]
    headers = [
        (collection.titles[rows["table"].iloc[0]], rows["metric"].iloc[0], int(rows["n"].max()))
        for rows in tables
    ]
    return {
        "rows": rows,
        "controls": controls,
        "headers": headers,
        "ranked": bool(means),
        "note": UNRANKED_NOTE if unranked(collection.mains).any() else "",
    }


def _cell(row: Any, best: bool) -> dict[str, Any]:
    if row is None or isnan(row.value):
        why = "not scored: see what was left out" if row is None else f"no score: {UNDEFINED}"
        return {"text": "", "title": why, "best": False, "marks": ""}
    interval = span(row.low, row.high)
    return {
        "text": f"{row.value:.3f}",
        "title": f"{f'95 %: {interval}, ' if interval else ''}{row.n} test tracks",
        "best": best,
        "marks": UNRANKED if isnan(row.rank) else row.ties if isinstance(row.ties, str) else "",
    }


def _tasks(collection: RunCollection, tables: Sequence[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    for number, rows in enumerate(tables):
        what = f"task '{rows['task'].iloc[0]}': its predictions cannot be shown"
        remedy = "mend its plug-in, or name the others: mirprobe report --tasks"
        with plugin_errors(what, remedy):
            try:
                yield _task(collection, number, rows, 1 / len(tables))
            except TrackError as error:  # of the task's own code, about a stored reference
                raise PluginError(f"{what} ({error}); {remedy}") from error


def _task(
    collection: RunCollection, number: int, rows: pd.DataFrame, share: float
) -> dict[str, Any]:
    """What the page shows of a ranked table; its test tracks may take a `share` of their bytes."""
    lows = rows[["low", "value"]].astype(float).min().min()
    highs = rows[["high", "value"]].astype(float).max().max()
    bounds = min(0.0, lows), max(1.0, highs)
    figures = []
    for name, (title, draw) in FIGURES.items():
        figure = draw(collection, [rows])
        if figure is None:
            continue
        caption = figure.get_label()
        svg = inline_svg(figure, f"{name}{number}")
        figures.append({"title": title, "caption": caption, "svg": svg})
    own = collection.differences
    own = own[(own["table"] == number) & own["difference"].notna()]
    names = rows["encoder"].tolist()
    place = {name: index for index, name in enumerate(names)}
    return {
        "title": title_of(collection, rows),
        "task": rows["task"].iloc[0],
        "metric": rows["metric"].iloc[0],
        "data_text": data_of(rows),
        "notes": notes_of(rows),
        "headers": [header for header, _ in ranked_cells(rows.iloc[0])],
        "rows": [
            {
                "cells": ranked_cells(row),
                "bar": _bar(row, bounds),
                "wins": "" if pd.isna(row["layer_wins"]) else row["layer_wins"],
            }
            for _, row in rows.iterrows()
        ],
        "bounds": bounds,
        "figures": figures,
        "errors": error_view(collection, rows),
        "data": {
            "encoders": names,
            "metric": rows["metric"].iloc[0],
            "pairs": [
                [
                    place[one],
                    place[other],
                    *(_short(x) for x in (d, low, high)),
                    int(n),
                    _short(p),
                ]
                for one, other, d, low, high, n, p in own[
                    ["encoder", "reference", "difference", "low", "high", "n", "p"]
                ].itertuples(index=False)
                if place[one] < place[other]
            ],
            "tracks": tracks_of(collection, rows, share),
        },
    }


def _bar(row: pd.Series, bounds: tuple[float, float]) -> dict[str, float] | None:
    """Value, interval and controls as shares of the width of a bar."""
    low, high = bounds

    def share(value: float) -> float | None:
        return None if pd.isna(value) else round(100 * (value - low) / (high - low), 2)

    ends = {name: share(row[name]) for name in ("value", "low", "high", "chance", "ceiling")}
    return None if ends["value"] is None else ends  # type: ignore[return-value]


def _run(run: StoredRun) -> dict[str, Any]:
    described, config, path = run.description, run.config, run.path
    facts = {
        "folder": path.name,
        "data set": config.get("dataset")
        or f"{config.get('train_dataset')} -> {config.get('test_dataset')}",
        "hash of the splits": described.get("splits_hash", "unknown"),
        "started": described.get("started", "unknown"),
        "seconds": described.get("total_seconds", "unknown"),
        "hardware": ", ".join(f"{k} {v}" for k, v in described.get("hardware", {}).items()),
        "versions": ", ".join(f"{k} {v}" for k, v in described.get("versions", {}).items()),
    }
    return {
        "name": path.name,
        "facts": facts,
        "config": {name: _plain(value) for name, value in config.items()},
        "encoders": {
            name: one.get("fingerprint", "") for name, one in described.get("encoders", {}).items()
        },
        "command": described.get("command", ""),
        "problems": described.get("problems", {}),
        "failures": described.get("failures", {}),
        "known": bool(described),
    }


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _three(value: float) -> str:
    return "" if isnan(value) else f"{value:.3f}"


def _short(value: float) -> float | None:
    return None if isnan(value) else round(value, 6)
