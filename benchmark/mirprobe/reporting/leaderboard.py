"""Leaderboards: the selected score of each encoder in each task, ranked, with its controls.

A leaderboard is computed from the `scores.csv` and `run.json` of runs. Encoders are ranked together
if data set, splits, data (audio and annotations), task, probe, preset, conditions and the number of
scored tracks are equal. An encoder that was trained with labels for a task is listed in the table
of the task without a rank.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from itertools import count
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.api.specs import require_scores, spec_name
from mirprobe.core.errors import ConfigError
from mirprobe.probing.selection import best_on_validation
from mirprobe.reporting.fixed_layers import equal_terms
from mirprobe.reporting.ranks import ENTRY, RANKED_TOGETHER, RANKS, add_ranks, holm, with_p
from mirprobe.reporting.run_tables import (
    DIFFERENCES,
    NUMBERS,
    AnyPath,
    read_differences,
    read_scores,
    root_of,
)

log = logging.getLogger(__name__)

_FIT = [*ENTRY, "draw", "resample"]
_MEAN_OF_ENDS = ", mean over the fitted probes of their ends"
_PAIR = ["cell", "reference_cell"]
CONTROLS = ("shuffled", "chance", "ceiling")


def read_runs(runs: Sequence[Path]) -> pd.DataFrame:
    """The scores of several runs, merged by `merge`.

    Raises:
        StorageError: a folder is not a run folder.
    """
    return merge([read_scores(root_of(run)) for run in runs])


def merge(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The scores of several runs in one table, in which each cell occurs once.

    Encoders with the same name but different fingerprints are renamed to `NAME@FINGERPRINT`. If two
    runs contain the same encoder in the same table, the scores of the later run are kept.
    """
    tables = [scores.assign(run=number) for number, scores in enumerate(runs)]
    table = _rename_by_fingerprint(pd.concat(tables, ignore_index=True))
    entries = table.groupby(ENTRY, dropna=False)
    latest = table["run"] == entries["run"].transform("max")
    replaced = table[~latest & (entries["cell"].transform("nunique") > 1)]
    for encoder, task in replaced[["encoder", "task"]].drop_duplicates().itertuples(index=False):
        log.warning(
            "encoder '%s' on task '%s': two runs have scores of different options (layers, seeds, "
            "number type or version); those of the later run are shown",
            encoder,
            task,
        )
    return table[latest].drop(columns="run")


def _rename_by_fingerprint(table: pd.DataFrame) -> pd.DataFrame:
    """Add the shortest distinct prefix of the fingerprint to names with several fingerprints."""
    names = table["encoder"].copy()
    for name, found in table.groupby("encoder")["fingerprint"].unique().items():
        if len(found) < 2:
            continue
        size = next(n for n in count(8) if len({one[:n] for one in found}) == len(found))
        log.warning(
            "encoder '%s' has %d fingerprints (%s): its weights or options differ between runs; "
            "each is listed separately",
            name,
            len(found),
            ", ".join(one[:size] for one in found),
        )
        rows = table["encoder"] == name
        names[rows] = f"{name}@" + table.loc[rows, "fingerprint"].str[:size]
    return table.assign(encoder=names)


def read_pairs(runs: Sequence[AnyPath]) -> pd.DataFrame:
    """The paired differences of several runs, each pair of cells once.

    Raises:
        StorageError: a file is damaged.
    """
    none = pd.DataFrame(columns=DIFFERENCES).astype(NUMBERS)
    table = pd.concat([none, *(read_differences(root_of(run)) for run in runs)], ignore_index=True)
    return table.drop_duplicates([*_PAIR, "metric"], keep="last")


