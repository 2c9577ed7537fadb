"""Which encoders differ significantly: Holm's correction, rank intervals, tie groups.

All pairs of encoders of one table, on all tables of a page, are one family of tests. Pairs that
differ after Holm's correction (Scand. J. Stat. 6, 1979) give the rank interval of an encoder: its
rank is at least 1 plus the number of encoders that are above it, and at most the number of encoders
minus the number of those below it. These intervals hold for all encoders of the page at once with
probability .95, also where encoders tie, which a bootstrap of ranks does not achieve (Mogstad,
Romano, Shaikh & Wilhelm, Rev. Econ. Stud. 91, 2024). Encoders that share a letter do not differ
significantly (Piepho, J. Comput. Graph. Stat. 13, 2004).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from string import ascii_lowercase

import numpy as np
import pandas as pd

from mirprobe.core.confidence_intervals import p_value
from mirprobe.core.schema import Floats

log = logging.getLogger(__name__)

LEVEL = 0.05
TABLE = ["task", "dataset"]
SAME = ["dataset", "splits", "task", "probe", "preset", "conditions", "data"]
"""What the scores of one table have in common, in `scores.csv`."""
ENTRY = [*SAME, "encoder"]
RANKED_TOGETHER = [*SAME, "tracks"]
"""The same in a leaderboard; `tracks` is the number that the main metric scores."""
RANKS = ["rank", "rank_low", "rank_high", "ties", "above", "below"]
BESIDE = " | "  # between names of encoders in the columns `above` and `below`

Pairs = Mapping[tuple[str, str], tuple[float, float]]
"""(cell, cell of the reference) -> difference and p."""


_DIFFERENCES = {
    "probe": ", {} probe",
    "preset": ", preset {}",
    "conditions": ", {}",
    "data": ", data {:.8}",
    "splits": ", splits {:.8}",
    "tracks": ", {} scored tracks",
}
"""In what tables of one task and data set can differ, as their names say it."""


def table_names(firsts: Sequence[pd.Series], *, with_dataset: bool = False) -> list[str]:
    """A name for each ranked table: its task, and in what it differs from tables of this task.

    Args:
        firsts: the first row of each table.
        with_dataset: whether every name has its data set; it has if there are several.
    """
    several = with_dataset or len({row["dataset"] for row in firsts}) > 1
    form = "{task} on {dataset}" if several else "{task}"
    names = [form.format(**row) for row in firsts]
    for column, form in _DIFFERENCES.items():
        blank = "no conditions" if column == "conditions" else "unknown"
        values = [str(row[column]) or blank for row in firsts]
        found: dict[str, set[str]] = {}
        for name, value in zip(names, values, strict=True):
            found.setdefault(name, set()).add(value)
        names = [
            name + form.format(value) if len(found[name]) > 1 else name
            for name, value in zip(names, values, strict=True)
        ]
    return names


def holm(p: Sequence[float] | Floats) -> Floats:
    """p values, corrected for their number; NaN is not counted and stays."""
    values = np.asarray(p, dtype=np.float64)
    corrected = np.full(values.shape, np.nan)
    order = np.argsort(values)[: int(np.isfinite(values).sum())]  # NaN is last
    steps = np.arange(len(order), 0, -1)
    corrected[order] = np.maximum.accumulate(values[order] * steps).clip(max=1)
    return corrected


def with_p(pairs: pd.DataFrame) -> pd.DataFrame:
    """Differences of earlier versions lack `p`: it follows from the interval over `n` tracks."""
    rows = pairs[["difference", "low", "high", "n", "p"]].itertuples(index=False)
    found = [p_value(d, low, high, n - 1) if np.isnan(p) else p for d, low, high, n, p in rows]
    return pairs.assign(p=np.array(found, dtype=np.float64))


def add_ranks(mains: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Ranks of the encoders that are ranked together, and what the differences say of them.

    Args:
        mains: rows of a leaderboard of the main metric, one for each ranked encoder.
        pairs: result of `with_p`. A pair that is missing, such as that of two runs, does not
            differ significantly.

    Returns:
        `mains` with `rank`, `rank_low` and `rank_high` (its interval), `ties` (letters), and the
        encoders that are significantly worse (`above`) and better (`below`).
    """
    known = {
        (cell, other): (difference, p)
        for cell, other, difference, p in pairs.sort_values("metric")[
            ["cell", "reference_cell", "difference", "p"]
        ].itertuples(index=False)
    }
    tables = [rows for _, rows in mains.groupby(RANKED_TOGETHER, sort=False, dropna=False)]
    family = [
        (one, other)
        for rows in tables
        for place, one in enumerate(rows["cell"])
        for other in rows["cell"].iloc[place + 1 :]
        if (one, other) in known
    ]
    corrected = holm([known[pair][1] for pair in family])
    significant = {pair for pair, p in zip(family, corrected, strict=True) if p < LEVEL}
    better = {pair if known[pair][0] > 0 else pair[::-1] for pair in significant}
    if not tables:
        return mains.assign(**dict.fromkeys(RANKS, np.nan))
    return pd.concat([_ranked(rows, better, bool(family)) for rows in tables])


