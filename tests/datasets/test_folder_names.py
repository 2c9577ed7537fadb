"""Names, numbers and labels of a user's own data that cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from helpers.miniatures import ids_of, refusal, text, tone, tracks_of
from helpers.small_folders import PLAIN, folder

from mirprobe.api.registry import DATASETS
from mirprobe.data.tracks import limit_tracks


@pytest.mark.parametrize("name", ["my, data.yaml", "a=b.yaml", "my #1.yaml", "it's.yaml"])
def test_a_path_with_odd_characters_is_quoted(here: Path, name: str) -> None:
    table = "audio,key,split\none,C,train\ntwo,D,valid\nthree,E,test\n"
    text(here / "labels.csv", table)
    text(here / name, PLAIN)
    found = DATASETS.create(f'folder:"{here / name}"', root=here)
    assert len(tracks_of(found)) == 3
    if name != "it's.yaml":
        assert "quote" in refusal(lambda: DATASETS.create(f"folder:{here / name}", root=here))


def test_a_name_that_is_not_utf8_is_refused_before_any_work(here: Path) -> None:
    odd = os.fsencode(here / "recordings") + b"/f\xfcr.wav"
    os.rename(here / "recordings" / "one.wav", odd)
    table = "audio,key,split\ntwo,D,valid\nthree,E,test\n"
    message = refusal(lambda: folder(here, PLAIN, table))
    assert "f\\udcfcr.wav': its name is not one line of text in UTF-8; rename it" in message


def test_an_id_that_cannot_be_written_is_refused_before_any_work(here: Path) -> None:
    table = "audio,key,split\none,C,train\ntwo,D,valid\nthree,E,test\n"
    found = folder(here, PLAIN, table)
    object.__setattr__(found.splits()["train"][0], "id", "f\udcfcr")
    assert refusal(lambda: limit_tracks(found, None)) == (
        "data set 'my': the id 'f\\udcfcr' of a track is not one line of text in UTF-8; "
        "rename its file"
    )


def test_names_of_columns_are_known_in_any_case(here: Path) -> None:
    table = "Audio,KEY,Split\none,C,train\ntwo,D,valid\nthree,E,test\n"
    assert ids_of(folder(here, PLAIN, table)) == {
        "train": ["one"],
        "valid": ["two"],
        "test": ["three"],
    }
    table = table.replace("KEY", "Key,key").replace(",C", ",C,C")
    message = refusal(lambda: folder(here, PLAIN, table))
    assert "'columns': key is read from 'Key', but labels.csv has a column 'key' too" in message


def test_an_open_quote_in_the_header_is_refused(here: Path) -> None:
    table = 'audio,key,"split\none,C,train\ntwo,D,valid"\nthree,E,test\n'
    message = refusal(lambda: folder(here, PLAIN, table))
    assert (
        "labels.csv header: has a line break or a NUL in a field; close the quote before it"
        in message
    )


@pytest.mark.parametrize("name", [".", "..", "/", "x" * 300, "a\0"])
def test_a_name_of_audio_that_is_none(here: Path, name: str) -> None:
    table = f"audio,key,split\n{name},C,train\ntwo,D,valid\nthree,E,test\n"
    assert f"labels.csv row 2: audio '{name}' is not in" in refusal(
        lambda: folder(here, PLAIN, table)
    )


@pytest.mark.parametrize("number", ["1_0", "1e999", "nan", "12,5", "0x10"])
def test_what_is_no_number(here: Path, number: str) -> None:
    table = f'audio,tempo,split\none,"{number}",train\ntwo,60,valid\nthree,60,test\n'
    assert f"labels.csv row 2: tempo '{number}': write beats per minute" in refusal(
        lambda: folder(here, PLAIN, table)
    )


def test_labels_of_a_description_are_text(here: Path) -> None:
    """YAML takes them for a truth value, a number and a number to the base of eight."""
    table = "audio,genre,split\none,no,train\ntwo,1.10,valid\nthree,007,test\n"
    found = folder(here, PLAIN + "name: 2024-02-30\nlabels: {genre: [no, 1.10, 007]}\n", table)
    assert found.name == "2024-02-30"
    assert found.vocabularies["genre"] == ("no", "1.10", "007")


def test_a_folder_that_cannot_be_read_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "recordings" / "closed").mkdir()
    table = "audio,key,split\none,C,train\ntwo,D,valid\nthree,E,test\n"
    right = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return right(path)

    monkeypatch.setattr(os, "scandir", scandir)
    message = refusal(lambda: folder(here, PLAIN, table))
    assert "closed: cannot be read (Permission denied); check its permissions" in message


def test_a_name_with_a_line_break_is_refused(here: Path) -> None:
    tone(here / "recordings" / "a\nb.wav", 0.05)
    message = refusal(lambda: folder(here, PLAIN, "audio,key,split\none,C,train\n"))
    assert "its name is not one line of text in UTF-8; rename it" in message
