"""Leaderboards: the selected score of each encoder in each task, ranked, with its controls.

A leaderboard is computed from the `scores.csv` and `run.json` of runs. Encoders are ranked together
if data set, splits, data (audio and annotations), task, probe, preset and conditions are equal. An
encoder that was trained with labels for a task is listed in the table of the task without a rank.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import count
from math import nan
from pathlib import Path
from typing import Any

import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.api.specs import nearest
from mirprobe.core.errors import ConfigError
from mirprobe.core.markdown import markdown_table
from mirprobe.probing.selection import best_on_validation
from mirprobe.reporting.published import table_of
from mirprobe.reporting.run_folder import read_differences, read_scores

log = logging.getLogger(__name__)

_TABLE = ["task", "dataset"]
RANKED_TOGETHER = ["dataset", "splits", "task", "probe", "preset", "conditions", "data"]
ENTRY = [*RANKED_TOGETHER, "encoder"]
_PAIR = ["cell", "reference_cell"]
CONTROLS = ("shuffled", "chance", "ceiling")


def read_runs(runs: Sequence[Path]) -> pd.DataFrame:
    """The scores of several runs, merged by `merge`.

    Raises:
        StorageError: a folder is not a run folder.
    """
    return merge([read_scores(run) for run in runs])


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


def read_pairs(runs: Sequence[Path]) -> pd.DataFrame:
    """The paired differences of several runs, each pair of cells once.

    Raises:
        StorageError: a file is damaged.
    """
    table = pd.concat([read_differences(run) for run in runs], ignore_index=True)
    return table.drop_duplicates([*_PAIR, "metric"], keep="last")


def leaderboard(
    scores: pd.DataFrame, reference: str | None = None, pairs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per encoder, task and metric, for the layer, pooling and decoding that were selected.

    Args:
        scores: rows of `scores.csv`, optionally with a column `speed`.
        reference: an encoder; `difference` is the value of a row minus the value of this encoder.
        pairs: result of `read_pairs`. For two encoders of one run, `difference` is computed on the
            same tracks, and `difference_low` and `difference_high` are its 95 % interval.

    Returns:
        A table sorted by task and rank. `rank` is the rank by the main metric, NaN if the encoder
        was trained with labels for the task. Values and interval bounds are averaged over seeds;
        the intervals describe one training and are wider than an interval of the mean.

    Raises:
        ConfigError: `reference` is not among the encoders, or there is nothing to rank.
    """
    encoders = scores["encoder"].unique()
    if reference is not None and reference not in encoders:
        raise ConfigError(f"no scores of encoder '{reference}'; {nearest(reference, encoders)}")
    chosen = scores[(scores["kind"] == "probe") & scores["selected"]]
    if not chosen["main"].any():
        raise ConfigError("these runs hold no score that could be ranked; run again")
    where = [*ENTRY, "decoding", "layer", "source", "metric", "main", "n", "fingerprint", "cell"]
    numbers = ["value", "low", "high", "validation"]
    board = chosen.groupby(where, dropna=False, sort=False)[numbers].mean().reset_index()
    board = board.merge(_chosen_decodings(chosen), on=[*ENTRY, "decoding"])
    for kind in CONTROLS:
        board = board.merge(_control(scores, kind), how="left", on=[*ENTRY, "decoding", "metric"])
    board = board.merge(_facts(scores), on=["encoder", "fingerprint"])
    mains = board[board["main"]]
    peers = mains[~mains.apply(_supervised, axis=1, result_type="reduce").astype(bool)]
    ranks = peers.assign(
        rank=peers.groupby(RANKED_TOGETHER)["value"].rank(ascending=False, method="min")
    )
    board = board.merge(ranks[[*ENTRY, "rank"]], how="left", on=ENTRY)
    if reference is not None:
        anchor = board[board["encoder"] == reference][[*RANKED_TOGETHER, "metric", "value", "cell"]]
        anchor = anchor.rename(columns={"value": "anchor", "cell": "reference_cell"})
        board = board.merge(anchor, how="left", on=[*RANKED_TOGETHER, "metric"])
        board["difference"] = board["value"] - board.pop("anchor")
        if pairs is not None:
            ends = {"low": "difference_low", "high": "difference_high", "difference": "paired"}
            paired = pairs[[*_PAIR, "metric", *ends]].rename(columns=ends)
            board = board.merge(paired, how="left", on=[*_PAIR, "metric"])
            # like its interval, on the tracks on which both encoders have scores
            board["difference"] = board.pop("paired").fillna(board["difference"])
        board = board.drop(columns="reference_cell")
    tasks = {task: number for number, task in enumerate(scores["task"].unique())}
    board = board.assign(task_number=board["task"].map(tasks), other=~board["main"])
    order = ["dataset", "task_number", "rank", "encoder", "other"]
    board = board.sort_values(order, kind="stable", na_position="first")
    return board.drop(columns=["task_number", "other"]).reset_index(drop=True)


