"""A user's own data with anything in them: read as written, or refused in one line."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
import yaml
from helpers.laws import SCALARS, examples, read_or_refused
from helpers.miniatures import tone, tracks_of
from hypothesis import given
from hypothesis import strategies as st

from mirprobe.core.schema import SPLITS
from mirprobe_tasks.datasets.folder import Folder
from mirprobe_tasks.datasets.folder.description import COLUMNS, LOCAL, Description
from mirprobe_tasks.datasets.folder.local import read_local

NAMES = [
    *("one", "Two", "a, b", 'say "hi"', "Für Élise", "x#1", "ß=µ", "日本", "a.b", "in/folder/deep"),
    *("it's", "50%", "sp ace", "$HOME", "-dash", "~tilde", "Ǻ", "NaN", "1e5", "007"),
]
PLAIN = st.characters(categories=["L", "M", "N", "P", "S", "Zs"])
# texts are compared in NFC, and so they are read in it
LABEL = (
    st.text(PLAIN, min_size=1, max_size=8)
    .map(lambda text: normalize("NFC", text).strip())
    .filter(bool)
)
KEYS = {
    **{"C major": "C major", "Db:minor": "C# minor", "F#m": "F# minor", "G": "G major"},
    **{"bb minor": "A# minor", "E:maj": "E major", "A mixolydian": "A other", "unknown": "X"},
}
SYNONYMS = {
    "train": ("train", "training", "tr"),
    "valid": ("valid", "validation", "val", "dev", "development"),
    "test": ("test", "testing", "te", "eval", "evaluation"),
}
KINDS = {"key": "key", "tempo": "tempo", "pitch": "pitch", "genre": "genre", "emotion": "emotion"}


@pytest.fixture(scope="module")
def wave(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tone(tmp_path_factory.mktemp("wave") / "a.wav", 0.05)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "recordings").mkdir()
        yield Path(name)


def number(value: float) -> st.SearchStrategy[str]:
    """Spellings of a number."""
    spellings = [str(value), f"{value:.6f}", f"{value:e}", f" {value} ", f"{value!r}"]
    if value >= 0:
        spellings += [f"+{value}", f"0{value}"]
    if value == int(value):
        spellings += [str(int(value)), f"{int(value)}."]
    return st.sampled_from(spellings)


@st.composite
def cased(draw: st.DrawFn, word: str) -> str:
    return draw(st.sampled_from([word, word.upper(), word.title(), word.swapcase()]))


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[dict[str, str], dict[str, Any]]]:
    """Cells of each row, and what they mean."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=3, max_size=6, unique=True))
    found = []
    for place, name in enumerate(names):
        split = SPLITS[place % 3]
        suffix = draw(st.sampled_from(["", ".wav"]))
        form = draw(st.sampled_from(["NFC", "NFD"]))
        key = draw(st.sampled_from(["", *KEYS]))
        tempo = draw(st.sampled_from([0.5, 60.0, 120.25, 90.0]))
        midi = draw(st.integers(0, 127))
        moods = draw(st.tuples(*2 * [st.sampled_from([-1.0, 0.0, 0.125, 7.0])]))
        genre = draw(st.one_of(st.just(""), LABEL))
        tags = draw(st.lists(LABEL.filter(lambda text: ";" not in text), max_size=3))
        start = draw(st.sampled_from([0.0, 0.01]))
        stop = draw(st.sampled_from([None, 0.05, 0.03]))
        cells = {
            "audio": normalize(form, name) + suffix,  # type: ignore[arg-type]
            "split": draw(cased(draw(st.sampled_from(SYNONYMS[split])))),
            "key": key,
            "tempo": draw(number(tempo)),
            "pitch": draw(st.sampled_from([str(midi), f"{midi}.0", f" {midi}"])),
            "valence": draw(number(moods[0])),
            "arousal": draw(number(moods[1])),
            "genre": genre,
            "tags": draw(st.sampled_from([";", " ; ", ";;"])).join(tags),
            "start": "" if start == 0 else draw(number(start)),
            "stop": "" if stop is None else draw(number(stop)),
            "id": draw(st.sampled_from(["", f"id {place}", f"{place}"])),
        }
        meaning = {
            "name": name,
            "split": split,
            "key": KEYS.get(key),
            "tempo": tempo,
            "pitch": midi,
            "emotion": moods,
            "genre": genre.strip() or None,
            "tags": dict.fromkeys((tag.strip() for tag in tags if tag.strip()), 1.0),
            "start": start,
            "stop": stop,
            "id": cells["id"] or normalize("NFC", name),
        }
        found.append((cells, meaning))
    return found


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


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMESPACES = [
    *("chord", "chord_harte", "beat", "beat_position", "key_mode", "tempo", "onset"),
    *("mood_thayer", "segment_open", "segment_salami_upper", "tag_open", "tag_gtzan", "other"),
]
OBSERVATION = st.fixed_dictionaries(
    {},
    optional={
        "time": st.one_of(st.floats(0, 9), JSON),
        "duration": st.one_of(st.floats(0, 9), JSON),
        "value": st.one_of(st.sampled_from(["C:maj", 1, 2.0, "G:minor", [0.5, 1], 120]), JSON),
        "confidence": st.one_of(st.none(), st.floats(), JSON),
    },
)


