"""Scores on disturbed test audio: value, change and the share that is kept."""

from __future__ import annotations

import pandas as pd

from mirprobe.reporting.ranks import ENTRY as EVERY

ENTRY = [name for name in EVERY if name != "conditions"]  # they can depend on the moved labels
_POINT = [*ENTRY, "metric", "perturbation", "training"]
TRAINED = {"perturbed": "undisturbed", "retrained": "disturbed"}
"""Kind of the rows -> the audio that the probe was trained on."""


def perturbed_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """The main metric on disturbed test audio.

    Args:
        scores: rows of `scores.csv`.

    Returns:
        A row for each entry, perturbation and training, in the order of the run: `value`, the
        change to the undisturbed test tracks `change` with its paired interval `low` to `high`, and
        the share `kept` of the score above chance: (value - chance) / (value - change - chance).
        All are means over seeds. `kept` is NaN without chance, or where the undisturbed score is
        not above it.
    """
    if "perturbation" not in scores:
        return pd.DataFrame()
    kinds = scores["kind"].str.removesuffix("-change")
    own = scores[scores["main"] & kinds.isin(list(TRAINED))]
    if own.empty:
        return pd.DataFrame()
    own = own.assign(training=own["kind"].str.removesuffix("-change").map(TRAINED))
    numbers, changes = ["value", "low", "high"], own["kind"].str.endswith("-change")
    value, change = (
        rows.groupby(_POINT, dropna=False, sort=False)[numbers].mean()
        for rows in (own[~changes], own[changes])
    )
    found = change.rename(columns={"value": "change"}).reset_index()
    found = found.merge(value["value"].reset_index(), on=_POINT)
    chance = scores[scores["main"] & scores["kind"].eq("chance")]
    floor = chance.groupby(ENTRY, dropna=False)["value"].mean().rename("chance").reset_index()
    found = found.merge(floor, on=ENTRY, how="left")
    before = found["value"] - found["change"] - found["chance"]
    found["kept"] = (found["value"] - found["chance"]) / before.where(before > 0)
    return found


def perturbed_tables(scores: pd.DataFrame) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Title and rows of a table for each task; a row is a list of (header, text)."""
    found = perturbed_scores(scores)
    if found.empty:
        return []
    tables = []
    same = [name for name in ENTRY if name != "encoder"]
    for _, rows in found.groupby([*same, "metric"], dropna=False, sort=False):
        first, several = rows.iloc[0], rows["training"].nunique() > 1
        cells = [
            [
                ("encoder", str(row["encoder"])),
                ("perturbation", str(row["perturbation"])),
                *[("trained on", str(row["training"]))] * several,
                (str(first["metric"]), f"{row['value']:.3f}"),
                ("change", f"{row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"),
                ("kept", "" if pd.isna(row["kept"]) else f"{100 * row['kept']:.0f} %"),
            ]
            for _, row in rows.iterrows()
        ]
        title = (
            f"disturbed audio: {first['task']} on {first['dataset']}, change to the undisturbed "
            "test tracks with paired 95 % interval, share kept of the score above chance"
        )
        tables.append((title, cells))
    return tables