def _chosen_decodings(chosen: pd.DataFrame) -> pd.DataFrame:
    """The decoding selected on validation for each entry, from the rows of the selected layers."""
    rows = []
    for entry, mains in chosen[chosen["main"]].groupby(ENTRY, dropna=False, sort=False):
        decodings = mains.groupby("decoding", sort=False)["validation"].agg(list).to_dict()
        rows.append((*entry, best_on_validation(decodings)))
    return pd.DataFrame(rows, columns=[*ENTRY, "decoding"])


def _facts(scores: pd.DataFrame) -> pd.DataFrame:
    """One row per encoder; of several runs, the last one with a value is used."""
    known = scores if "speed" in scores else scores.assign(speed=nan)
    groups = known.groupby(["encoder", "fingerprint"], sort=False)
    return groups[[*INFO_COLUMNS, "speed"]].last().reset_index()


def _supervised(row: pd.Series) -> bool:
    """Whether the encoder of a row was trained with labels for its task."""
    return str(row["task"]) in str(row["supervised"]).split()


def _control(scores: pd.DataFrame, kind: str) -> pd.DataFrame:
    rows = scores[scores["kind"] == kind]
    keys = [*ENTRY, "decoding", "metric"]
    return rows.groupby(keys)["value"].mean().rename(kind).reset_index()


def mean_ranks(board: pd.DataFrame) -> dict[str, str]:
    """The mean rank of each encoder over all tables with at least two ranked encoders, best first.

    The text is `2.25`, or `1.00 (1 of 4)` if the encoder has a rank in only one of four tables. If
    several tables have the same task and data set, they are not comparable: none of them is
    counted, and a warning is logged.
    """
    ranked = board[board["main"] & board["rank"].notna()]
    tables = ranked.groupby(RANKED_TOGETHER, dropna=False)
    ranked = ranked[tables["encoder"].transform("count") > 1]
    rivals = ranked.drop_duplicates(RANKED_TOGETHER).value_counts(_TABLE)
    for task, dataset in rivals[rivals > 1].index:
        log.warning(
            "%s on %s: the runs differ in tracks, audio, annotations, probe, preset or conditions; "
            "ranked in separate tables, and without a mean rank",
            task,
            dataset,
        )
        ranked = ranked[(ranked["task"] != task) | (ranked["dataset"] != dataset)]
    total = ranked.groupby(RANKED_TOGETHER, dropna=False).ngroups
    ranks = ranked.groupby("encoder")["rank"].agg(["mean", "count"])
    return {
        str(name): f"{mean:.2f}" + (f" ({count} of {total})" if count < total else "")
        for name, mean, count in ranks.sort_values("mean", kind="stable").itertuples()
    }


