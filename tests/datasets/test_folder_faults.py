"""Faults in a user's own data: all in one line, with file and row."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from helpers.miniatures import refusal, text, tone

from mirprobe.api.registry import DATASETS
from mirprobe_tasks.datasets.folder import Folder

PLAIN = "audio: recordings\ntable: labels.csv\n"
GOOD = "audio,key,split\none,C major,train\ntwo,D major,valid\nthree,E major,test\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("one", "two", "three"):
        tone(tmp_path / "recordings" / f"{name}.wav", 0.05)
    text(tmp_path / "labels.csv", GOOD)
    text(tmp_path / "my.yaml", PLAIN)
    return tmp_path


def faults(here: Path, description: str = PLAIN, table: str | None = None) -> list[str]:
    """The faults that the error lists, without the name of the description."""
    path = text(here / "my.yaml", description)
    if table is not None:
        text(here / "labels.csv", table)
    message = refusal(lambda: Folder(here, config=str(path)))
    assert message.startswith(f"{path}: ")
    count, *listed = re.split(r" ?\(\d+\) ", message.removeprefix(f"{path}: "))
    if not listed:
        return [count]
    assert count == f"{len(listed)} faults:"
    return listed


def test_no_description(tmp_path: Path) -> None:
    assert refusal(lambda: DATASETS.create("folder", root=tmp_path)) == (
        "data set 'folder': describe them in a YAML file, at least `audio: FOLDER`, and name it: "
        "folder:my.yaml"
    )
    path = tmp_path / "my.yaml"
    assert refusal(lambda: Folder(tmp_path, config=str(path))).startswith(f"{path}: no such file")
    for content in ("a: [", "\t- x", "\x00"):
        text(path, content)
        message = refusal(lambda: Folder(tmp_path, config=str(path)))
        assert message.startswith(f"{path}: cannot be read as YAML")
    for content in ("", "just text", "- a\n- b"):
        text(path, content)
        message = refusal(lambda: Folder(tmp_path, config=str(path)))
        assert message == f"{path}: must hold `key: value` lines, at least `audio: FOLDER`"


def test_all_faults_of_the_description(here: Path) -> None:
    found = faults(
        here,
        "audoi: recordings\ntable: nowhere.csv\ncolumns: [a]\nbeside: {chord: .lab}\nseed: x\n"
        "trim: -1\nshares: [8, 1]\ndelimiter: ';;'\nseparator: 12\nlabels: {key: [a]}\n",
    )
    assert found == [
        "my.yaml: unknown key 'audoi'; did you mean 'audio'?",
        "my.yaml: 'columns' is ['a']; it takes a mapping such as {key: Key, split: Set}",
        "my.yaml: 'beside' is {'chord': '.lab'}; it takes no 'chord'; did you mean 'chords'?",
        "my.yaml: 'seed' is 'x'; it takes a whole number",
        "my.yaml: 'trim' is '-1'; it takes seconds",
        "my.yaml: 'shares' is ['8', '1']; it takes three positive numbers such as [8, 1, 1] or "
        "8:1:1",
        "my.yaml: 'delimiter' is ';;'; it takes one character, no quote or line break",
        "my.yaml: 'separator' is '12'; it takes one character, no quote or line break",
        "my.yaml: 'labels' is {'key': ['a']}; it takes no 'key'; known: genre, instrument, tags",
        "my.yaml: has no 'audio'; name the folder of your audio files",
        f"my.yaml: 'table': there is no file {here / 'nowhere.csv'}",
    ]


@pytest.mark.parametrize(
    ("description", "fault"),
    [
        ("audio: nowhere", "'audio': there is no folder"),
        ("audio: [a]", "'audio' is ['a']; it takes a name"),
        (
            "audio: recordings\ntable: labels.xls",
            "it takes a file ending in .csv, .tsv or .parquet",
        ),
        ("audio: recordings\ncolumns: {key: Key}", "'columns' needs a 'table'"),
        (PLAIN + "columns: {kye: Key}", "it takes no 'kye'; did you mean 'key'?"),
        (PLAIN + "columns: {key: [a]}", "it takes a name of a column for 'key'"),
        (PLAIN + "columns: {tags: [a, a]}", "it takes a list of different labels"),
        (PLAIN + "beside: {chords: [a]}", "it takes an ending such as .lab for 'chords'"),
        (PLAIN + "beside: {chords: ../x.lab}", "of a file beside the audio"),
        (PLAIN + "audio: elsewhere", "line 1: 'audio' is given twice); correct it"),
        (PLAIN + "delimiter: '\"'", "it takes one character, no quote"),
        (PLAIN + "jams: {section: segment_open}", "it takes a namespace of 'section'"),
        (PLAIN + "jams: {sections: segment_salami_uper}", "it takes a namespace of 'sections'"),
        (f"audio: {'x' * 300}", "'audio': there is no folder"),
        (PLAIN + "beside: {chords: .lab, sections: .lab}", "it takes a different ending for each"),
        (PLAIN + "labels: {tags: []}", "it takes a list of different labels"),
        (PLAIN + "shares: [1, 0, 1]", "it takes three positive numbers"),
        (PLAIN + "seed: true", "it takes a whole number"),
        (PLAIN + "trim: .inf", "it takes seconds"),
    ],
)
def test_a_fault_of_the_description(here: Path, description: str, fault: str) -> None:
    found = faults(here, description)
    assert len(found) == 1
    assert fault in found[0]


def test_all_faults_of_the_table_with_their_rows(here: Path) -> None:
    table = (
        "audio,id,key,tempo,pitch,valence,arousal,split,group,start,stop\n"
        "one,1,H major,fast,X9,1,,train,A,,\n"
        "\n"
        "two,1,,-3,,high,0.5,held,B,,\n"
        "nowhere,3,,,,,,test,A,,\n"
        "three,4,,,,,,,C,2,1\n"
        "one,5\n"
    )
    assert faults(here, table=table) == [
        "labels.csv row 7: has 2 fields, the header 11; quote what holds a ','",
        "labels.csv row 2: key 'H major': write tonic and mode such as \"C# minor\"",
        "labels.csv row 2: tempo 'fast': write beats per minute, a number above 0",
        "labels.csv row 2: pitch 'X9': write letter, accidentals and octave such as \"A#4\", "
        "or a MIDI number from 0 to 127",
        "labels.csv row 2: has only one of valence and arousal; give both or neither",
        "labels.csv row 4: split 'held' is not train, valid or test; see columns.split",
        "labels.csv row 4: tempo '-3': write beats per minute, a number above 0",
        "labels.csv row 4: valence 'high': write a number",
        f"labels.csv row 5: audio 'nowhere' is not in {here / 'recordings'}",
        "labels.csv row 6: split '' is not train, valid or test; see columns.split",
        "labels.csv row 6: lasts from 2.0 to 1.0 s; stop must come after start",
        "my.yaml: split 'valid' is empty; give it tracks",
        "labels.csv row 4: id '1' is also that of labels.csv row 2; rename one",
    ]


def test_faults_of_one_kind_share_a_line(here: Path) -> None:
    rows = "".join(f"missing{number},C major\n" for number in range(50))
    text(here / "labels.csv", "audio,key\n" + rows + "one,H\ntwo,H\nthree,H\none.wav,H\n")
    message = refusal(lambda: Folder(here, config=str(here / "my.yaml")))
    assert message.startswith(
        f"{here / 'my.yaml'}: 55 faults: (1) labels.csv rows 2, 3, 4 and 47 more: the first: audio "
        "'missing0'"
    )
    assert "(2) labels.csv rows 52, 53, 54 and 1 more: " in message
    assert "the first" not in message.partition("(2)")[2].partition("(3)")[0]


@pytest.mark.parametrize("delimiter", [";", "|", "\t"])
def test_another_delimiter_is_suggested(here: Path, delimiter: str) -> None:
    text(here / "labels.csv", GOOD.replace(",", delimiter))
    message = refusal(lambda: Folder(here, config=str(here / "my.yaml")))
    assert message.endswith(f"write `delimiter: {delimiter!r}` in the description")


def test_a_group_in_two_splits(here: Path) -> None:
    table = "audio,key,split,group\none,X,train,Ann\ntwo,,valid,Ann\nthree,,test,Ann\n"
    assert faults(here, table=table) == [
        "labels.csv row 3: group 'Ann' is in valid here and in train in labels.csv row 2; keep it "
        "in one split",
        "labels.csv row 4: group 'Ann' is in test here and in train in labels.csv row 2; keep it "
        "in one split",
    ]


def test_columns_that_are_not_there(here: Path) -> None:
    columns = "columns: {audio: audio, key: keys, group: Artist, tags: [slow, split]}"
    assert faults(here, PLAIN + columns) == [
        "my.yaml: 'columns': labels.csv has no column 'keys'; did you mean 'key'?",
        "my.yaml: 'columns': labels.csv has no column 'Artist'; known: audio, key, split",
        "my.yaml: 'columns': labels.csv has no column 'slow'; known: audio, key, split",
        "labels.csv row 2: tag 'split' is 'train'; write 1 or 0",
        "labels.csv row 3: tag 'split' is 'valid'; write 1 or 0",
        "labels.csv row 4: tag 'split' is 'test'; write 1 or 0",
    ]
    assert "labels.csv has no column 'file'" in faults(here, PLAIN + "columns: {audio: file}")[0]
    assert (
        "no column of labels.csv is known to name the audio files"
        in (faults(here, PLAIN, "file,key\none,C major\n")[0])
    )


def test_labels_and_tags(here: Path) -> None:
    table = (
        "audio,genre,tags,loud,split\none,rok,slow;fsat,1,train\ntwo,rock,,maybe,valid\n"
        "three,,,,test\n"
    )
    labels = "labels: {genre: [rock, pop], tags: [slow, fast]}\n"
    assert faults(here, PLAIN + labels, table) == [
        "labels.csv row 2: tags 'fsat' is not among the 'labels'; did you mean 'fast'?",
        "labels.csv row 2: genre 'rok' is not among the 'labels'; did you mean 'rock'?",
    ]
    columns = "columns: {audio: audio, split: split, tags: [loud]}"
    assert faults(here, PLAIN + columns) == [
        "my.yaml: 'columns': tags is read from 'loud', but labels.csv has a column 'tags' too; "
        "rename or remove it",
        "labels.csv row 3: tag 'loud' is 'maybe'; write 1 or 0",
    ]


def test_no_annotation_at_all(here: Path) -> None:
    found = faults(here, table="audio,split\none,train\ntwo,valid\nthree,test\n")
    assert [line.startswith("no track has any annotation; map") for line in found] == [True]
    found = faults(here, "audio: recordings")
    assert found[0].startswith("no track has any annotation; map")
    (here / "empty").mkdir()
    assert "holds no audio file (.wav, .wave" in faults(here, "audio: empty")[0]


def test_audio_that_is_ambiguous_or_foreign(here: Path) -> None:
    tone(here / "recordings" / "one.flac", 0.05)
    text(here / "recordings" / "four.m4a", "x")
    found = faults(here, table=GOOD + "four,C major,test\nfour.m4a,C major,test\n")
    assert found == [
        "labels.csv row 2: audio 'one' is one of 2 files; write the suffix too",
        "labels.csv row 5: audio 'four' is of a kind that is not read; convert it to FLAC",
        "labels.csv row 6: audio 'four.m4a' is of a kind that is not read; convert it to FLAC",
    ]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "labels.csv: has no rows; add one for each track"),
        ("audio,key\n", "labels.csv: has no rows; add one for each track"),
        ("audio,key,key\none,a,b\n", "labels.csv: has two columns 'key'; rename one"),
        ("\udcff", "labels.csv: cannot be read ('utf-8' codec"),
        ('audio,key\none,"C major\x00"\n', ""),
    ],
)
def test_a_table_as_a_whole(here: Path, content: str, fault: str) -> None:
    (here / "labels.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert fault in refusal(lambda: Folder(here, config=str(here / "my.yaml")))


def test_parquet_that_cannot_be_read(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text(here / "labels.parquet", "no parquet")
    text(here / "my.yaml", "audio: recordings\ntable: labels.parquet")
    message = refusal(lambda: Folder(here, config=str(here / "my.yaml")))
    assert message.startswith(f"{here / 'labels.parquet'}: cannot be read as Parquet")
    for name in ("pyarrow", "fastparquet"):
        monkeypatch.setitem(sys.modules, name, None)
    message = refusal(lambda: Folder(here, config=str(here / "my.yaml")))
    assert "Parquet needs pyarrow; `pip install mirprobe[parquet]`, or save it as CSV" in message


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("one.lab", "0 1", "line 1: write start, end and label"),
        ("one.lab", "0 1 C:maj\n1 x N", "line 2: write start, end and label"),
        ("one.lab", "0 1 verse", 'line 1: cannot read chord "verse"'),
        ("one.lab", "0 1 verse", "`beside: {sections: .lab}`"),
        ("one.lab", "0 2 C:maj\n1 3 N", "chord 1 from 1.000 to 3.000 s must start at"),
        ("one.lab", "0 2 C:maj\n-1 0 N", "chord 1 from -1.000 to 0.000 s must start at"),
        ("one.lab", "", "0 chord labels"),
        ("one.beats", "0.5\nx", "line 2: write a time"),
        ("one.beats", "0.5 1.5", "line 1: write a time"),
        ("one.beats", "0.5 1 1", "line 1: write a time"),
        ("one.beats", "0.5 1\n1.0", "2 beats have 1 positions in the bar; give all or none"),
        ("one.beats", "0.5 0", "a position in the bar is below 1; count from 1, the downbeat"),
        ("one.beats", "1.0\n0.5", "beat 1 at 0.500 s must come after the one before it"),
        ("one.beats", f"0.5 {'9' * 30}", "a position in the bar is above 1000"),
        ("one.beats", "inf", "line 1: write a time"),
        ("one.lab", "0 inf N", "line 1: write start, end and label"),
        ("one.beats", "\udcff", "is not text in UTF-8"),
        ("one.jams", "[" * 100_000, "is no JAMS file (RecursionError"),
        ("one.jams", "{", "is no JAMS file (JSONDecodeError"),
        ("one.jams", "[]", "is no JAMS file (TypeError"),
        ("one.jams", "{}", "is no JAMS file (KeyError: 'annotations')"),
    ],
)
def test_annotation_files(here: Path, name: str, content: str, fault: str) -> None:
    path = here / "recordings" / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    message = refusal(lambda: Folder(here, config=str(here / "my.yaml")))
    assert message.startswith(f"{here / 'my.yaml'}: recordings/{name}: ")
    assert fault in message


def test_a_file_that_is_named_but_missing(here: Path) -> None:
    table = "audio,chords,split\none,one.lab,train\ntwo,,valid\nthree,,test\n"
    assert f"labels.csv row 2: chords 'one.lab' is not in {here}" in faults(here, table=table)


def test_a_field_that_is_given_twice(here: Path) -> None:
    text(
        here / "recordings" / "one.jams",
        '{"annotations": [{"namespace": "key_mode", "data": '
        '[{"time": 0, "duration": 1, "value": "D:minor", "confidence": null}]}]}',
    )
    assert faults(here) == [
        "labels.csv row 2: has key already, and again in recordings/one.jams; remove one of them"
    ]