@examples(150)
@given(
    annotations=st.lists(
        st.fixed_dictionaries(
            {"namespace": st.sampled_from(NAMESPACES), "data": st.lists(OBSERVATION, max_size=3)}
        ),
        max_size=3,
    ),
    chosen=st.dictionaries(
        st.sampled_from(["chords", "tags", "sections"]),
        st.tuples(st.sampled_from(NAMESPACES), st.integers(1, 3)),
        max_size=1,
    ),
)
def test_jams_of_anything(annotations: Any, chosen: Mapping[str, tuple[str, int]]) -> None:
    with folder() as here:
        (here / "a.jams").write_text(json.dumps({"annotations": annotations}))
        try:
            read = read_local("jams", here / "a.jams", chosen)
        except ValueError:
            return
        for value in read.values():
            assert "None" not in getattr(value, "labels", value if isinstance(value, dict) else ())


@examples(60)
@given(
    tags=st.lists(
        st.tuples(LABEL, st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))), max_size=4
    ),
    beats=st.lists(st.integers(0, 90), unique=True, min_size=1, max_size=6).map(sorted),
    copies=st.integers(1, 3),
)
def test_jams_are_read_as_they_were_written(
    tags: list[tuple[str, float | None]], beats: list[int], copies: int
) -> None:
    def data(rows: list[tuple[float, Any, float | None]]) -> list[dict[str, Any]]:
        return [
            {"time": time, "duration": 0.0, "value": value, "confidence": confidence}
            for time, value, confidence in rows
        ]

    listed = [
        {"namespace": "tag_open", "data": data([(0.0, tag, sure) for tag, sure in tags])},
        *copies
        * [
            {
                "namespace": "beat",
                "data": data([(t / 10, n % 4 + 1, 1) for n, t in enumerate(beats)]),
            }
        ],
    ]
    with folder() as here:
        (here / "a.jams").write_text(json.dumps({"annotations": listed}))
        read = read_local("jams", here / "a.jams")
    np.testing.assert_array_equal(read["beats"].times, np.array(beats) / 10)
    np.testing.assert_array_equal(read["beats"].positions, np.arange(len(beats)) % 4 + 1)
    applies = {tag for tag, sure in tags if sure is None or sure >= 0.5}
    assert set(read.get("tags", {})) == applies


LINE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("0 1 C:maj", "1 2 N", "0\t1\tA", "0.5 1", "1.0 2", "nan 1 N", "0 inf N", "1e999 1"),
            *("0 1 G:major", f"3 {'9' * 30}", "3 " + "9" * 5000, "1_0 1_1 N", "# x", "", "-1"),
        ]
    ),
)


@examples(150)
@given(kind=st.sampled_from(LOCAL), lines=st.lists(LINE, max_size=4))
def test_annotation_files_of_anything(kind: str, lines: list[str]) -> None:
    with folder() as here:
        path = here / "a.lab"
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        try:
            read = read_local(kind, path)
        except ValueError:
            return
        for value in read.values():
            times = getattr(value, "intervals", getattr(value, "times", None))
            assert times is None or np.isfinite(times).all()
