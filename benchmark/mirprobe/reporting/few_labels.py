"""Curves of score against the number of training tracks, and their areas."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mirprobe.reporting.ranks import ENTRY

ALL = "all"
_POINT = [*ENTRY, "metric", "subset"]


def curves(scores: pd.DataFrame) -> pd.DataFrame:
    """The points of each curve, by number of training tracks.

    Args:
        scores: rows of `scores.csv`.

    Returns:
        A row for each entry and subset; `all` is the whole training split. `train_tracks` is the
        mean number of tracks, `value` the mean of the main metric over `repeats`, `deviation` its
        standard deviation over them, NaN for one; each repeat is the mean over draws and seeds.
        `low` and `high` are the means of the ends of the intervals over test tracks, `shuffled` the
        score with shuffled labels. Entries without subsets have no rows.
    """
    few = scores[scores["kind"] == "few"]
    whole = scores["kind"].eq("probe") & scores["selected"] & scores["main"]
    whole &= scores["resample"].eq(0) & scores["cell"].isin(few["cell"])
    points = pd.concat([few, scores[whole].assign(subset=ALL)])
    numbers = ["train_tracks", "value", "low", "high"]
    repeats = points.groupby([*_POINT, "resample"], dropna=False, sort=False)[numbers].mean()
    groups = repeats.groupby(_POINT, dropna=False, sort=False)
    found = groups.mean().assign(deviation=groups["value"].std(), repeats=groups.size())
    control = scores[scores["kind"] == "few-shuffled"].groupby(_POINT, dropna=False)["value"].mean()
    found = found.join(control.rename("shuffled")).reset_index()
    return found.sort_values([*ENTRY, "train_tracks"], kind="stable").reset_index(drop=True)


def areas(points: pd.DataFrame) -> pd.Series:
    """The area under each curve over the logarithm of the number of training tracks.

    It is divided by the range of the logarithm: the mean score over this range (trapezoids). Shots
    are no points of it.

    Args:
        points: result of `curves`.

    Returns:
        The area by `ENTRY`; NaN if the curve has one number of tracks.
    """
    sizes = points[~points["subset"].str.endswith("shots")]

    def area(curve: pd.DataFrame) -> float:
        x = np.log(curve["train_tracks"].to_numpy(dtype=np.float64))
        span = x[-1] - x[0]
        return float(np.trapezoid(curve["value"], x) / span) if span else float("nan")

    found = {entry: area(curve) for entry, curve in sizes.groupby(ENTRY, dropna=False, sort=False)}
    return pd.Series(found.values(), pd.MultiIndex.from_tuples(found, names=ENTRY), dtype=float)


def curve_tables(scores: pd.DataFrame) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Title and rows of a table for each task; a row is a list of (header, text).

    The first is the encoder with the largest area.
    """
    points = curves(scores)
    if points.empty:
        return []
    points = points.join(areas(points).rename("area"), on=ENTRY)
    tables = []
    same = [name for name in ENTRY if name != "encoder"]
    for _, rows in points.groupby([*same, "metric"], dropna=False, sort=False):
        first = rows.iloc[0]
        subsets = rows.groupby("subset")["train_tracks"].mean().sort_values(kind="stable").index
        order = rows.drop_duplicates("encoder").sort_values("area", ascending=False, kind="stable")
        numbers = rows[["value", "deviation"]].to_numpy(dtype=np.float64)
        texts = {
            place: f"{value:.3f}" + ("" if np.isnan(spread) else f" ± {spread:.3f}")
            for place, (value, spread) in zip(
                zip(rows["encoder"], rows["subset"], strict=True), numbers, strict=True
            )
        }
        tables.append(
            (
                f"few labels: {first['task']} on {first['dataset']}, {first['metric']} by number "
                f"of training tracks, ± standard deviation over {rows['repeats'].max()} draws",
                [
                    [
                        ("encoder", str(encoder)),
                        ("area", "" if np.isnan(area) else f"{area:.3f}"),
                        *((name, texts.get((encoder, name), "")) for name in subsets),
                    ]
                    for encoder, area in order[["encoder", "area"]].itertuples(index=False)
                ],
            )
        )
    return tables
