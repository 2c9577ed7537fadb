"""Extracts the tunes of music21's corpus into a file that can be read without music21.

Takes about 20 minutes on one core. The only module of the pretraining corpus that imports music21
(the extra `mirprobe[pretrain]`). Repeats are not expanded, tied notes are joined, grace notes are
left out.
"""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirprobe.core.errors import ConfigError
from mirprobe.core.parallel import parallel_map
from mirprobe_tasks.datasets.scores.music21_corpus import corpus_root
from mirprobe_tasks.pretraining_corpus.exclusions import (
    FOLDERS,
    annotated_bwv,
    begins_alike,
    fingerprint,
    is_annotated,
)
from mirprobe_tasks.pretraining_corpus.tunes import TICKS, Tune, Voice, voice, write_tunes

SUFFIXES = frozenset({".abc", ".mxl", ".xml", ".krn"})
_FEWEST = 12  # least notes of the longest voice


@dataclass(frozen=True)
class Extracted:
    """Numbers of tunes by folder of the corpus, of notes, and of excluded tunes by reason."""

    tunes: Counter[str]
    notes: int
    left_out: Counter[str]


def extract(
    output: Path, *, folders: Sequence[str] = FOLDERS, limit: int | None = None, jobs: int = 0
) -> Extracted:
    """Read the corpus, leave out the music of the benchmark's tests, and write the tunes.

    Args:
        output: the file, see `mirprobe_tasks.pretraining_corpus.tunes`.
        folders: of the corpus, among `exclusions.FOLDERS`.
        limit: largest number of files of each folder, for a trial; None for all.
        jobs: processes; 0 for one per core.

    Raises:
        ConfigError: music21 is missing, or a folder must not be used.
        StorageError: the file cannot be written.
    """
    if strange := sorted(set(folders) - set(FOLDERS)):
        raise ConfigError(f"{', '.join(strange)}: must not be used; choose among {FOLDERS}")
    root = corpus_root("pretrain")
    works = annotated_bwv(root)
    known = {
        print_
        for path in _files(root, "bach", None)
        if is_annotated(path, works)
        for tune in read_file(root, path)[0]
        if (print_ := fingerprint(tune.voices[0]))
    }
    paths = [path for folder in folders for path in _files(root, folder, limit)]
    allowed = [path for path in paths if not is_annotated(path, works)]
    left_out: dict[str, str] = dict.fromkeys(set(paths) - set(allowed), "analysed")
    results = parallel_map(
        read_file, [(root, path) for path in allowed], jobs, "reading", unit="file"
    )
    kept: list[Tune] = []
    for tunes, failures in results:
        left_out |= failures
        for tune in tunes:
            if begins_alike(tune, known):
                left_out[tune.id] = "begins as an analysed work"
            else:
                kept.append(tune)
    made_with = f"music21 {importlib.metadata.version('music21')}"
    write_tunes(output, kept, {"source": made_with, "left_out": dict(sorted(left_out.items()))})
    notes = sum(len(line.onsets) for tune in kept for line in tune.voices)
    by_folder = Counter(tune.id.partition("/")[0] for tune in kept)
    return Extracted(by_folder, notes, Counter(left_out.values()))


def read_file(root: Path, path: str) -> tuple[list[Tune], dict[str, str]]:
    """Read the tunes of one file of the corpus; may run in any process.

    Returns:
        The tunes, and id -> reason of those that cannot be read.
    """
    from music21 import converter
    from music21.exceptions21 import Music21Exception

    tunes, failures = [], {}
    for id, source, options in _pieces(root, path):
        # music21's parsers raise many exceptions, such as IndexError and TypeError
        try:
            tune = _tune(id, converter.parse(source, **options))
        except (
            Music21Exception,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            failures[id] = f"not readable: {type(error).__name__}"
            continue
        if tune is None:
            failures[id] = "no melody"
        else:
            tunes.append(tune)
    return tunes, failures


def _files(root: Path, folder: str, limit: int | None) -> list[str]:
    found = sorted(path for path in (root / folder).rglob("*") if path.suffix in SUFFIXES)
    return [path.relative_to(root).as_posix() for path in found[:limit]]


def _pieces(root: Path, path: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """Id, source and parser options of each tune of a file.

    An ABC collection is split at its tune numbers, so that an error affects one tune only.
    """
    if not path.endswith(".abc"):
        return [(path, root / path, {"forceSource": True, "storePickle": False})]
    text = (root / path).read_text(encoding="utf-8", errors="replace")
    _, *tunes = ("\n" + text).split("\nX:")
    named = [(tune.split("\n", 1)[0].strip(), f"X:{tune}\n") for tune in tunes]
    repeated = Counter(number for number, _ in named)
    return [
        (
            path
            if len(named) == 1
            else f"{path}#{number}" + ("" if repeated[number] == 1 else f".{place}"),
            body,
            {"format": "abc"},
        )
        for place, (number, body) in enumerate(named)
    ]


def _tune(id: str, score: Any) -> Tune | None:
    parts = list(getattr(score, "parts", ())) or [score]
    voices = [line for part in parts if len((line := _voice(part)).onsets)]
    if not voices or max(len(line.onsets) for line in voices) < _FEWEST:
        return None
    first = parts[0]
    signatures = {sign.ratioString for sign in first.recurse().getElementsByClass("TimeSignature")}
    keys = list(first.recurse().getElementsByClass("KeySignature"))
    title = (score.metadata.title if score.metadata else None) or ""
    return Tune(
        id="_".join(id.split()),
        title=" ".join(str(title).split()),
        metre=next(iter(signatures)) if len(signatures) == 1 else "",
        pickup=_pickup(first),
        sharps=int(keys[0].sharps) if keys and keys[0].sharps is not None else None,
        mode=str(getattr(keys[0], "mode", None) or "") if keys else "",
        voices=tuple(voices),
    )


def _voice(part: Any) -> Voice:
    notes = []
    for note in part.stripTies().flatten().notes:
        length = round(float(note.duration.quarterLength) * TICKS)
        if length <= 0 or not note.pitches or "Harmony" in note.classes:
            continue  # grace notes, unpitched notes, chord symbols
        notes.append((round(float(note.offset) * TICKS), length, max(p.midi for p in note.pitches)))
    return voice(notes)


def _pickup(part: Any) -> int:
    """Ticks before the first downbeat: the length of the first bar, if it is incomplete."""
    first = part.getElementsByClass("Measure").first()
    if first is None:
        return 0
    length, whole = float(first.highestTime), float(first.barDuration.quarterLength)
    return round(length * TICKS) if 0 < length < whole else 0
