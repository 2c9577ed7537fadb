"""What a user's own data mean: columns, splits, names and numbers are read as they were written."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Literal
from unicodedata import normalize

import pandas as pd
import pytest
from helpers.miniatures import RATE, ids_of, refusal, text, tone, tracks_of
from helpers.small_folders import NAMES, PLAIN, folder

from mirprobe.core.schema import SPLITS
from mirprobe.data.audio import load


def test_a_known_column_counts_beside_given_ones(here: Path) -> None:
    table = "audio,Key,split\none,C major,train\ntwo,D major,valid\nthree,E major,test\n"
    found = folder(here, PLAIN + "columns: {key: Key}\n", table)
    assert ids_of(found) == {"train": ["one"], "valid": ["two"], "test": ["three"]}
    for cell in ("train", "valid", "test"):
        table = table.replace(f"{cell}\n", f"{cell},x\n")
    table = table.replace("split", "split,key")
    assert refusal(lambda: folder(here, PLAIN + "columns: {key: Key}\n", table)).endswith(
        "'columns': key is read from 'Key', but labels.csv has a column 'key' too; rename or "
        "remove it"
    )


@pytest.mark.parametrize(
    "names",
    [("Train", "Valid", "Test"), ("training", "dev", "testing"), ("TRAIN", "val", "eval")],
)
def test_splits_have_known_names_in_any_case(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        tone(tmp_path / "recordings" / name / f"in-{name}.wav", 0.05)
        text(tmp_path / "recordings" / name / f"in-{name}.keys", "0 0.05 C:major")
    description = "audio: recordings\nbeside: {keys: .keys}\n"
    assert ids_of(folder(tmp_path, description)) == {
        split: [f"{name}/in-{name}"]
        for split, name in zip(("train", "valid", "test"), names, strict=True)
    }
    rows = "".join(f"{name}/in-{name},C major,{name}\n" for name in names)
    found = folder(tmp_path, PLAIN, f"audio,key,split\n{rows}")
    assert [len(tracks) for tracks in found.splits().values()] == [1, 1, 1]
    tone(tmp_path / "recordings" / "stray.wav", 0.05)
    message = refusal(lambda: folder(tmp_path, description))
    assert "stray.wav: is in no folder beside folders of splits" in message
    assert "move it into one of them, or name the splits in a table" in message
    assert "seed" not in message


@pytest.mark.parametrize("path", ["01_{}/a", "data/{}/a", "rock/{}/a", "{}set/a", "{}-001"])
def test_splits_that_paths_state_are_not_divided_again(tmp_path: Path, path: str) -> None:
    names = [path.format(split) for split in SPLITS]
    for name in names:
        tone(tmp_path / "recordings" / f"{name}.wav", 0.05)
        text(tmp_path / "recordings" / f"{name}.beats", "0.01 1\n")
    table = "".join(f"{name},C\n" for name in names)
    for refused in (
        lambda: folder(tmp_path, "audio: recordings\nseed: 1\n"),
        lambda: folder(tmp_path, PLAIN, f"audio,key\n{table}"),
    ):
        message = refusal(refused)
        assert "the paths of audio files name splits, and no split is given; name their" in message
        assert "seed" not in message


def test_a_column_of_splits_under_another_name_is_not_ignored(here: Path) -> None:
    table = "audio,key,subset\none,C,Train\ntwo,D,dev\nthree,E,test\n"
    assert (
        "my.yaml: column 'subset' of labels.csv names splits; write `columns: {split: subset}`"
        in refusal(lambda: folder(here, PLAIN, table))
    )
    given = folder(here, f"{PLAIN}columns: {{split: subset}}\n", table)
    assert ids_of(given) == {"train": ["one"], "valid": ["two"], "test": ["three"]}


@pytest.mark.parametrize("column", ["fold", "Folds", "cv_fold"])
def test_a_column_of_folds_is_not_divided_again(here: Path, column: str) -> None:
    table = f"audio,key,{column}\none,C,1\ntwo,D,2\nthree,E,3\n"
    message = refusal(lambda: folder(here, PLAIN, table))
    assert f"column '{column}' of labels.csv divides the data already; add a column" in message
    assert "`seed:" not in message
    found = folder(here, f"{PLAIN}columns: {{group: {column}}}\nseed: 9\n", table)
    assert {track.group for track in tracks_of(found).values()} == {"1", "2", "3"}
    splits = table.replace("1\n", "1,train\n").replace("2\n", "2,valid\n")
    splits = splits.replace("3\n", "3,test\n").replace(f"{column}\n", f"{column},split\n")
    assert ids_of(folder(here, PLAIN, splits))["valid"] == ["two"]


@pytest.mark.parametrize("name", ["fold", "set", "Subset_", "split", "partition-", "cv"])
def test_folders_of_folds_are_not_divided_again(tmp_path: Path, name: str) -> None:
    folders = [f"{name}{number}" for number in range(3)]
    for one in folders:
        tone(tmp_path / "recordings" / one / "a.wav", 0.05)
        text(tmp_path / "recordings" / one / "a.keys", "0 0.05 C:major")
    table = "audio,key\n" + "".join(f"{one}/a,C\n" for one in folders)
    for refused in (
        lambda: folder(tmp_path, "audio: recordings\nbeside: {keys: .keys}\n"),
        lambda: folder(tmp_path, PLAIN, table),
    ):
        message = refusal(refused)
        assert f"the folders {', '.join(folders)} divide the data already" in message
        assert "seed" not in message


def test_names_in_two_forms_of_unicode_are_one_name(here: Path) -> None:
    one, two = (normalize(form, "Café") for form in ("NFC", "NFD"))
    table = f"audio,id,genre,split\none,{one},pop,train\ntwo,{two},pop,valid\nthree,c,pop,test\n"
    message = refusal(lambda: folder(here, PLAIN, table))
    assert f"labels.csv row 3: id '{one}' is also that of labels.csv row 2" in message
    table = f"audio,genre,split\none,{one},train\ntwo,{two},valid\nthree,{two},test\n"
    for labels in ("", f"labels: {{genre: [{two}]}}\n"):
        found = folder(here, PLAIN + labels, table)
        assert found.vocabularies == {"genre": (one,)}
    torn = f"audio,genre,{two},split\none,a,{one},train\ntwo,a,{two},valid\nthree,a,x,test\n"
    message = refusal(lambda: folder(here, f"{PLAIN}columns: {{group: {one}}}\n", torn))
    assert f"group '{one}' is in valid here and in train in labels.csv row 2" in message
    doubled = f"audio,{one},{two},split\none,a,a,train\n"
    assert f"has two columns '{one}'" in refusal(lambda: folder(here, PLAIN, doubled))


@pytest.mark.parametrize("sign", ["\0", "\v", "\u2028", "\x85"])
def test_labels_of_several_lines_are_refused(here: Path, sign: str) -> None:
    rows = {"audio": NAMES, "genre": [f"a{sign}b", "c", "d"], "split": SPLITS}
    frame = pd.DataFrame(rows)
    frame.to_parquet(here / "labels.parquet")
    table = frame.to_csv(index=False, lineterminator="\n")
    for name, message in {
        "parquet": refusal(lambda: folder(here, PLAIN.replace(".csv", ".parquet"))),
        "csv": refusal(lambda: folder(here, PLAIN, table)),
    }.items():
        assert f"labels.{name} row " in message
        assert "has a line break or a NUL in a field" in message


def test_a_folder_whose_name_is_not_utf8_is_refused(here: Path) -> None:
    inner = os.fsencode(here / "recordings") + b"/\xff"
    os.mkdir(inner)
    os.rename(here / "recordings" / "one.wav", inner + b"/one.wav")
    message = refusal(lambda: folder(here, PLAIN, "audio,key,split\ntwo,C,train\n"))
    assert "its name is not one line of text in UTF-8; rename it" in message


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ('one,"C,train\ntwo,D,valid\nthree,E,test\n', "row 2: unexpected end of data"),
        (
            'one,"C major,train\ntwo,D major",valid\nthree,E major,test\n',
            "labels.csv row 2: has a line break or a NUL in a field; close the quote before it",
        ),
        (
            'one,"C" major,train\ntwo,D,valid\nthree,E,test\n',
            "row 2: ',' expected after",
        ),
    ],
)
def test_a_quote_that_is_not_closed(here: Path, rows: str, fault: str) -> None:
    message = refusal(lambda: folder(here, PLAIN, f"audio,key,split\n{rows}"))
    assert fault in message
    assert "close the quote" in message


@pytest.mark.parametrize("label", ["a", "f#", "bb"])
def test_a_key_in_small_letters_without_a_mode_is_refused(here: Path, label: str) -> None:
    table = f"audio,key,split\none,{label},train\ntwo,a minor,valid\nthree,F#m,test\n"
    message = refusal(lambda: folder(here, PLAIN, table))
    assert f"labels.csv row 2: key '{label}': write tonic and mode" in message


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    for number in range(3):
        tone(tmp_path / "elsewhere" / f"{number}.wav", 0.05)
        text(tmp_path / "elsewhere" / f"{number}.keys", "0 0.05 C:major")
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "again").symlink_to(tmp_path / "elsewhere")  # a circle
    description = "audio: recordings\nbeside: {keys: .keys}\nseed: 0\n"
    message = refusal(lambda: folder(tmp_path, description))
    assert "1 groups" in message  # found, all three in the folder `more`
    text(tmp_path / "labels.csv", "audio,split\nmore/0,train\nmore/1,valid\nmore/2,test\n")
    assert len(tracks_of(folder(tmp_path, PLAIN + "beside: {keys: .keys}\n"))) == 3


def test_files_of_other_kinds_are_counted(
    here: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "b.txt", "c.doc"):
        text(here / "recordings" / name, "x")
    for number, ending in enumerate(("oga", "wave", "snd")):
        shown = {"oga": "ogg", "wave": "wav", "snd": "au"}[ending]
        made = tone(here / "recordings" / f"more{number}.{shown}", 0.05)
        made.rename(made.with_suffix(f".{ending}"))
    monkeypatch.setattr(logging.getLogger("mirprobe_tasks"), "propagate", True)
    table = "audio,key,split\none,C,train\ntwo,D,valid\nthree,E,test\n"
    table += "".join(f"more{number},F,test\n" for number in range(3))
    with caplog.at_level(logging.INFO):
        found = folder(here, PLAIN, table)
    assert ids_of(found)["test"] == ["three", "more0", "more1", "more2"]
    for track in found.splits()["test"]:
        assert len(load(track, RATE)) == round(0.05 * RATE)
    assert "files that are not read as audio: 2 .txt, 1 .doc" in caplog.text


@pytest.mark.parametrize("suffix", ["", ".wav"])
@pytest.mark.parametrize(("on_disk", "in_table"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_accents_may_be_composed_differently(
    here: Path, on_disk: Literal["NFC", "NFD"], in_table: Literal["NFC", "NFD"], suffix: str
) -> None:
    name = "Für Élise"
    tone(here / "recordings" / f"{normalize(on_disk, name)}.wav", 0.05)
    row = normalize(in_table, name) + suffix
    found = folder(here, PLAIN, f"audio,key,split\n{row},C,train\ntwo,D,valid\nthree,E,test\n")
    assert ids_of(found)["train"] == [normalize("NFC", name)]


def test_shares_as_the_readme_writes_them(here: Path) -> None:
    rows = "".join(f"{name},C,group {name}\n" for name in NAMES)
    for number in range(60):
        tone(here / "recordings" / f"{number}.wav", 0.05)
        rows += f"{number},C,group {number}\n"
    expected = ids_of(folder(here, PLAIN, f"audio,key,group\n{rows}"))  # 8:1:1 is the default
    assert [len(ids) for ids in expected.values()] == [49, 8, 6]
    for shares in ("8:1:1", "[8, 1, 1]", "'8:1:1'", "80:10:10", "0.8:.1:0.1"):
        assert ids_of(folder(here, f"{PLAIN}shares: {shares}\n")) == expected
    assert ids_of(folder(here, f"{PLAIN}shares: 1:1:1\n")) != expected


def test_pitches_as_midi_numbers(here: Path) -> None:
    table = "audio,pitch,split\none,60,train\ntwo,69.0,valid\nthree,A#4,test\n"
    tracks = tracks_of(folder(here, PLAIN, table))
    assert [tracks[name].annotations.pitch for name in NAMES] == ["C4", "A4", "A#4"]
    message = refusal(lambda: folder(here, PLAIN, table.replace("60", "128")))
    assert "pitch '128': write letter, accidentals and octave" in message