def leaderboard(
    scores: pd.DataFrame, reference: str | None = None, pairs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per encoder, task and metric, for the layer, pooling and decoding that were selected.

    Args:
        scores: rows of `scores.csv`, optionally with a column `speed`.
        reference: an encoder; `difference` is the value of a row minus the value of this encoder.
        pairs: result of `all_pairs`. For two encoders of a pair, `difference` is computed on
            the same tracks, `difference_low` and `difference_high` are its 95 % interval, and
            `difference_p` is its p after Holm's correction for all differences of the table, and
            `difference_reason` says why a row of the main metric has none.

    Returns:
        A table sorted by task and rank. Values are averaged over resamples, draws and seeds, and
        `interval` says what `low` and `high` contain. Without `pairs` they are averages over the
        intervals of single fitted probes. `rank` is the rank by the main metric: NaN if the score
        is undefined, or if the encoder was trained with labels for the task or with audio of the
        data set. `ranks.add_ranks` describes the columns beside it.
        `ranked` is the number of encoders with a rank in the table, `ranked_above` the number of
        those with a higher value. `equal_terms` describes the columns from `first_layer` to
        `layer_wins`.

    Raises:
        ConfigError: `reference` is not among the encoders, or there is nothing to rank.
    """
    if reference is not None:
        require_scores("encoder", reference, scores["encoder"].unique())
    chosen = scores[(scores["kind"] == "probe") & scores["selected"]]
    if not chosen["main"].any():
        raise ConfigError("these runs hold no score that could be ranked; run again")
    pairs = with_p(read_pairs([]) if pairs is None else pairs)
    known = scores.merge(_chosen_decodings(chosen), on=[*_FIT, "decoding"])
    board = _selected(known[(known["kind"] == "probe") & known["selected"]])
    for kind in CONTROLS:
        rows = known[known["kind"] == kind].groupby([*ENTRY, "metric"])["value"].mean()
        board = board.merge(rows.rename(kind).reset_index(), how="left", on=[*ENTRY, "metric"])
    board = board.merge(_facts(scores), on=["encoder", "fingerprint"])
    board = equal_terms(board, scores)
    board = _with_intervals(board, pairs)
    mains = board[board["main"]]
    tracks = mains[[*ENTRY, "n"]].rename(columns={"n": "tracks"}).drop_duplicates(ENTRY)
    board = board.merge(tracks, how="left", on=ENTRY)
    mains = board[board["main"]]
    apart = mains.apply(is_unranked, axis=1, result_type="reduce").astype(bool)
    peers = mains[~apart & mains["value"].notna()]
    ranks = add_ranks(peers, pairs)
    board = _with_places(board, peers)
    board = board.merge(ranks[[*ENTRY, *RANKS]], how="left", on=ENTRY)
    if reference is not None:
        board = _with_differences(board, reference, pairs)
    tasks = {task: number for number, task in enumerate(scores["task"].unique())}
    board = board.assign(
        task_number=board["task"].map(tasks),
        undefined=board["main"] & board["value"].isna(),
        other=~board["main"],
    )
    board["undefined"] = board.groupby(ENTRY, dropna=False)["undefined"].transform("any")
    order = ["dataset", "task_number", "undefined", "rank", "encoder", "other"]
    board = board.sort_values(order, kind="stable", na_position="first")
    return board.drop(columns=["task_number", "undefined", "other"]).reset_index(drop=True)


def _with_places(board: pd.DataFrame, peers: pd.DataFrame) -> pd.DataFrame:
    """Add the number of encoders that are ranked in the table of a row, and of those above it."""
    others = peers[[*RANKED_TOGETHER, "metric", "value"]].rename(columns={"value": "other"})
    both = board.reset_index().merge(others, on=[*RANKED_TOGETHER, "metric"])
    above = both[both["other"] > both["value"]].groupby("index").size()
    counts = both.groupby("index").size()
    return board.assign(
        ranked=counts.reindex(board.index), ranked_above=above.reindex(board.index, fill_value=0)
    )


def _chosen_decodings(chosen: pd.DataFrame) -> pd.DataFrame:
    """The decoding selected on validation for each entry, resample and draw."""
    rows = []
    for fit, mains in chosen[chosen["main"]].groupby(_FIT, dropna=False, sort=False):
        decodings = mains.groupby("decoding", sort=False)["validation"].agg(list).to_dict()
        rows.append((*fit, best_on_validation(decodings)))
    return pd.DataFrame(rows, columns=[*_FIT, "decoding"])


def _selected(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each entry and metric, over its resamples, draws and seeds.

    A number is NaN if it is for one of them.
    """
    numbers = ["value", "low", "high", "validation"]
    entries = rows.groupby([*ENTRY, "metric"], dropna=False, sort=False)
    texts = entries[["layer", "source", "decoding"]].agg(_most_frequent)
    firsts = entries[["main", "n", "groups", "interval", "fingerprint", "cell"]].first()
    sizes = entries.size()
    means = entries[numbers].mean().where(entries[numbers].count().eq(sizes, axis=0))
    board = pd.concat([texts, firsts, means], axis=1).reset_index()
    several = sizes.to_numpy() > 1
    return board.assign(interval=board["interval"] + np.where(several, _MEAN_OF_ENDS, ""))


def _most_frequent(names: pd.Series) -> str:
    """The most frequent name; `12 (3 of 5)` if there are others."""
    [(best, most), *others] = Counter(names).most_common()
    return f"{best} ({most} of {len(names)})" if others else str(best)


def _with_intervals(board: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Replace intervals by those over all fitted probes of a cell, where the run has them."""
    names = {"low": "own_low", "high": "own_high", "interval": "own"}
    own = pairs[pairs["reference"] == ""][["cell", "metric", *names]].rename(columns=names)
    board = board.merge(own, how="left", on=["cell", "metric"])
    return board.assign(
        low=board.pop("own_low").fillna(board["low"]),
        high=board.pop("own_high").fillna(board["high"]),
        interval=board.pop("own").fillna(board["interval"]),
    )


def _with_differences(board: pd.DataFrame, reference: str, pairs: pd.DataFrame) -> pd.DataFrame:
    anchor = board[board["encoder"] == reference][[*RANKED_TOGETHER, "metric", "value", "cell"]]
    anchor = anchor.rename(columns={"value": "anchor", "cell": "reference_cell"})
    board = board.merge(anchor, how="left", on=[*RANKED_TOGETHER, "metric"])
    board["difference"] = (board["value"] - board.pop("anchor")).mask(board["encoder"] == reference)
    ends = {
        "low": "difference_low",
        "high": "difference_high",
        "interval": "difference_interval",
        "p": "difference_p",
        "difference": "paired",
    }
    paired = pairs[[*_PAIR, "metric", *ends]].rename(columns=ends)
    board = board.merge(paired, how="left", on=[*_PAIR, "metric"])
    # like its interval, on the tracks on which both encoders have scores
    board["difference"] = board.pop("paired").fillna(board["difference"])
    board["difference_p"] = holm(board["difference_p"].to_numpy(dtype=np.float64))
    blank = board["difference_low"].isna() & board["main"] & (board["encoder"] != reference)
    unlike = f"'{reference}' has no score of the same data, splits, probe and number of tracks"
    unpaired = "a run has no references, so that tracks cannot be paired"
    why = np.where(board["reference_cell"].isna(), unlike, unpaired)
    few = board["groups"].fillna(2).lt(2)
    why = np.where(few, "one group of test tracks has no interval", why)
    board["difference_reason"] = np.where(blank, why, "")
    return board.drop(columns="reference_cell")


def _facts(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per encoder; of several runs, the last one with a value is used."""
    known = scores if "speed" in scores else scores.assign(speed=nan)
    groups = known.groupby(["encoder", "fingerprint"], sort=False)
    return groups[[*INFO_COLUMNS, "speed"]].last().reset_index()


def is_supervised(row: pd.Series) -> bool:
    """Whether the encoder of a row was trained with labels for its task."""
    return str(row["task"]) in str(row["supervised"]).split()


def is_trained_on(row: pd.Series) -> bool:
    """Whether the encoder of a row was, as it declares, trained with audio of its data set."""
    sides = [side for sides in str(row["dataset"]).split(" -> ") for side in sides.split("+")]
    declared = {_plain(name) for name in str(row["trained_on"]).split(",")}
    return bool({_plain(spec_name(side)) for side in sides} & declared)


def _plain(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")


def is_unranked(row: pd.Series) -> bool:
    """Whether a row is shown without a rank among the others: it knows their labels or audio."""
    return is_supervised(row) or is_trained_on(row)


def to_csv(board: pd.DataFrame) -> str:
    """The leaderboard as CSV, with all metrics."""
    return str(board.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