def to_csv(board: pd.DataFrame) -> str:
    """The leaderboard as CSV, with all metrics."""
    return str(board.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def to_markdown(board: pd.DataFrame, figures: pd.DataFrame | None = None) -> str:
    """A table of the main metric for each group of ranked rows, and a table of the encoders.

    Args:
        board: result of `leaderboard`.
        figures: result of `published_beside`; published results follow the comparable table.
    """
    parts = []
    for title, rows in _ranked_groups(board):
        first = rows.iloc[0]
        conditions = f", {first['conditions']}" if first["conditions"] else ""
        parts.append(
            f"### {title}\n\n"
            f"`{first['metric']}` on {first['n']} test tracks, {first['probe']} probe, "
            f"preset {first['preset']}{conditions}\n"
        )
        headers = [header for header, _ in _cells(first)]
        parts.append(markdown_table(headers, [_texts(_cells(row)) for _, row in rows.iterrows()]))
        published = [] if figures is None else table_of(figures, first)
        if published:
            parts.append(markdown_table(published[0], published[1:]))
    table = encoders_of(board)
    parts.append("### encoders\n")
    parts.append(markdown_table([header for header, _ in table[0]], [*map(_texts, table)]))
    return "\n".join(parts)


def encoders_of(board: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """A row per encoder, best mean rank first; a row is a list of (header, text)."""
    ranks = mean_ranks(board)
    facts: dict[Any, Any] = (
        board.groupby("encoder", sort=False)[[*INFO_COLUMNS, "speed"]].first().to_dict("index")
    )
    order = [*ranks, *(name for name in facts if name not in ranks)]
    return [
        [
            ("encoder", str(name)),
            ("mean rank", ranks.get(name, "")),
            ("parameters", _millions(facts[name]["model_parameters"])),
            ("dim", str(facts[name]["dim"])),
            ("frames/s", _number(facts[name]["frame_rate"], ".4g")),
            ("speed", _number(facts[name]["speed"], ".0f")),
            ("licence", str(facts[name]["licence"])),
            ("trained with labels for", str(facts[name]["supervised"]).replace(" ", ", ")),
        ]
        for name in order
    ]


def _millions(count: float) -> str:
    return "" if pd.isna(count) else f"{count / 1e6:.3g} M" if count else "0"


def _ranked_groups(board: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and rows of each ranked table; titles that would be equal contain the hash `data`."""
    mains = board[board["main"]]
    differ = mains.groupby(_TABLE)["data"].transform("nunique") > 1
    for _, rows in mains.groupby(RANKED_TOGETHER, sort=False):
        first = rows.iloc[0]
        data = f", data {first['data'][:8] or 'unknown'}" if differ[rows.index[0]] else ""
        yield f"{first['task']} on {first['dataset']}{data}", rows


def _texts(cells: Sequence[tuple[str, str]]) -> list[str]:
    return [text for _, text in cells]


def _cells(row: pd.Series) -> list[tuple[str, str]]:
    """A row of a table as a list of (header, text)."""
    shown = [
        ("rank", "trained with labels" if _supervised(row) else _number(row["rank"], ".0f")),
        ("encoder", str(row["encoder"])),
        (str(row["metric"]), _number(row["value"])),
        ("95 %", f"{row['low']:.3f} to {row['high']:.3f}"),
        ("layer", f"{row['layer']} {row['source']}"),
        ("decoding", str(row["decoding"])),
    ]
    shown += [(kind, _number(row[kind])) for kind in CONTROLS]
    if "difference" in row:
        shown.append(("difference", _number(row["difference"], "+.3f")))
    if "difference_low" in row:
        ends = [_number(row[name], "+.3f") for name in ("difference_low", "difference_high")]
        shown.append(("paired 95 %", " to ".join(ends) if all(ends) else ""))
    return shown


def _number(value: float, style: str = ".3f") -> str:
    return "" if pd.isna(value) else format(value, style)


def rows_of(board: pd.DataFrame) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Title and rows of each table of `to_markdown`; a row is a list of (header, text)."""
    return [
        (title, [_cells(row) for _, row in rows.iterrows()])
        for title, rows in _ranked_groups(board)
    ]
