"""Folders and labels for properties of data of a user."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unicodedata import normalize

from hypothesis import strategies as st

from mirprobe.core.schema import SPLITS

PLAIN = st.characters(categories=["L", "M", "N", "P", "S", "Zs"])


# texts are compared in NFC, and so they are read in it
LABEL = (
    st.text(PLAIN, min_size=1, max_size=8)
    .map(lambda text: normalize("NFC", text).strip())
    .filter(bool)
)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "recordings").mkdir()
        yield Path(name)


NAMES = [
    *("one", "Two", "a, b", 'say "hi"', "Für Élise", "x#1", "ß=µ", "日本", "a.b", "in/folder/deep"),
    *("it's", "50%", "sp ace", "$HOME", "-dash", "~tilde", "Ǻ", "NaN", "1e5", "007"),
]


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
