"""What the page shows of single test tracks: references, predictions and scores, worst first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from mirprobe.core.schema import Annotations, Beats, Segments
from mirprobe.metrics.chord import chord_class
from mirprobe.reporting.figures.common import shown
from mirprobe.reporting.run_collection import RunCollection

BYTES = 2_400_000
"""Of the tracks of a whole page, about; the tracks in the middle are left out."""
TICKS = 100  # times are whole hundredths of a second


def tracks_of(
    collection: RunCollection, rows: pd.DataFrame, share: float = 1.0
) -> dict[str, Any] | None:
    """Tracks of a ranked table, as the script of the page reads them.

    Args:
        collection: the runs.
        rows: the main rows of one table.
        share: of `BYTES`.

    Returns:
        `kind` (`segments`, `beats` or `text`), `encoders`, `labels` with their `classes` (-1: not
        scored), and `tracks`, lowest mean score first, with `id`, `group`, `scores`, `reference`
        and `estimates`; None if the run has no references, or the annotation cannot be shown.
    """
    references = collection.references(rows.iloc[0])
    encoders = shown(rows)
    if not references:
        return None
    chosen = rows[rows["encoder"].isin(encoders)]
    estimates = [collection.predictions(row) for _, row in chosen.iterrows()]
    scores = [collection.track_scores(row) for _, row in chosen.iterrows()]
    first = next(iter(references.values()))
    name = next((name for name in estimates[0][next(iter(estimates[0]))].given()), "")
    kind = _kind(first.get(name))
    if kind is None:
        return None
    ids = [track for track in references if all(track in own for own in estimates)]
    table = np.array([[own.get(track, np.nan) for own in scores] for track in ids])
    means = np.ma.masked_invalid(table).mean(axis=1).filled(np.inf)
    order = np.argsort(means, kind="stable")
    labels: dict[str, int] = {}

    def packed(one: Annotations) -> Any:
        return _packed(one.get(name), labels)

    tracks = []
    for place in order:
        track = ids[place]
        tracks.append(
            {
                "id": track,
                "scores": [None if np.isnan(x) else round(float(x), 3) for x in table[place]],
                "reference": packed(references[track]),
                "estimates": [packed(own[track]) for own in estimates],
            }
        )
    kept = _within(tracks, BYTES * share)
    return {
        "kind": kind,
        "encoders": encoders,
        "labels": list(labels),
        "classes": [chord_class(x) if name == "chords" else i for i, x in enumerate(labels)],
        "tracks": kept,
        "left_out": len(tracks) - len(kept),
    }


def _kind(value: Any) -> str | None:
    if isinstance(value, Segments):
        return "segments"
    if isinstance(value, Beats | np.ndarray):
        return "beats"
    return None if value is None or isinstance(value, Mapping) else "text"


def _packed(value: Any, labels: dict[str, int]) -> Any:
    """Segments as start, end, label, start, ...; beats as times; anything else as text."""
    if isinstance(value, Segments):
        numbers = [labels.setdefault(label, len(labels)) for label in value.labels]
        ends = np.round(value.intervals * TICKS).astype(int)
        return np.column_stack([ends, np.array(numbers, dtype=int)]).ravel().tolist()
    if isinstance(value, Beats | np.ndarray):
        times = value.times if isinstance(value, Beats) else value
        return np.round(times * TICKS).astype(int).tolist()
    if isinstance(value, tuple):
        return ", ".join(f"{number:.2f}" for number in value)
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _within(tracks: Sequence[dict[str, Any]], limit: float) -> list[dict[str, Any]]:
    """The worst and the best tracks that fit into `limit` bytes, in their order."""
    alternating = [n // 2 if n % 2 == 0 else len(tracks) - 1 - n // 2 for n in range(len(tracks))]
    kept: list[int] = []
    size = 0.0
    for place in alternating:
        one = tracks[place]
        size += 100 + sum(
            5 * len(own) if isinstance(own, list) else len(own)
            for own in (one["reference"], *one["estimates"])
        )
        if size > limit and len(kept) > 1:
            break
        kept.append(place)
    return [tracks[place] for place in sorted(kept)]
