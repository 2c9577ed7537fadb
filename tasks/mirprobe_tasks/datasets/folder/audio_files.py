"""The audio files below a folder."""

from __future__ import annotations

import logging
from collections import Counter
from os import walk
from pathlib import Path, PurePath
from unicodedata import normalize

from mirprobe.api.dataset import is_text
from mirprobe_tasks.datasets.folder.faults import Faults

log = logging.getLogger(__name__)

AUDIO = (
    *(".wav", ".wave", ".bwf", ".flac", ".mp3", ".ogg", ".oga", ".opus"),
    *(".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64"),
)
"""Suffixes of audio files."""

FOREIGN = (
    *(".m4a", ".m4b", ".aac", ".mp4", ".wma", ".wv", ".ape", ".tta", ".mpc", ".spx", ".amr"),
    *(".mp1", ".mp2", ".voc", ".sph", ".nist", ".avr", ".paf", ".pvf", ".svx", ".ircam"),
)
"""Suffixes of audio files that libsndfile cannot decode, or whose length cannot be checked."""


def audio_files(folder: Path, faults: Faults) -> dict[str, list[Path]]:
    """Relative path without suffix -> audio files below a folder, sorted.

    Links to folders are followed, each folder once. Files of other kinds are counted in the log.
    """
    found: dict[str, list[Path]] = {}
    others: Counter[str] = Counter()
    known: set[Path] = set()

    def refuse(error: OSError) -> None:
        faults.add(f"cannot be read ({error.strerror}); check its permissions", str(error.filename))

    for parent, folders, names in walk(folder, onerror=refuse, followlinks=True):
        real = Path(parent).resolve()
        shown = [name for name in folders if not name.startswith(".")]
        folders[:] = [] if real in known else sorted(shown)
        if real in known:
            continue
        known.add(real)
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if not is_text(str(path)):
                faults.add("its name is not one line of text in UTF-8; rename it", repr(str(path)))
            elif path.suffix.lower() in AUDIO + FOREIGN:
                found.setdefault(path_key(path.relative_to(folder).with_suffix("")), []).append(
                    path
                )
            else:
                others[path.suffix.lower() or "no suffix"] += 1
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common())
        log.info("%s: files that are not read as audio: %s", folder, kinds)
    return found


def path_key(path: PurePath) -> str:
    """A path as text in one form: file systems and tables may compose accents differently."""
    return normalize("NFC", path.as_posix())
