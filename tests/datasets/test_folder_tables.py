"""Tables that other programs write, and what they must not be read as."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from helpers.miniatures import refusal, text, tone

from mirprobe.core.schema import SPLITS
from mirprobe_tasks.datasets.folder import Folder

PLAIN = "audio: recordings\ntable: labels.csv\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in "abc":
        tone(tmp_path / "recordings" / f"{name}.wav", 0.05)
    return tmp_path


def folder(here: Path, header: str, *rows: str, description: str = PLAIN) -> Folder:
    text(here / "labels.csv", "\n".join([header, *rows]))
    return Folder(here, config=str(text(here / "my.yaml", description)))


def fault(here: Path, header: str, *rows: str, description: str = PLAIN) -> str:
    return refusal(lambda: folder(here, header, *rows, description=description))


@pytest.mark.parametrize("column", ["tags", "moods"])
@pytest.mark.parametrize("cell", ["\"['rock', 'pop']\"", "\"['rock']\"", "[]", '"[1, 2]"'])
def test_a_list_of_python_is_no_word(here: Path, column: str, cell: str) -> None:
    found = fault(here, f"audio,key,{column}", f"a,C major,{cell}", "b,C major,x;y", "c,C major,x")
    assert f"labels.csv row 2: {column} '[" in found
    assert found.endswith("is a list of Python; separate its words by ';'")


def test_tags_with_another_separator_are_not_one_tag(here: Path) -> None:
    rows = ('a,"rock, pop",train', "b,rock,valid", "c,pop,test")
    header = "audio,tags,split"
    assert fault(here, header, *rows).endswith(
        "column 'tags' of labels.csv never holds the separator ';', but ','; write `separator: "
        "','`, or list the tags in `labels: {tags: [...]}`"
    )
    split = folder(here, header, *rows, description=PLAIN + "separator: ','\n")
    assert split.tags == ("pop", "rock")
    listed = "labels: {tags: ['rock, pop', rock, pop]}\n"
    whole = folder(here, header, *rows, description=PLAIN + listed)
    assert whole.splits()["train"][0].annotations.tags == {"rock, pop": 1.0}


@pytest.mark.parametrize("column", ["is_test", "IsTest", "test", "Train", "holdout"])
@pytest.mark.parametrize("values", [("0", "0", "1"), ("True", "False", "False")])
def test_a_column_that_marks_a_split_is_not_divided_again(
    here: Path, column: str, values: tuple[str, ...]
) -> None:
    rows = [f"{name},C major,{value}" for name, value in zip("abc", values, strict=True)]
    assert fault(here, f"audio,key,{column}", *rows).endswith(
        f"column '{column}' of labels.csv marks a split; write train, valid or test for each track "
        "in a column 'split'"
    )
    rows = [f"{row},{split}" for row, split in zip(rows, SPLITS, strict=True)]
    assert len(folder(here, f"audio,key,{column},split", *rows).splits()["test"]) == 1


def test_one_recording_is_not_in_two_tracks(here: Path) -> None:
    header = "id,audio,key,start,stop,group,split"
    rows = ("1,a,C major,0,2,x,train", "2,b,C major,,,y,valid", "3,c,C major,,,z,test")
    found = fault(here, header, *rows, "4,a.wav,D major,0,2,v,test")
    assert found.endswith("labels.csv row 5: has the same audio as labels.csv row 2; remove one")
    found = fault(here, header, *rows, "4,a,C major,1,,v,test")
    assert found.endswith(
        "labels.csv row 5: overlaps labels.csv row 2, in another group; give both one group"
    )
    for other in ("4,a,C major,2,3,v,test", "4,a,C major,1,3,x,train"):  # after it, of its group
        assert sum(map(len, folder(here, header, *rows, other).splits().values())) == 4


@pytest.mark.parametrize(
    ("value", "kind"), [(b"rock", "bytes"), ({"a": 1}, "dict"), ([["a"]], "ndarray")]
)
def test_a_cell_that_is_neither_text_nor_number(here: Path, value: object, kind: str) -> None:
    frame = pd.DataFrame({"audio": list("abc"), "genre": [value] * 3})
    frame.to_parquet(here / "labels.parquet")
    text(here / "my.yaml", "audio: recordings\ntable: labels.parquet\n")
    found = refusal(lambda: Folder(here, config=str(here / "my.yaml")))
    assert found.endswith(f"row 1: a cell holds {kind}; write text or numbers")


def test_words_for_a_missing_value_are_named(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ("a,train,None,rock", "b,valid,,nan", "c,test,x,N/A")
    folder(here, "audio,split,group,genre", *rows)
    assert "labels.csv: columns group, genre hold words such as nan or None" in caplog.text
    caplog.clear()
    folder(here, "audio,split,genre", "a,train,", "b,valid,", "c,test,none at all")
    assert not caplog.records
