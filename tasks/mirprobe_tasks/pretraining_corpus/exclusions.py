"""Excludes all music of the benchmark's tests from pretraining.

The rules for music21's corpus:

1. Only the folders of `FOLDERS` are read. Monteverdi, whose madrigals have Roman-numeral analyses,
   is not among them, nor are composers whose works are annotated in other harmony data sets
   (Beethoven, Mozart, Haydn, Schubert, Schumann, Chopin, Corelli).
2. Of Bach, every file of a work with a Roman-numeral analysis is excluded. The analyses
   (`bach/choraleAnalyses/*.rntxt`) give the BWV number. `ANNOTATED` has those of music21 10.5; the
   analyses of a later corpus are read too. A file that names the cantata without the movement
   counts as the annotated movement.
3. A piece of any folder is excluded if one of its voices begins as the top voice of an annotated
   work (`FINGERPRINT` intervals), such as a chorale under another number or a hymn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mirprobe_tasks.pretraining_corpus.tunes import Tune, Voice

FOLDERS = (
    "essenFolksong",
    "oneills1850",
    "airdsAirs",
    "ryansMammoth",
    "nottingham-dataset",
    "miscFolk",
    "bach",
    "trecento",
    "palestrina",
)
"""Folders of music21's corpus with the tunes."""

_CANTATAS = (
    "17.7",
    "33.6",
    "38.6",
    "40.8",
    "41.6",
    "65.2",
    "86.6",
    "145.5",
    "153.1",
    "184.5",
    "248.12",
)
_CHORALES = ("267", "269", "277", "281", "302", "311", "318", "347", "351")
ANNOTATED = frozenset((*_CANTATAS, *_CHORALES))
"""BWV numbers with a Roman-numeral analysis in music21 10.5: Riemenschneider 1 to 20."""

PACKAGES = ("fretsonfire", "planetblupi")
"""Prefixes of the names of Debian packages that are never downloaded."""

FINGERPRINT = 12
"""Number of intervals that identify the beginning of a melody in any key."""

_BWV = re.compile(r"(\d+)(?:\(\d+\))?(?:\.(\d+))?")
_STUDIO = re.compile(
    r"(?:^|[/ !])(?:\d\.\d+-)?(?:train|valid|test)-\d{4,}(?:-[0-9a-f]{8}\.flac)?(?:$|[ !])"
)
_TUNE = re.compile(r"^tune (\S+)")


def annotated_bwv(corpus: Path) -> frozenset[str]:
    """The BWV numbers of `ANNOTATED` and of all analyses in a corpus folder."""
    found = set(ANNOTATED)
    for path in sorted((corpus / "bach").rglob("*.rntxt")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("BWV:"):
                found.add(_bwv(line.removeprefix("BWV:").strip()))
    return frozenset(found)


def is_annotated(file: str, works: frozenset[str] = ANNOTATED) -> bool:
    """Whether a path in the corpus, such as `"bach/bwv17.7.mxl"`, is of an annotated work."""
    folder, _, name = file.partition("/")
    if folder == "monteverdi" or name.split("#")[0].endswith(".rntxt"):
        return True
    if folder != "bach" or not name.lower().startswith("bwv"):
        return False
    number = _bwv(name[3:])
    cantatas = {work.partition(".")[0] for work in works}
    return number in works or ("." not in number and number in cantatas)


def fingerprint(voice: Voice) -> tuple[int, ...]:
    """The first intervals of a voice in semitones; empty if it has too few notes."""
    intervals = np.diff(voice.pitches[: FINGERPRINT + 1])
    return tuple(intervals.tolist()) if len(intervals) == FINGERPRINT else ()


def begins_alike(tune: Tune, known: Iterable[tuple[int, ...]]) -> bool:
    """Whether a voice of the tune has one of the fingerprints."""
    prints = {fingerprint(line) for line in tune.voices} - {()}
    return not prints.isdisjoint(known)


def exclusion_reason(id: str, source: str) -> str | None:
    """Why a track must not be in a bank for pretraining; None if it may be.

    Args:
        id: of the track.
        source: of the track in the bank: a path, or `"tune FILE ..."` for a rendering.
    """
    if _STUDIO.search(id) or _STUDIO.search(source) or "studio/" in source:
        return "a piece of studio, which is in the benchmark's tests"
    for name in PACKAGES:
        if name in source:
            return f"from {name}, which is never used"
    if "monteverdi/" in source or ".rntxt" in source:
        return "a work with a Roman-numeral analysis"
    if tune := _TUNE.match(source):
        file = tune[1]
        if is_annotated(file):
            return "a work with a Roman-numeral analysis"
        if file.partition("/")[0] not in FOLDERS:
            return (
                f"from a folder of the corpus that must not be used (allowed: {', '.join(FOLDERS)})"
            )
    return None


def _bwv(text: str) -> str:
    """`"248(2).12"`, `"248.12-2"` and `"41.6s"` as `"248.12"` and `"41.6"`."""
    match = _BWV.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a BWV number")
    return match[1] + (f".{match[2]}" if match[2] else "")
