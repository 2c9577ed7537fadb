"""Schubert Winterreise Dataset: a song cycle in several recordings, with chords and keys.

Weiß, Zalkow, Arifi-Müller, Müller, Koops, Volk, Grohganz: Schubert Winterreise dataset: a
multimodal scenario for music analysis, ACM Journal on Computing and Cultural Heritage, 2021.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import mir_eval.chord
import numpy as np

from mirprobe.api.dataset import DatasetInfo
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Segments, Split, Track
from mirprobe_tasks.datasets.splits import divide
from mirprobe_tasks.datasets.table_files import TableDataset, bad_row, read_rows

PUBLIC = ("HU33", "SC06")
"""The performances with public audio."""

DEGREES = ("1", "b2", "2", "b3", "3", "4", "b5", "5", "b6", "6", "b7", "7")
"""Degrees in Harte syntax, 0 to 11 semitones above the root."""

MODES = {"maj": "major", "min": "minor"}

_FOLDER = Path("02_Annotations")
_PITCH = r"[A-G][b#]*"
_LABEL = re.compile(rf"({_PITCH})(?::([a-z0-9]*)(?:\((.*)\))?)?(?:/({_PITCH}))?")
_KEY = re.compile(rf"({_PITCH}):(maj|min)")


def normalise_chord(label: str) -> str:
    """A chord label of the data set in the Harte syntax of mir_eval.

    The data set names the bass by its pitch, Harte by its degree: `B:dim7/C` becomes `B:dim7/b2`.
    The data set names an omitted degree without accidental, Harte with it: `G:min(*3)` becomes
    `G:min(*b3)`. Everything else is unchanged.

    Raises:
        ValueError: the text is not such a label, or mir_eval cannot read the result.
    """
    if label in (mir_eval.chord.NO_CHORD, mir_eval.chord.X_CHORD):
        return label
    match = _LABEL.fullmatch(label)
    if not match:
        raise ValueError(f"'{label}' is not a chord label")
    root, quality, degrees, bass = match.groups()
    written = root if quality is None else f"{root}:{quality}"
    try:
        if degrees:
            names = [_degree(name, quality) for name in degrees.split(",")]
            written += f"({','.join(names)})"
        if bass:
            above = mir_eval.chord.pitch_class_to_semitone(bass)
            above -= mir_eval.chord.pitch_class_to_semitone(root)
            if above % 12:
                written += f"/{DEGREES[above % 12]}"
        mir_eval.chord.encode(written)
    except mir_eval.chord.InvalidChordException as error:
        raise ValueError(f"'{label}' is not a chord label ({error})") from error
    return written


def _degree(name: str, quality: str) -> str:
    """A degree in brackets; an omitted one has the accidental that it has in the chord."""
    if not name.startswith("*"):
        return name
    chord = mir_eval.chord.quality_to_bitmap(quality)
    for accidental in ("", "b", "bb", "#"):
        semitones = mir_eval.chord.scale_degree_to_semitone(accidental + name[1:])
        if chord[semitones % 12]:
            return f"*{accidental}{name[1:]}"
    return name


class Winterreise(TableDataset):
    """The 24 songs of Winterreise in two public recordings: chords, key, local keys.

    Groups are songs: 19 for training, 2 for validation and 3 for test, divided 8:1:1. Performances
    differ in key, since singers transpose. Chords over a foreign bass, such as a pedal point, are
    scored as in mir_eval: `D:maj/4` is neither major nor minor and is not compared. The local keys
    are those of the first of three annotators.
    """

    name = "winterreise"
    trim = 5.0
    sheet = DatasetInfo(
        tracks=48,
        hours=2.2,
        licence="CC BY 3.0; the audio of HU33 is in the public domain, that of SC06 must not be "
        "passed on in modified form",
        source="https://zenodo.org/records/5139893",
        obtain="download Schubert_Winterreise_Dataset_v2-1.zip and unpack it, so that "
        "01_RawData/audio_wav and 02_Annotations are here",
    )

    def __init__(self, root: Path, performances: str = "+".join(PUBLIC)) -> None:
        """Set the options; nothing is read yet.

        Args:
            root: contains `01_RawData/audio_wav/Schubert_D911-01_HU33.wav` and so on, and
                `02_Annotations` with `ann_audio_chord`, `ann_audio_localkey-ann1` and
                `ann_audio_globalkey.csv`.
            performances: names, joined by `+`. Audio of performances other than HU33 and SC06 is
                on commercial records; it goes into the same folder, named as its annotations.
        """
        super().__init__(root)
        self._performances = performances.split("+")

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """The tracks of each split; needs no audio.

        Raises:
            ConfigError: annotations are missing or differ from the published ones.
        """
        folder = self.require(self._root / _FOLDER / "ann_audio_chord")
        keys = self._keys()
        tracks: list[Track] = []
        for performance in self._performances:
            paths = sorted(folder.glob(f"Schubert_D911-*_{performance}.csv"))
            if not paths:
                known = sorted({path.stem.rpartition("_")[2] for path in folder.glob("*.csv")})
                raise ConfigError(
                    f"data set '{self.name}': {folder} has no chords of the performance "
                    f"'{performance}'; it has those of {', '.join(known) or 'none'}"
                )
            tracks.extend(self._track(path, keys) for path in paths)
        return divide(tracks, name=self.name)

    def _track(self, path: Path, keys: Mapping[str, str]) -> Track:
        return Track(
            id=path.stem,
            audio=self._root / "01_RawData" / "audio_wav" / f"{path.stem}.wav",
            group=path.stem.rpartition("_")[0],
            annotations=Annotations(
                key=keys.get(path.stem),
                keys=_segments(self._local_keys(path.name), "key", _key),
                chords=_segments(path, "shorthand", normalise_chord),
            ),
        )

    def _keys(self) -> dict[str, str]:
        """Name of the recording -> key, such as `"C minor"`."""
        path = self.require(self._root / _FOLDER / "ann_audio_globalkey.csv")
        keys = {}
        for line, (work, performance, key, *_) in read_rows(
            path, ";", ["WorkID", "PerformanceID", "key"]
        ):
            try:
                keys[f"{work}_{performance}"] = _key(key)
            except ValueError as error:
                raise bad_row(path, line, str(error)) from error
        return keys

    def _local_keys(self, name: str) -> Path:
        return self.require(self._root / _FOLDER / "ann_audio_localkey-ann1" / name)


def _key(label: str) -> str:
    """`C:min` in the syntax of mir_eval.key, `"C minor"`."""
    match = _KEY.fullmatch(label)
    if not match:
        raise ValueError(f"'{label}' is not a key such as C:min")
    return f"{match[1]} {MODES[match[2]]}"


def _segments(path: Path, column: str, name: Callable[[str], str]) -> Segments:
    intervals, labels = [], []
    for line, (start, end, label, *_) in read_rows(path, ";", ["start", "end", column]):
        try:
            intervals.append((float(start), float(end)))
            labels.append(name(label))
        except ValueError as error:
            raise bad_row(path, line, str(error)) from error
    return Segments(np.array(intervals, dtype=np.float64).reshape(-1, 2), tuple(labels))
