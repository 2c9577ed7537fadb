from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest
from helpers.small_encoders import Bands, Summary
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from typer.testing import CliRunner

import mirprobe
from mirprobe.cli.app import app
from mirprobe.core.errors import ListedError
from mirprobe.probing import probes
from mirprobe.reporting import compare
from mirprobe.reporting.reference_annotations import REFERENCES
from mirprobe.reporting.run_folder import RunFolder
from mirprobe.reporting.run_tables import SUMS
from mirprobe.reporting.stored_run import StoredRun
from mirprobe.reporting.submission import check, pack, require_one_table

TASKS = ("key", "chord")


@pytest.fixture(scope="module")
def runs(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(probes.PRESETS, "standard", QUICK)
        bench = Workbench(root, tones)
        found = {
            "mine": bench.run(Bands(), tasks=TASKS),
            "theirs": bench.run(Summary(), tasks=("key",)),
            "few": bench.run(Summary(), tasks=("key",), limit=5),
        }
    return {name: result.folder.path for name, result in found.items()}


@pytest.fixture
def copy(runs: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs["mine"], tmp_path / "copy"))


def call(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def faults(path: Path) -> dict[str, str]:
    return {one.name: one.found for one in check(StoredRun(path)) if one.passed is False}


def test_a_good_run_passes_every_check(runs: dict[str, Path]) -> None:
    assert faults(runs["mine"]) == {}
    status, printed = call("leaderboard", "check", runs["mine"])
    assert status == 0
    assert "pass scores computed again from the predictions of 2 tasks" in printed
    assert "6 groups of test tracks; intervals over fewer than 30 may be too narrow" in printed


def test_a_packed_run_is_small_complete_and_always_the_same(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    status, printed = call("leaderboard", "pack", runs["mine"], "-o", tmp_path / "a.zip")
    assert (status, printed.endswith(" MB")) == (0, True)
    size = pack(StoredRun(runs["mine"]), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert size == (tmp_path / "b.zip").stat().st_size
    assert faults(tmp_path / "a.zip") == {}
    with ZipFile(tmp_path / "a.zip") as archive:
        kinds = {Path(name).suffix for name in archive.namelist()}
    assert kinds == {"", ".json", ".yaml", ".csv", ".gz", ".txt"}
    before, after = StoredRun(runs["mine"]), StoredRun(tmp_path / "a.zip")
    for task in TASKS:
        pd.testing.assert_frame_equal(before.rescore(task), after.rescore(task))
    kept, every = after.cell("Bands", "chord"), before.cell("Bands", "chord")
    assert len(kept.predictions) == 1 < len(every.predictions)
    assert call("leaderboard", "pack", runs["mine"], "-o", tmp_path)[1].endswith("with --output")
    assert (
        "unknown format '.rar'; end it in .zip"
        in call("leaderboard", "pack", runs["mine"], "-o", tmp_path / "a.rar")[1]
    )


@pytest.mark.parametrize(
    "name",
    ["scores.csv", "run.json", "differences.csv", REFERENCES, "predictions/Bands__key.json.gz"],
)
def test_a_damaged_zip_file_ends_in_one_line(
    runs: dict[str, Path], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "a.zip"
    pack(StoredRun(runs["mine"]), path)
    with ZipFile(path) as archive:
        entry = archive.getinfo(name)
    content = bytearray(path.read_bytes())
    start = entry.header_offset + 30 + len(name)  # behind the header of the entry
    content[start + 20 : start + 40] = bytes(20)
    path.write_bytes(content)
    for words in (["table"], ["compare"], ["leaderboard", "check"]):
        code, text = call(*words, path)
        assert (code, text.startswith(f"error: {path}: damaged zip file (")) == (2, True), text


def test_a_packed_run_of_the_package_is_the_reference(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(StoredRun(runs["mine"]), tmp_path / "studio.zip")
    monkeypatch.setattr(compare, "SHIPPED", tmp_path)
    table = compare.compare([StoredRun(runs["theirs"])], "Bands")
    assert table["encoder"].tolist() == ["Summary"]
    assert (table["reason"] == "").all()
    assert call("compare", runs["theirs"], "--reference", "Bands")[0] == 0


def hand_edit(folder: Path) -> None:
    scores = (folder / "scores.csv").read_text()
    (folder / "scores.csv").write_text(scores.replace("bands", "Bands"))


def edited(edit: Callable[[pd.DataFrame, pd.Series[bool]], pd.DataFrame]) -> Callable[[Path], None]:
    """Edits the table of scores; the second argument selects MIREX of the chosen probe."""

    def change(folder: Path) -> None:
        table = pd.read_csv(folder / "scores.csv", keep_default_na=False, dtype={"value": str})
        rows = (table["metric"] == "mirex") & table["selected"] & (table["task"] == "key")
        edit(table, rows).to_csv(folder / "scores.csv", index=False)
        RunFolder(folder).write_sums()

    return change


better_scores = edited(lambda table, rows: table.assign(value=table["value"].mask(rows, "0.5")))
blank_score = edited(lambda table, rows: table.assign(value=table["value"].mask(rows, "")))
more_tracks = edited(lambda table, rows: table.assign(n=table["n"].mask(rows, 1000)))
twice = edited(lambda table, rows: pd.concat([table, table[rows]]))
no_groups = edited(lambda table, rows: table.assign(groups=""))


def undefined(folder: Path) -> None:
    content = (folder / REFERENCES).read_bytes()
    (folder / REFERENCES).write_bytes(content[:50])
    RunFolder(folder).write_sums()


def audio(folder: Path) -> None:
    (folder / "one.wav").write_bytes(b"RIFF")
    RunFolder(folder).write_sums()


def incomplete(folder: Path) -> None:
    next((folder / "predictions").glob("*chord*")).unlink()


def unfinished(folder: Path) -> None:
    (folder / SUMS).unlink()


def earlier(folder: Path) -> None:
    said = json.loads((folder / "run.json").read_text())
    del said["tasks"], said["metrics"]
    (folder / "run.json").write_text(json.dumps(said))
    RunFolder(folder).write_sums()


def two_of_one_name(folder: Path) -> None:
    table = pd.read_csv(folder / "scores.csv", keep_default_na=False)
    table.loc[table["task"] == "key", "fingerprint"] = "another"
    table.to_csv(folder / "scores.csv", index=False)
    RunFolder(folder).write_sums()


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        (hand_edit, "complete", "scores.csv: was changed after the run"),
        (better_scores, "scores", "Bands x key: mirex is 1, not 0.5"),
        (blank_score, "scores", "Bands x key: mirex is 1, not nan"),
        (more_tracks, "scores", "Bands x key: mirex is over 6 tracks, not 1000"),
        (twice, "complete", "scores.csv has a row twice"),
        (no_groups, "tracks", "scores.csv does not count groups"),
        (undefined, "complete", "references.json.gz: damaged"),
        (audio, "alone", "one.wav is no file of a run"),
        (incomplete, "complete", "no such file: the run is incomplete"),
        (unfinished, "unchanged", "SHA256SUMS is missing: the run is not finished"),
        (earlier, "complete", "run.json lacks tasks, metrics: the run is of an earlier version"),
        (two_of_one_name, "names", "Bands names two encoders"),
    ],
)
def test_what_is_wrong_with_a_run_is_said(
    change: Callable[[Path], None], name: str, message: str, copy: Path
) -> None:
    change(copy)
    found = faults(copy)
    assert message in found[name]
    assert call("leaderboard", "check", copy)[0] == 1


def test_another_version_is_said(copy: Path) -> None:
    said = json.loads((copy / "run.json").read_text())
    said["versions"]["mirprobe"] = "0.0.1"
    (copy / "run.json").write_text(json.dumps(said))
    RunFolder(copy).write_sums()
    found = {one.name: one for one in check(StoredRun(copy))}["version"]
    assert found.passed is None
    assert found.found.startswith("made by mirprobe 0.0.1; this is ")


def test_runs_of_several_people_in_one_table(runs: dict[str, Path], tmp_path: Path) -> None:
    pack(StoredRun(runs["theirs"]), tmp_path / "theirs.zip")
    board = tmp_path / "board"
    words = ("leaderboard", "merge", runs["mine"], tmp_path / "theirs.zip", "-o", board)
    status, printed = call(*words, "--reference", "Bands")
    assert status == 0, printed
    table = pd.read_csv(board / "leaderboard.csv")
    key = table[(table["task"] == "key") & table["main"]].set_index("encoder")
    assert set(key.index) == {"Bands", "Summary"}
    assert key["difference_low"].notna().to_dict() == {"Bands": False, "Summary": True}
    assert key["ties"].tolist() == ["a", "a"]
    assert call("leaderboard", runs["mine"], "-o", tmp_path / "own")[0] == 0


@pytest.mark.parametrize(
    ("field", "message"),
    [("key", "another task version"), ("metrics", "another metric version")],
)
def test_other_versions_are_not_merged(
    field: str, message: str, runs: dict[str, Path], copy: Path, tmp_path: Path
) -> None:
    said = json.loads((copy / "run.json").read_text())
    if field == "key":
        said["tasks"]["key"]["key"] = "0" * 32
    else:
        said["metrics"] = "0" * 32
    (copy / "run.json").write_text(json.dumps(said))
    RunFolder(copy).write_sums()
    with pytest.raises(ListedError, match=message):
        require_one_table([StoredRun(runs["theirs"]), StoredRun(copy)])
    status, printed = call("leaderboard", "merge", runs["theirs"], copy, "-o", tmp_path / "b")
    assert (status, message in printed) == (2, True)


def test_other_data_is_not_merged_and_a_blank_has_its_reason(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ListedError, match=r"key on tones: another data .*another splits"):
        require_one_table([StoredRun(runs["mine"]), StoredRun(runs["few"])])
    words = ("leaderboard", runs["mine"], runs["few"], "--reference", "Bands", "-o", tmp_path)
    _, printed = call(*words)
    assert "No paired interval of Summary: 'Bands' has no score of the same data" in printed
    assert "key on tones, data " in printed
    assert ", 5 test tracks" in printed


def test_the_reference_run_of_the_package_is_small() -> None:
    for run in compare.reference_runs():
        assert run.path.stat().st_size < 3_000_000
        assert "vit1d" in run.encoders
        assert np.isfinite(run.scores[run.scores["main"]]["value"]).all()
        assert isinstance(mirprobe.open_run(run.path), StoredRun)
