from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from helpers.shown_runs import EVIL, METRICS, write_run

from mirprobe.core.errors import ConfigError, StorageError
from mirprobe.reporting.report.page import page
from mirprobe.reporting.run_collection import RunCollection, collect_runs


class Reader(HTMLParser):
    """The texts, tags, ids and addresses of a page; unclosed tags are an error."""

    VOID = ("meta", "link", "input", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), "no inline handler"
            if name == "id":
                self.ids.append(str(value))
            if name in ("src", "href", "xlink:href"):
                self.addresses.append(str(value))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data.strip())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> RunCollection:
    return collect_runs([write_run(tmp_path_factory.mktemp("shown") / "run")])


@pytest.fixture(scope="module")
def text(runs: RunCollection) -> str:
    return page(runs)


def test_the_page_is_one_file_of_valid_html(text: str) -> None:
    read = Reader(text)
    assert len(set(read.ids)) == len(read.ids)
    assert all(one.startswith(("#", "data:,")) for one in read.addresses)
    assert read.tags.count("script") == 2
    assert read.tags.count("article") == len(METRICS)
    assert len(text.encode()) < 5e6


def test_every_name_is_shown_as_text(text: str) -> None:
    assert EVIL not in text
    assert EVIL in Reader(text).texts
    assert "is <silent>" in " ".join(Reader(text).texts)


def test_the_page_shows_every_score_and_difference(runs: RunCollection, text: str) -> None:
    texts = Reader(text).texts
    for row in runs.mains.itertuples():
        assert f"{row.value:.3f}" in texts
    assert len(runs.differences) == len(METRICS) * 3 * 2


def test_the_same_runs_give_the_same_page(runs: RunCollection, text: str) -> None:
    assert page(runs) == text


def test_differences_are_mirrored_and_corrected_together(runs: RunCollection) -> None:
    pairs = runs.differences
    rows = {(r["table"], r["encoder"], r["reference"]): r for _, r in pairs.iterrows()}
    for (table, one, other), row in rows.items():
        back = rows[table, other, one]
        assert back["difference"] == -row["difference"]
        assert (back["low"], back["high"], back["p"]) == (-row["high"], -row["low"], row["p"])
    raw = runs.pairs["p"].min()
    assert pairs["p"].min() == pytest.approx(min(1, raw * len(pairs) / 2))


def test_bold_are_the_best_and_those_that_do_not_differ(runs: RunCollection) -> None:
    board = runs.mains
    best = runs.best()
    for rows in runs.tables():
        top = rows.iloc[0]
        assert (top["table"], top["encoder"]) in best
        for _, row in rows.iterrows():
            tied = bool(set(row["ties"]) & set(top["ties"]))
            assert ((row["table"], row["encoder"]) in best) == tied
    assert len(board) == len(METRICS) * 3


def test_encoders_are_renamed_and_tasks_chosen(runs: RunCollection) -> None:
    paths = [run.path for run in runs.runs]
    found = collect_runs(paths, ["beat", "key"], {EVIL: "Ours"})
    assert list(dict.fromkeys(found.mains["task"])) == ["beat", "key"]
    assert "Ours" in set(found.mains["encoder"])
    assert "Ours" in set(found.differences["encoder"])
    with pytest.raises(ConfigError, match="two encoders would be called 'vit1d'"):
        collect_runs(paths, rename={"chroma": "vit1d"})
    with pytest.raises(ConfigError, match="no scores of task 'keys'; did you mean 'key'"):
        collect_runs(paths, ["keys"])
    with pytest.raises(ConfigError, match="no scores of encoder 'vit'"):
        collect_runs(paths, rename={"vit": "x"})


def test_one_encoder_alone_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["alone"], ["key"], tracks=1)
    (run / "run.json").unlink()
    found = page(collect_runs([run]))
    assert "1 encoder on 1 task" in found
    assert "The run has no run.json" in found


def test_bad_input_ends_in_one_line(runs: RunCollection, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="name the folder of a run"):
        collect_runs([tmp_path])
    run = write_run(tmp_path / "run", ["alone"], ["key"])
    (run / "run.json").write_text("{")
    with pytest.raises(StorageError, match=r"run\.json: damaged"):
        page(collect_runs([run]))
    for field, value in (
        ("config", []),
        ("versions", 3),
        ("encoders.alone", "f"),
        ("tasks.key", 1),
    ):
        name, _, key = field.partition(".")
        odd: dict[str, Any] = {"encoders": {}, name: {key: value} if key else value}
        (run / "run.json").write_text(json.dumps(odd))
        with pytest.raises(StorageError, match=rf"run\.json: damaged \('{field}' is no object\)"):
            page(collect_runs([run]))
