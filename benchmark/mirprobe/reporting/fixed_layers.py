"""Scores of encoders at equal terms: fixed layers and dimensions, beside the best that was chosen.

An encoder with many layers, poolings and dimensions has more choices than one with a single layer.
At equal terms nothing but weight decay and decoding is chosen.
"""

from __future__ import annotations

import pandas as pd

from mirprobe.probing.selection import EQUAL_DIM
from mirprobe.reporting.ranks import ENTRY

PCA = f"pca_{EQUAL_DIM}"
EQUAL = {"last_layer": "last layer", PCA: f"pca {EQUAL_DIM}"}
"""Columns of a leaderboard at equal terms, and their headers."""
FIXED = ["first_layer", "middle_layer", *EQUAL]


def equal_terms(board: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Add the scores at fixed layers and the stability of the choice to a leaderboard.

    Args:
        board: rows of a leaderboard, with `dim`.
        scores: rows of `scores.csv`.

    Returns:
        `board` with `first_layer`, `middle_layer` and `last_layer` (of the probed layers, with the
        mean over the sequence), `pca_64` (the last layer reduced to 64 principal components; the
        last layer itself if it has no more dimensions), and `layer_wins`: how often validation
        chooses each layer if its groups are drawn anew, such as `8: .61, 7: .24`. Scores are means
        over resamples, draws and seeds. They are NaN in runs of earlier versions, and `pca_64` also
        where the training split had at most 64 vectors.
    """
    marked = scores[scores["fixed"].ne("")]
    columns = [
        [PCA] if kind == "pca" else [f"{place}_layer" for place in places.split(",")]
        for kind, places in zip(marked["kind"], marked["fixed"], strict=True)
    ]
    marked = marked.assign(column=pd.Series(columns, marked.index, dtype=object)).explode("column")
    means = marked.groupby([*ENTRY, "metric", "column"], dropna=False)["value"].mean()
    table = means.unstack().reindex(columns=FIXED).reset_index()
    board = board.merge(table, how="left", on=[*ENTRY, "metric"])
    few = board["dim"] <= EQUAL_DIM
    board[PCA] = board[PCA].where(~few, board["last_layer"])
    return board.merge(_layer_wins(scores), how="left", on=ENTRY)


def _layer_wins(scores: pd.DataFrame) -> pd.DataFrame:
    """The column `layer_wins` of each entry."""
    probes = scores[(scores["kind"] == "probe") & scores["main"] & scores["wins"].notna()]
    fits = [*ENTRY, "draw", "resample", "seed", "layer"]  # summed over sources and decodings
    shares = probes.groupby(fits, dropna=False, sort=False, as_index=False)["wins"].sum()
    means = shares.groupby([*ENTRY, "layer"], dropna=False, sort=False, as_index=False)[
        "wins"
    ].mean()
    means = means[means["wins"] >= 0.005].sort_values("wins", ascending=False, kind="stable")
    texts = [f"{layer}: {_share(own)}" for layer, own in means[["layer", "wins"]].to_numpy()]
    entries = means.assign(layer_wins=texts).groupby(ENTRY, dropna=False, as_index=False)
    return pd.DataFrame(entries["layer_wins"].agg(", ".join))


def order_note(rows: pd.DataFrame) -> str:
    """A sentence that says where the order of encoders changes at equal terms.

    Args:
        rows: of one ranked table.

    Returns:
        An empty text if no two ranked encoders have scores at equal terms.
    """
    found = []
    for column, header in EQUAL.items():
        known = rows[rows["rank"].notna() & rows[column].notna()]
        if len(known) < 2:
            continue
        ranks = pd.DataFrame(
            {
                "name": known["encoder"],
                "best": known["value"].rank(ascending=False, method="min").astype(int),
                "equal": known[column].rank(ascending=False, method="min").astype(int),
            }
        )
        moved = ranks[ranks["best"] != ranks["equal"]].itertuples(index=False)
        texts = [f"{name} {best} to {equal}" for name, best, equal in moved]
        among = "" if len(known) == rows["rank"].count() else f" among {len(known)} encoders"
        found.append(f"by {header}{among} {', '.join(texts) or 'unchanged'}")
    if not found:
        return ""
    return f"Ranks at equal terms: {'; '.join(found)}."


def _share(share: float) -> str:
    """`.61`, or `1.00`."""
    return f"{share:.2f}".removeprefix("0")
