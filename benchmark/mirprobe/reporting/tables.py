"""Leaderboards as tables: Markdown, and rows of texts for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan
from typing import Any

import pandas as pd

from mirprobe.api.encoder import INFO_COLUMNS
from mirprobe.core.confidence_intervals import FEW
from mirprobe.core.markdown import escaped, markdown_table
from mirprobe.probing.selection import EQUAL_DIM
from mirprobe.reporting.extra_tables import tables_beside
from mirprobe.reporting.fixed_layers import EQUAL, PCA, order_note
from mirprobe.reporting.leaderboard import CONTROLS, is_supervised, is_trained_on
from mirprobe.reporting.published import table_of
from mirprobe.reporting.ranks import RANKED_TOGETHER, mean_ranks, table_names

UNDEFINED = "the metric is undefined on these test tracks"
NO_SPREAD = "no spread"
_SPREAD_NOTE = (
    f"'{NO_SPREAD}': all groups of test tracks give the same value, so that there is no interval."
)


def to_markdown(
    board: pd.DataFrame, figures: pd.DataFrame | None = None, scores: pd.DataFrame | None = None
) -> str:
    """A table of the main metric for each group of ranked rows, and a table of the encoders.

    Args:
        board: result of `leaderboard`.
        figures: result of `published_beside`; published results follow the comparable table.
        scores: rows of `scores.csv`; tables of few labels and other readings follow.
    """
    parts = []
    for title, rows in _ranked_groups(board):
        first = rows.iloc[0]
        conditions = f", {first['conditions']}" if first["conditions"] else ""
        parts.append(
            f"### {escaped(title)}\n\n"
            f"`{first['metric']}` on {_tested(first)}, {first['probe']} probe, "
            f"preset {first['preset']}{escaped(conditions)}\n"
        )
        if notes := notes_of(rows):
            parts.append(escaped(" ".join(notes)) + "\n")
        headers = [header for header, _ in ranked_cells(first)]
        parts.append(
            markdown_table(headers, [_texts(ranked_cells(row)) for _, row in rows.iterrows()])
        )
        published = [] if figures is None else table_of(figures, first)
        if published:
            parts.append(markdown_table(published[0], published[1:]))
    for title, texts in [] if scores is None else tables_beside(scores):
        parts.append(f"### {escaped(title)}\n")
        parts.append(markdown_table([header for header, _ in texts[0]], [*map(_texts, texts)]))
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
            ("frames/s", number(facts[name]["frame_rate"], ".4g")),
            ("speed", number(facts[name]["speed"], ".0f")),
            ("licence", str(facts[name]["licence"])),
            ("trained with labels for", str(facts[name]["supervised"]).replace(" ", ", ")),
            ("trained on", str(facts[name]["trained_on"])),
        ]
        for name in order
    ]


def _millions(count: float) -> str:
    return "" if pd.isna(count) else f"{count / 1e6:.3g} M" if count else "0"


def _ranked_groups(board: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and rows of each ranked table; see `table_names`."""
    mains = board[board["main"]]
    groups = [rows for _, rows in mains.groupby(RANKED_TOGETHER, sort=False)]
    names = table_names([rows.iloc[0] for rows in groups], with_dataset=True)
    yield from zip(names, groups, strict=True)


def _tested(row: pd.Series) -> str:
    """`72 test tracks`, and in how many groups if these are fewer."""
    groups = row["groups"]
    own = "" if pd.isna(groups) or groups == row["n"] else f" in {groups} groups"
    return f"{row['n']} test tracks{own}"


def notes_of(rows: pd.DataFrame) -> list[str]:
    """Sentences on what the numbers of one ranked table contain."""
    missing = [*rows.loc[rows["value"].isna(), "encoder"]]
    notes = [f"No score of {', '.join(missing)}: {UNDEFINED}."] if missing else []
    notes += _contents("The 95 % interval", rows[rows["low"].notna()]["interval"])
    undefined = rows["low"].isna() | rows["high"].isna()
    if (undefined & rows["groups"].lt(2)).any():
        notes.append("With one group of test tracks there is no interval.")
    if (undefined & ~rows["groups"].lt(2)).any():
        notes.append(
            "There is no interval where the score is undefined for some choice of test tracks."
        )
    notes += spread_note(rows)
    if rows["groups"].lt(FEW).any():
        notes.append(
            f"There are fewer than {FEW} groups of test tracks: the interval may be too narrow."
        )
    if rows["rank_low"].notna().any():
        notes.append("The brackets beside a rank contain its rank interval.")
    if rows["ties"].fillna("").any():
        notes.append(
            "Encoders that share a letter do not differ significantly (all pairs, Holm's "
            "correction)."
        )
    if note := order_note(rows):
        notes.append(note)
    if rows["probe"].iloc[0].startswith("weighted"):
        notes.append("Probes of all layers have no scores at equal terms.")
    elif rows["probe"].iloc[0] == "attentive":
        notes.append(f"Probes of all frames of a track have no score at {EQUAL[PCA]}.")
    elif rows["last_layer"].isna().any():
        notes.append("Runs of earlier versions have no scores at equal terms.")
    elif rows[PCA].isna().any():
        notes.append(f"{EQUAL[PCA]} needs a training split of more than {EQUAL_DIM} vectors.")
    if "difference_reason" in rows:
        for reason, own in rows[rows["difference_reason"] != ""].groupby("difference_reason"):
            notes.append(f"No paired interval of {', '.join(own['encoder'])}: {reason}.")
    if "difference_interval" in rows:
        found = _contents("The paired 95 % interval", rows["difference_interval"])
        corrected = "p is corrected (Holm) over all differences of this page; the interval is not."
        notes += [*found, corrected] if found else []
        notes += spread_note(rows, "difference_low", "difference_high")
    return notes


