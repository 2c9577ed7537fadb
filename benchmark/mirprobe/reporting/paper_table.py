"""`mirprobe table`: encoders x tasks for a paper, as LaTeX, Markdown, HTML, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from mirprobe.api.specs import nearest, require_scores
from mirprobe.core.confidence_intervals import FEW
from mirprobe.core.errors import ConfigError
from mirprobe.core.markdown import escaped, markdown_table
from mirprobe.reporting.ranks import ENTRY, mean_ranks
from mirprobe.reporting.run_collection import RunCollection
from mirprobe.reporting.tables import UNDEFINED, UNRANKED, UNRANKED_NOTE, ends_of

Spread = Literal["interval", "fits", "none"]
SPREADS: tuple[Spread, ...] = get_args(Spread)
COLUMNS = [
    "encoder", "task", "dataset", "metric", "value", "low", "high", "fits", "fits_sd", "n", "best",
    "ranked",
]  # fmt: skip
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "±": r"$\pm$", "†": r"\textsuperscript{\dag}",
    **{mark: f"\\{mark}" for mark in "&%$#_"},
}  # fmt: skip


def long_table(collection: RunCollection, metrics: Sequence[str] = ()) -> pd.DataFrame:
    """One row for each encoder, task and metric.

    Args:
        collection: the runs.
        metrics: names of metrics; the main metric of each task if empty.

    Returns:
        The columns `COLUMNS` and `table`. `low` to `high` is the 95 % interval, `fits` the number
        of fitted probes (resamples, draws and seeds), `fits_sd` the standard deviation of their
        scores. `best`: the best encoder of a main metric, or one that does not differ significantly
        from it. `ranked`: it has a rank.

    Raises:
        ConfigError: no task has a metric.
    """
    board = collection.board
    for name in metrics:
        require_scores("metric", name, board["metric"].unique())
    rows = board[board["metric"].isin(metrics) if metrics else board["main"]]
    scores = collection.scores
    chosen = scores[(scores["kind"] == "probe") & scores["selected"]]
    fits = chosen.groupby([*ENTRY, "metric"], dropna=False)["value"].agg(["size", "std"])
    fits = fits.rename(columns={"size": "fits", "std": "fits_sd"}).reset_index()
    rows = rows.merge(fits, how="left", on=[*ENTRY, "metric"])
    best = collection.best()
    marks = [
        bool(main) and (table, encoder) in best
        for table, encoder, main in zip(rows["table"], rows["encoder"], rows["main"], strict=True)
    ]
    return rows.assign(best=marks, ranked=rows["rank"].notna())[[*COLUMNS, "table"]]


def paper_table(
    collection: RunCollection,
    form: str,
    metrics: Sequence[str] = (),
    spread: Spread = "interval",
) -> bytes:
    """The content of a file with the table.

    Args:
        collection: the runs.
        form: one of `FORMATS`.
        metrics: as in `long_table`.
        spread: what stands beside a value: its 95 % `interval`, the standard deviation over the
            fitted probes (`fits`), or nothing.

    Raises:
        ConfigError: the format, the spread or a metric is unknown, or pyarrow is missing.
    """
    if form not in FORMATS:
        raise ConfigError(f"unknown format '{form}'; {nearest(form, FORMATS)}")
    if spread not in SPREADS:
        raise ConfigError(f"unknown spread '{spread}'; {nearest(spread, SPREADS)}")
    return FORMATS[form](collection, long_table(collection, metrics), spread)


def _wide(
    collection: RunCollection, rows: pd.DataFrame, spread: Spread
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Texts and bold marks, encoders (best mean rank first) x (task, metric)."""
    ranked = mean_ranks(collection.board)
    names = [*ranked, *(name for name in rows["encoder"].unique() if name not in ranked)]
    keys = rows[["table", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    columns = pd.MultiIndex.from_tuples(
        [(collection.titles[table], metric) for table, metric in keys]
    )
    texts = pd.DataFrame("", index=names, columns=columns)
    bold = pd.DataFrame(False, index=names, columns=columns)
    for _, row in rows.iterrows():
        place = row["encoder"], (collection.titles[row["table"]], row["metric"])
        texts.loc[place] = _text(row, spread)
        bold.loc[place] = row["best"]
    return texts, bold


def _text(row: pd.Series, spread: Spread) -> str:
    if np.isnan(row["value"]):
        return "-"
    text = f"{row['value']:.3f}" + ("" if row["ranked"] else UNRANKED)
    if spread == "interval" and (ends := ends_of(row["low"], row["high"])):
        return f"{text} [{', '.join(ends)}]"
    if spread == "fits" and row["fits"] > 1:
        return f"{text} ± {row['fits_sd']:.3f}"
    return text


def caption(collection: RunCollection, rows: pd.DataFrame, spread: Spread) -> str:
    """What the numbers are, and on which data."""
    data: dict[str, list[str]] = {}
    for table, own in rows.groupby("table", sort=True):
        n = int(own["n"].max())
        tracks = f"{own['dataset'].iloc[0]}, {n} test track{'s' if n != 1 else ''}"
        data.setdefault(tracks, []).append(collection.titles[int(str(table))])
    where = "; ".join(
        tracks if len(data) == 1 else f"{', '.join(names)}: {tracks}"
        for tracks, names in data.items()
    )
    beside = {
        "interval": " Brackets: 95 % intervals.",
        "fits": " ±: standard deviation over the fitted probes (resamples, draws, seeds).",
        "none": "",
    }[spread]
    few = (
        f" Fewer than {FEW} test tracks: intervals may be too narrow."
        if rows["n"].lt(FEW).any()
        else ""
    )
    missing = rows[rows["value"].isna()]
    names = [
        f"{row['encoder']} in {collection.titles[row['table']]}" for _, row in missing.iterrows()
    ]
    dash = f" No score (-): {', '.join(names)}; {UNDEFINED}." if len(missing) else ""
    apart = f" {UNRANKED_NOTE}" if (~rows["ranked"] & rows["value"].notna()).any() else ""
    tested = (
        ", and those that do not differ significantly from it (all pairs, Holm's correction)"
        if collection.mains["rank_low"].notna().any()
        else ""
    )
    return (
        f"Test scores on {where}.{beside} Bold: the best encoder of a task by its main metric"
        f"{tested}.{apart}{dash}{few}"
    )


def _latex(collection: RunCollection, rows: pd.DataFrame, spread: Spread) -> bytes:
    texts, bold = _wide(collection, rows, spread)
    texts = texts.map(latex_escaped)
    texts.index = texts.index.map(latex_escaped)
    texts.columns = texts.columns.map(lambda pair: tuple(map(latex_escaped, pair)))
    bold.index, bold.columns = texts.index, texts.columns
    styler = texts.style.apply(
        lambda _: bold.map(lambda on: "textbf: --rwrap;" if on else ""), axis=None
    )
    text = styler.to_latex(
        hrules=True,  # booktabs
        column_format="l" + "r" * len(texts.columns),
        multicol_align="c",
        caption=latex_escaped(caption(collection, rows, spread)),
        label="tab:scores",
        position_float="centering",
    )
    return f"% needs \\usepackage{{booktabs,multirow}}\n{text}".encode()


def latex_escaped(text: str) -> str:
    """A text as LaTeX prints it."""
    return "".join(_LATEX.get(mark, mark) for mark in text)


def _html(collection: RunCollection, rows: pd.DataFrame, spread: Spread) -> bytes:
    texts, bold = _wide(collection, rows, spread)
    styler = texts.style.format(escape="html").format_index(escape="html")
    styler = styler.format_index(escape="html", axis=1).set_uuid("scores")
    styler.apply(lambda _: bold.map(lambda on: "font-weight: bold" if on else ""), axis=None)
    from markupsafe import escape  # of Jinja2

    return styler.set_caption(str(escape(caption(collection, rows, spread)))).to_html().encode()


def _markdown(collection: RunCollection, rows: pd.DataFrame, spread: Spread) -> bytes:
    texts, bold = _wide(collection, rows, spread)
    headers = ["encoder", *(escaped(f"{pair[0]} ({pair[1]})") for pair in texts.columns)]
    lines = [
        [
            escaped(str(name)),
            *(f"**{text}**" if on else str(text) for text, on in zip(own, marks, strict=True)),
        ]
        for name, own, marks in zip(texts.index, texts.to_numpy(), bold.to_numpy(), strict=True)
    ]
    below = escaped(caption(collection, rows, spread))
    return f"{markdown_table(headers, lines, markup=True)}\n{below}\n".encode()


def _csv(collection: RunCollection, rows: pd.DataFrame, spread: Spread) -> bytes:
    return rows[COLUMNS].to_csv(index=False, lineterminator="\n", float_format="%.6g").encode()


def _parquet(collection: RunCollection, rows: pd.DataFrame, spread: Spread) -> bytes:
    content = BytesIO()
    try:
        rows[COLUMNS].reset_index(drop=True).to_parquet(content, engine="pyarrow")
    except ImportError as error:
        raise ConfigError(
            "Parquet needs pyarrow; install it with pip install 'mirprobe[parquet]'"
        ) from error
    return content.getvalue()


FORMATS: dict[str, Callable[[RunCollection, pd.DataFrame, Any], bytes]] = {
    "latex": _latex,
    "markdown": _markdown,
    "html": _html,
    "csv": _csv,
    "parquet": _parquet,
}
ENDINGS = {
    ".tex": "latex",
    ".md": "markdown",
    ".html": "html",
    ".csv": "csv",
    ".parquet": "parquet",
}
"""Ending of a file -> its format."""
