"""A user's own data with anything in them: read as written, or refused in one line."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
import yaml
from helpers.folder_laws import LABEL, cased, folder, rows
from helpers.laws import SCALARS, examples, read_or_refused
from helpers.miniatures import tone, tracks_of
from hypothesis import given
from hypothesis import strategies as st

from mirprobe.core.schema import SPLITS
from mirprobe_tasks.datasets.folder import Folder
from mirprobe_tasks.datasets.folder.description import COLUMNS, LOCAL, Description


@pytest.fixture(scope="module")
def wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone(tmp_path_factory.mktemp("wave") / "a.wav", 0.05)


@examples(120)
@given(rows=rows(), data=st.data())
def test_a_table_is_read_as_it_was_written(
    rows: list[tuple[dict[str, str], dict[str, Any]]], data: st.DataObject, wave: Path
) -> None:
    draw = data.draw
    optional = [name for name in rows[0][0] if name not in ("audio", "split", "valence", "arousal")]
    kept = draw(st.sets(st.sampled_from(optional), min_size=1))
    kept |= draw(st.sampled_from([{"tempo"}, {"valence", "arousal"}]))
    columns = draw(st.permutations(sorted({"audio", "split"} | kept)))
    mapped = draw(st.sets(st.sampled_from(columns)))
    known = {name.lower() for name in COLUMNS}
    others = draw(
        st.lists(
            LABEL.filter(lambda text: text.lower() not in known),
            min_size=len(mapped) + 1,
            max_size=len(mapped) + 1,
            unique_by=str.lower,
        )
    )
    mapping = dict(zip(sorted(mapped), others, strict=False))
    header = [mapping.get(name) or draw(cased(name)) for name in columns] + others[-1:]
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    sink = io.StringIO()
    writer = csv.writer(
        sink,
        delimiter=delimiter,
        quoting=draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])),
        lineterminator=draw(st.sampled_from(["\n", "\r\n"])),
    )
    writer.writerow(header)
    for cells, _ in rows:
        if draw(st.booleans()):
            writer.writerow([])
        writer.writerow([*(cells[name] for name in columns), "unused"])
    with folder() as here:
        for _, meaning in rows:
            form = draw(st.sampled_from(["NFC", "NFD"]))
            path = here / "recordings" / f"{normalize(form, meaning['name'])}.wav"  # type: ignore[arg-type]
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(wave, path)
        mark = draw(st.sampled_from(["", "\ufeff"]))
        (here / "labels.csv").write_bytes((mark + sink.getvalue()).encode())
        description: dict[str, Any] = {"audio": "recordings", "table": "labels.csv"}
        if delimiter != ",":
            description["delimiter"] = delimiter
        if mapping:
            description["columns"] = mapping
        (here / "my.yaml").write_text(yaml.safe_dump(description, allow_unicode=True))
        found = Folder(here, config=str(here / "my.yaml"))
        annotated = [field for field in ("key", "tempo", "pitch", "genre", "tags") if field in kept]
        for split in SPLITS:
            wanted = [meaning for _, meaning in rows if meaning["split"] == split]
            assert len(found.splits()[split]) == len(wanted)
            for track, meaning in zip(found.splits()[split], wanted, strict=True):
                assert track.audio.is_file()
                if "id" in kept:
                    assert track.id == meaning["id"]
                assert normalize("NFC", track.audio.stem) == normalize(
                    "NFC", Path(meaning["name"]).name + ".wav"
                ).removesuffix(".wav")
                for field in annotated:
                    read = getattr(track.annotations, field)
                    if field == "pitch":
                        read = midi_of(read)
                    assert read == meaning[field], field
                if "valence" in kept:
                    assert track.annotations.emotion == meaning["emotion"]
                if "start" in kept:
                    assert track.start == meaning["start"]
                if "stop" in kept:
                    assert track.stop == meaning["stop"]


def midi_of(note: str) -> int:
    from mirprobe.metrics.pitch import midi_number

    return midi_number(note)


CELL = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *("one", ".", "..", "/", "one/", "./one", "~", "x" * 300, "a/" * 3000, "\0", "one\0"),
            *('"', '"a', "a\nb", "1_0", "nan", "inf", "-inf", "1e999", "0x10", "9" * 5000, "١٢"),
            *("train", "valid", "test", "1", "0", "yes", "C major", "-1", "60", "1e-320"),
        ]
    ),
)


@examples(150)
@given(
    header=st.lists(
        st.one_of(st.sampled_from(COLUMNS), CELL), min_size=2, max_size=8, unique=True
    ).map(lambda names: ["audio", *(name for name in names if name != "audio")]),
    cells=st.lists(st.lists(CELL, min_size=8, max_size=8), max_size=4),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONE]),
)
def test_a_table_of_anything(
    header: list[str], cells: list[list[str]], quoting: int, wave: Path
) -> None:
    with folder() as here:
        for name in ("one", "two"):
            shutil.copyfile(wave, here / "recordings" / f"{name}.wav")
        quote = '"' if quoting == csv.QUOTE_ALL else ""
        lines = [
            ",".join(f"{quote}{cell}{quote}" for cell in row[: len(header)]) + "\n"
            for row in (header, *cells)
        ]
        (here / "labels.csv").write_bytes("".join(lines).encode("utf-8", "surrogatepass"))
        (here / "my.yaml").write_text("audio: recordings\ntable: labels.csv\n")
        read_or_refused(lambda: Folder(here, config=str(here / "my.yaml")), "my.yaml", "labels.csv")


VALUE = st.recursive(
    st.one_of(
        SCALARS,
        st.sampled_from(
            [
                *("recordings", "labels.csv", "labels.parquet", ".", "..", "/", "x" * 300, "\0"),
                *("one", ".lab", "/.lab", "../x.lab", "8:1:1", "1:2:", ",", '"', "\n", "train"),
                *("chords", "segment_salami_upper", "segment_open#2", "a#b", "tag_open#0"),
            ]
        ),
        st.sampled_from(COLUMNS),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(COLUMNS), st.text(max_size=4), st.integers()),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)
FIELDS = [name for name in Description.__dataclass_fields__ if name != "path"]
GOOD = "audio,key,split\none,C major,train\ntwo,D major,valid\nthree,E major,test\n"


def described(here: Path, content: str | bytes, wave: Path) -> Folder | str:
    for name in ("one", "two", "three"):
        shutil.copyfile(wave, here / "recordings" / f"{name}.wav")
    (here / "labels.csv").write_text(GOOD)
    path = here / "my.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_or_refused(lambda: Folder(here, config=str(path)), "my.yaml", "labels.csv")


NEAR: Mapping[str, st.SearchStrategy[Any]] = {
    "columns": st.dictionaries(
        st.sampled_from(COLUMNS), st.sampled_from(["audio", "key", ["key"]])
    ),
    "beside": st.dictionaries(st.sampled_from(LOCAL), st.text(max_size=4)),
    "labels": st.dictionaries(st.sampled_from(["tags", "genre"]), st.lists(VALUE, max_size=2)),
    "jams": st.dictionaries(st.sampled_from(["chords", "tags", "beats"]), VALUE, max_size=2),
    "shares": st.lists(VALUE, min_size=3, max_size=3),
    "delimiter": st.characters(),
    "separator": st.characters(),
}


@examples(150)
@given(
    values=st.lists(st.sampled_from(FIELDS), max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries(
            {name: st.one_of(NEAR.get(name, VALUE), VALUE) for name in names}
        )
    )
)
def test_a_description_of_anything(values: dict[str, Any], wave: Path) -> None:
    with folder() as here:
        base = {"audio": "recordings", "table": "labels.csv"}
        described(here, yaml.safe_dump({**base, **values}, allow_unicode=True), wave)


@examples(80)
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.text("{}[]:,-#&*!|>'\"%@`?<=~ \nab01.", max_size=40).map(
            lambda text: b"audio: recordings\ntable: labels.csv\n" + text.encode()
        ),
    )
)
def test_a_description_of_any_text(content: bytes, wave: Path) -> None:
    with folder() as here:
        described(here, content, wave)


@examples(60)
@given(data=st.data())
def test_a_folder_tree(data: st.DataObject, wave: Path) -> None:
    """Every audio file below the folder is a track, once; other files are none."""
    draw = data.draw
    part = st.sampled_from(["a", "B b", "ü", "train", "Test", "x.y", "日", "n\nl", "c.wav"])
    ending = st.sampled_from([".wav", ".WAV", ".aifc", ".txt", "", ".lab", ".m4a"])
    with folder() as here:
        root = here / "recordings"
        files: set[Path] = set()
        for _ in range(draw(st.integers(1, 8))):
            *parents, stem = draw(st.lists(part, min_size=1, max_size=3))
            place = root.joinpath(*parents, stem + draw(ending))
            if place.exists() or any(up.is_file() for up in place.parents):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(wave, place)
            files.add(place)
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        for number in range(draw(st.integers(0, 2))):
            link = draw(st.sampled_from(folders)) / f"link{number}"
            aim = draw(st.sampled_from([*folders, *sorted(files), here / "nowhere", link]))
            link.symlink_to(aim)
        audio = {path for path in files if path.suffix.lower() in (".wav", ".aifc")}
        (here / "my.yaml").write_text("audio: recordings\nbeside: {keys: .k}\n")
        for path in audio:
            path.with_name(path.stem + ".k").write_text("0 0.05 C:major")
        found = read_or_refused(lambda: Folder(here, config=str(here / "my.yaml")), "my.yaml")
        if isinstance(found, Folder):
            read = [os.path.realpath(track.audio) for track in tracks_of(found).values()]
            assert sorted(read) == sorted(os.path.realpath(path) for path in audio)
            for split in SPLITS:
                for track in found.splits()[split]:
                    assert track.annotations.keys is not None