def _contents(interval: str, texts: pd.Series) -> list[str]:
    """A sentence on the method and the content of each kind of interval."""
    kinds = dict.fromkeys(text.replace(f" (fewer than {FEW})", "") for text in texts.fillna(""))
    parts = [text.partition(" over ") for text in kinds if text]
    return [
        f"{interval} ({method})" + (f" is over the {content}." if content else " is given.")
        for method, _, content in parts
    ]


def _texts(cells: Sequence[tuple[str, str]]) -> list[str]:
    return [text for _, text in cells]


def ranked_cells(row: pd.Series) -> list[tuple[str, str]]:
    """A row of a table as a list of (header, text)."""
    shown = [
        ("rank", _apart(row) or _rank(row)),
        ("encoder", str(row["encoder"])),
        (str(row["metric"]), number(row["value"])),
        ("95 %", span(row["low"], row["high"])),
        ("layer", f"{row['layer']} {row['source']}"),
        ("decoding", str(row["decoding"])),
        *((header, number(row[column])) for column, header in EQUAL.items()),
    ]
    shown += [(kind, number(row[kind])) for kind in CONTROLS]
    if "difference" in row:
        shown.append(("difference", number(row["difference"], "+.3f")))
    if "difference_low" in row:
        ends = row["difference_low"], row["difference_high"]
        shown.append(("paired 95 %", span(*ends, "+")))
        shown.append(("p", p_text(row["difference_p"])))
    return shown


UNRANKED = "†"
UNRANKED_NOTE = (
    f"{UNRANKED}: the encoder was trained with labels for this task or with this data; it is not "
    "ranked."
)


def unranked(rows: pd.DataFrame) -> pd.Series:
    """Whether each row of a board has a score and no rank: `UNRANKED_NOTE` says why."""
    return rows["value"].notna() & rows["rank"].isna()


def _apart(row: pd.Series) -> str:
    """Why a row has no rank; empty if it has one."""
    if isnan(row["value"]):
        return "no score"
    if is_supervised(row):
        return "trained with labels"
    if not is_trained_on(row):
        return ""
    return f"trained on this data ({row['ranked_above']:.0f} of {row['ranked']:.0f} above)"


def _rank(row: pd.Series) -> str:
    """`2 ab (1 to 3)`: rank, letters of its ties, rank interval."""
    rank = number(row["rank"], ".0f")
    if not rank or pd.isna(row["rank_low"]):
        return rank
    return f"{rank} {row['ties']} ({row['rank_low']:.0f} to {row['rank_high']:.0f})"


def p_text(p: float) -> str:
    """A p value; empty if it is undefined."""
    return "< 0.001" if p < 1e-3 else number(p)


def span(low: float, high: float, sign: str = "") -> str:
    """An interval; empty if it is undefined, `NO_SPREAD` if it has no width."""
    found = ends_of(low, high, sign)
    return " to ".join(found) if found else "" if isnan(low + high) else NO_SPREAD


def ends_of(low: float, high: float, sign: str = "") -> tuple[str, str] | None:
    """Both ends of an interval with three digits, or with more if they would be equal.

    Returns:
        None if the interval is undefined or has no width.
    """
    if isnan(low + high):
        return None
    texts = ((f"{low:{sign}.{n}f}", f"{high:{sign}.{n}f}") for n in range(3, 10))
    return next((ends for ends in texts if float(ends[0]) != float(ends[1])), None)


def spread_note(rows: pd.DataFrame, low: str = "low", high: str = "high") -> list[str]:
    """A sentence on the intervals from column `low` to `high` that have no width, if any."""
    flat = any(span(*ends) == NO_SPREAD for ends in rows[[low, high]].to_numpy(dtype=float))
    return [_SPREAD_NOTE] if flat else []


def number(value: float, style: str = ".3f") -> str:
    """A number; empty if it is undefined."""
    return "" if pd.isna(value) else format(value, style)


def rows_of(board: pd.DataFrame) -> list[tuple[str, list[list[tuple[str, str]]], list[str]]]:
    """Title, rows and notes of each table of `to_markdown`; a row is a list of (header, text)."""
    return [
        (
            f"{title}, {_tested(rows.iloc[0])}",
            [ranked_cells(row) for _, row in rows.iterrows()],
            notes_of(rows),
        )
        for title, rows in _ranked_groups(board)
    ]
