"""Run folders with anything in their files: the scores, or one line."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from helpers.laws import examples, read_or_refused
from hypothesis import given
from hypothesis import strategies as st

from mirprobe.reporting.cell_file import read_cell
from mirprobe.reporting.compare import SHIPPED
from mirprobe.reporting.leaderboard import leaderboard, read_pairs, read_runs, to_csv
from mirprobe.reporting.run_tables import SUMS
from mirprobe.reporting.tables import to_markdown

FILES = ("scores.csv", "run.json", "differences.csv")
NAMED = (*FILES, "hold no score")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small run; its tables are cut to a few rows."""
    target = tmp_path_factory.mktemp("runs") / "run"
    shutil.unpack_archive(SHIPPED / "studio.zip", target)
    (target / SUMS).unlink()  # what is damaged here is read nevertheless
    for name in ("scores.csv", "differences.csv"):
        if (target / name).exists():
            header, *lines = (target / name).read_text().splitlines()
            kept = [*[line for line in lines if ",True," in line][:8], *lines[:4], *lines[-4:]]
            (target / name).write_text("\n".join([header, *dict.fromkeys(kept)]) + "\n")
    return target


def board(run: Path) -> str:
    found = leaderboard(read_runs([run]), None, read_pairs([run]))
    return to_csv(found) + to_markdown(found)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["encoders", "speed", "config", "a"]), inner, max_size=3),
    ),
)
CELL = st.one_of(
    st.text(max_size=6),
    st.sampled_from(["", "nan", "inf", "-1", "True", "1e400", "9" * 400, '"', "a\nb", "1.5"]),
)


@examples(40)
@given(data=st.data())
def test_any_bytes_over_a_file(data: st.DataObject, run: Path) -> None:
    path = run / data.draw(st.sampled_from(FILES))
    before = path.read_bytes() if path.exists() else None
    content = before or b""
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 40)))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=40)) + content[stop:])
    try:
        read_or_refused(lambda: board(run), *NAMED)
    finally:
        path.unlink() if before is None else path.write_bytes(before)


@examples(40)
@given(data=st.data())
def test_any_value_in_a_table(data: st.DataObject, run: Path) -> None:
    path = run / "scores.csv"
    before = path.read_bytes()
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(0, len(table) - 1))
        column = data.draw(st.integers(0, table.shape[1] - 1))
        table.iloc[row, column] = data.draw(CELL)
    path.write_bytes(table.to_csv(index=False).encode("utf-8", "surrogatepass"))
    try:
        read_or_refused(lambda: board(run), *NAMED)
    finally:
        path.write_bytes(before)


@examples(30)
@given(values=JSON)
def test_any_description_of_a_run(values: object, run: Path) -> None:
    path = run / "run.json"
    before = path.read_bytes()
    path.write_text(json.dumps(values))
    try:
        read_or_refused(lambda: board(run), *NAMED)
    finally:
        path.write_bytes(before)


KEYS = st.sampled_from(["key", "encoder", "task", "scores", "predictions", "problems", "tracks"])


@examples(80)
@given(
    content=st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=40).map(gzip.compress),
        JSON.map(lambda values: gzip.compress(json.dumps(values).encode())),
        st.dictionaries(KEYS, JSON).map(lambda values: gzip.compress(json.dumps(values).encode())),
        st.just(gzip.compress(b"[" * 100_000)),
    )
)
def test_any_cell(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "e__key.json.gz"
    path.write_bytes(content)
    read_or_refused(lambda: read_cell(path), "e__key.json.gz: damaged")


@examples(30)
@given(data=st.data())
def test_any_bytes_over_a_cell(
    data: st.DataObject, run: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = gzip.decompress(min(run.glob("predictions/*.json.gz")).read_bytes())[:4000]
    text = b'{"key": "k", "encoder": "e", "task": "t", "problems": {}, "predictions": [], '
    text += b'"scores": []}' if data.draw(st.booleans()) else content
    place = data.draw(st.integers(0, len(text)))
    path = tmp_path_factory.getbasetemp() / "f__key.json.gz"
    path.write_bytes(gzip.compress(text[:place] + data.draw(st.binary(max_size=9)) + text[place:]))
    read_or_refused(lambda: read_cell(path), "f__key.json.gz: damaged")