def _ranked(rows: pd.DataFrame, better: set[tuple[str, str]], tested: bool) -> pd.DataFrame:
    names = dict(zip(rows["cell"], rows["encoder"], strict=True))
    above = {one: [other for other in names if (one, other) in better] for one in names}
    below = {one: [other for other in names if (other, one) in better] for one in names}
    ranks = rows["value"].rank(ascending=False, method="min")
    order = rows.assign(rank=ranks).sort_values("rank", kind="stable")["cell"].tolist()
    letters = tie_letters(order, better)
    cells = rows["cell"]
    return rows.assign(
        rank=ranks,
        rank_low=[1 + len(below[one]) if tested else np.nan for one in cells],
        rank_high=[len(names) - len(above[one]) if tested else np.nan for one in cells],
        ties=[letters[one] if tested else "" for one in cells],
        above=[BESIDE.join(names[other] for other in above[one]) for one in cells],
        below=[BESIDE.join(names[other] for other in below[one]) for one in cells],
    )


def tie_letters(order: Sequence[str], significant: set[tuple[str, str]]) -> dict[str, str]:
    """Letters of each name, best first; names that share one do not differ significantly.

    Args:
        order: the names by rank.
        significant: pairs that differ significantly, in either order.
    """
    groups = [set(order)]
    for one, other in significant:
        for group in [group for group in groups if {one, other} <= group]:
            groups.remove(group)
            for part in (group - {one}, group - {other}):
                if not any(part <= whole for whole in groups):
                    groups.append(part)
    groups.sort(key=lambda group: sorted(map(order.index, group)))
    return {
        name: "".join(
            letter
            for letter, group in zip(_letters(len(groups)), groups, strict=True)
            if name in group
        )
        for name in order
    }


def _letters(count: int) -> list[str]:
    """a, ..., z, a2, ..., z2 and so on."""
    rounds = range(1, count // 26 + 2)
    every = [f"{letter}{n if n > 1 else ''}" for n in rounds for letter in ascii_lowercase]
    return every[:count]


def mean_ranks(board: pd.DataFrame) -> dict[str, str]:
    """The mean rank, with its interval, of each encoder that every table ranks, best first.

    Ranks are those among these encoders, so that the tables have equal weight. The interval is from
    the mean of the lower to the mean of the upper ends of the rank intervals: `2.25 (1.50 to
    3.00)`, or `2.25` without differences. Tables with one ranked encoder are not counted. If
    several tables have the same task and data set, they are not comparable: none of them is
    counted, and a warning is logged.
    """
    ranked = board[board["main"] & board["rank"].notna()]
    tables = ranked.groupby(RANKED_TOGETHER, dropna=False)
    ranked = ranked[tables["encoder"].transform("count") > 1]
    rivals = ranked.drop_duplicates(RANKED_TOGETHER).value_counts(TABLE)
    for task, dataset in rivals[rivals > 1].index:
        log.warning(
            "%s on %s: the runs differ in tracks, audio, annotations, probe, preset or conditions; "
            "ranked in separate tables, and without a mean rank",
            task,
            dataset,
        )
        ranked = ranked[(ranked["task"] != task) | (ranked["dataset"] != dataset)]
    total = ranked.groupby(RANKED_TOGETHER, dropna=False).ngroups
    ranked = ranked[ranked.groupby("encoder")["task"].transform("count") == total]
    common = set(ranked["encoder"])
    if len(common) < 2:
        return {}

    def among(names: str) -> int:
        return len(common & set(names.split(BESIDE)))

    own = ranked.assign(
        rank=ranked.groupby(RANKED_TOGETHER, dropna=False)["value"].rank(
            ascending=False, method="min"
        ),
        rank_low=1 + ranked["below"].map(among).where(ranked["rank_low"].notna()),
        rank_high=len(common) - ranked["above"].map(among).where(ranked["rank_low"].notna()),
    )
    means = own.groupby("encoder")[["rank", "rank_low", "rank_high"]].mean()
    return {
        str(name): f"{mean:.2f}" + ("" if np.isnan(low) else f" ({low:.2f} to {high:.2f})")
        for name, mean, low, high in means.sort_values("rank", kind="stable").itertuples()
    }
