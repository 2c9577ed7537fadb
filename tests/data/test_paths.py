from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mirprobe.api.dataset import DatasetInfo
from mirprobe.api.registry import DATASETS
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import digest
from mirprobe.data.paths import DataFolders, joined_specs
from mirprobe.evaluation.config import RunConfig

SHEET = DatasetInfo(licence="CC0", source="here", obtain="put it there")
FOLDERS = DataFolders(Path("cache"), Path("~/sets"))


def register(monkeypatch: pytest.MonkeyPatch, sheet: DatasetInfo | None) -> None:
    own = {} if sheet is None else {"sheet": sheet}
    monkeypatch.setitem(DATASETS._factories, "things", type("Things", (), own))


def test_what_no_program_makes_lies_in_the_data_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    register(monkeypatch, SHEET)
    assert FOLDERS.root("things:size=3") == tmp_path / "sets" / "things"
    assert not (tmp_path / "sets").exists()


def test_what_is_generated_lies_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    generated = replace(SHEET, generated=True)
    for sheet in (None, generated):
        register(monkeypatch, sheet)
        assert FOLDERS.root("things") == Path("cache/datasets/things")
    assert FOLDERS.root("studio:size=72") == Path("cache/datasets/studio")


def test_options_of_a_class_in_a_file_belong_to_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "bells.py"
    file.write_text("class Bells:\n    pass\n")
    plain, *others = (
        FOLDERS.root(f"{file}:Bells{options}")
        for options in ("", ":fault=a", ":fault=b", ":x=1,fault=a", ":fault=a,x=1")
    )
    assert plain == Path(f"cache/datasets/Bells-{digest(str(file.resolve().with_suffix('')))[:8]}")
    assert len({plain, *others}) == 4
    assert others[2] == others[3]


def test_names_and_homes_that_are_not_there() -> None:
    with pytest.raises(ConfigError, match="unknown data set 'studoi'; did you mean 'studio'"):
        FOLDERS.root("studoi")


def test_nobodys_home(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, SHEET)
    with pytest.raises(ConfigError, match=r"data_home '~no-such-user-here/x': .*name a folder"):
        DataFolders(data_home=Path("~no-such-user-here/x")).root("things")


def test_the_default_is_in_the_users_home() -> None:
    assert RunConfig().data_home == Path("~/mir_datasets")


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("studio", ["studio"]),
        ("studio+winterreis", ["studio", "winterreis"]),  # a slip is still looked up alone
        ("studio:size=72 + studio", ["studio:size=72", "studio"]),
        ("one+studio:size=72,x=y+two", ["one", "studio:size=72,x=y+two"]),
        ("own:config=a+b.yaml+studio", ["own:config=a+b.yaml", "studio"]),
    ],
)
def test_what_a_plus_joins(spec: str, parts: list[str]) -> None:
    assert joined_specs(spec) == parts
