"""Tiny data sets in the layout and syntax of real ones, with the index that mirdata would have.

The files are made up; layouts follow the loaders of mirdata 1.0.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

RATE = 22_050
SECONDS = 3.0

Entry = list[str | None]
Tracks = dict[str, dict[str, Entry]]

NONE: Entry = [None, None]
Make = Callable[..., None]
MINIATURES: dict[str, Make] = {}


class Folder:
    """A data set being written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._pitch = 57

    def text(self, path: str, content: str) -> Entry:
        """Write a file of text; returns what stands for it in the index."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        return self._entry(path)

    def tone(self, path: str, seconds: float = SECONDS) -> Entry:
        """Write a tone, another pitch for each file."""
        self._pitch += 1
        frequency = 440 * 2 ** ((self._pitch - 69) / 12)
        times = np.arange(round(seconds * RATE)) / RATE
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, 0.5 * np.sin(2 * np.pi * frequency * times), RATE)
        return self._entry(path)

    def copy(self, path: str, source: str) -> Entry:
        """Write the bytes of another file once more."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes((self.root / source).read_bytes())
        return self._entry(path)

    def index(self, name: str, tracks: Tracks) -> None:
        """Write mirdata's index."""
        content = {"version": "miniature", "tracks": tracks}
        self.text(name, json.dumps(content, indent=1))

    def _entry(self, path: str) -> Entry:
        content = (self.root / path).read_bytes()
        return [path, hashlib.md5(content).hexdigest()]


def miniature(name: str, root: Path, **size: int) -> Path:
    """Write the miniature of a data set; returns its folder.

    Those that a suite runs on take `more`: tracks beside the few that tests look at one by one.
    """
    MINIATURES[name](Folder(root), **size)
    return root


def makes(name: str) -> Callable[[Make], Make]:
    """Decorator: the function writes the miniature of the data set `name`."""

    def add(make: Make) -> Make:
        MINIATURES[name] = make
        return make

    return add


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


@makes("ballroom")
def ballroom(folder: Folder, more: int = 0) -> None:
    tempi = {
        "Waltz/Media-105901": "87",
        "Waltz/Media-105902": "90",
        "ChaChaCha/Albums-Fire-08": "124",
        "Samba/Albums-Fire-09": "124",  # the same recording
        "Rumba-International/Albums-Latin_Jam-08": "101.5",
        "Jive/Albums-Fire-10": "166",
        **{f"Tango/Media-{3000 + number}01": "120" for number in range(more)},
    }
    beats = {
        "Media-105901": lines("0.18 1", "0.87 2", "1.56 3", "2.25 1"),  # blanks
        "Media-105902": lines("0.2\t3", "0.9\t1", "1.5\t2"),  # tabs, from an upbeat on
        "Albums-Fire-10": lines("-1.0\t1"),  # no beats at all
    }
    tracks: Tracks = {}
    for path, tempo in tempi.items():
        name = path.rpartition("/")[2]
        written = beats.get(name, lines("0.5\t1", "1.0\t2", "1.5\t3", "2.0\t4"))
        tracks[name] = {
            "audio": folder.tone(f"B_1.0/audio/{path}.wav"),
            "beats": folder.text(f"B_1.0/annotations/beats/{name}.beats", written),
            "tempo": folder.text(f"B_1.0/annotations/tempo/{name}.bpm", f"{tempo}\n"),
        }
    folder.index("ballroom_full_index_1.0.json", tracks)


@makes("gtzan_genre")
def gtzan_genre(folder: Folder, more: int = 0) -> None:
    # of the fault-filtered lists: blues.00012 is tested, blues.00029 trains, blues.00000 is
    # validated; jazz.00033 is none of them
    names = ["blues.00012", "blues.00029", "blues.00000", "hiphop.00033", "jazz.00033"]
    names += [f"rock.{number:05d}" for number in range(more)]
    tracks: Tracks = {}
    for name in [*names, "jazz.00054"]:
        genre, _, number = name.partition(".")
        audio = f"gtzan_genre/genres/{genre}/{name}.wav"
        damaged = name == "jazz.00054"
        stem = f"gtzan_{genre}_{number}"
        tracks[name] = {
            "audio": folder.text(audio, "no sound") if damaged else folder.tone(audio),
            "beats": folder.text(
                f"gtzan_tempo_beat-main/beats/{stem}.beats",
                lines("0.4 1", "0.9 2", "1.4 3", "1.9 4", "2.4 1"),
            ),
            "tempo": folder.text(f"gtzan_tempo_beat-main/tempo/{stem}.bpm", "120.0\n"),
        }
    tracks["blues.00029"]["beats"] = folder.text(  # times alone
        "gtzan_tempo_beat-main/beats/gtzan_blues_00029.beats", lines("0.4", "0.9", "1.4")
    )
    folder.index("gtzan_genre_index_1.0.json", tracks)


@makes("hainsworth")
def hainsworth(folder: Folder) -> None:
    written = [lines("0.47\t2", "1.06\t3", "1.63\t4", "2.2\t1"), lines("-1.0\t1")]
    tracks: Tracks = {}
    for number, beats in enumerate(written, 1):
        name = f"hains{number:03d}"
        tracks[name] = {
            "audio": folder.tone(f"H_1.0/audio/{name}.flac"),
            "beats": folder.text(f"H_1.0/annotations/beats/{name}.beats", beats),
            "tempo": folder.text(f"H_1.0/annotations/tempo/{name}.bpm", "100.16\n"),
        }
    folder.index("hainsworth_full_index_1.0.json", tracks)


@makes("giantsteps_tempo")
def giantsteps_tempo(folder: Folder, more: int = 0) -> None:
    stem = "giantsteps-tempo-dataset-0b7d47ba8cae59d3535a02e3db69e2cf6d0af5bb"
    salience = {"28952": [(77.0, 0.31), (139.0, 0.69)], "3041381": [], "906760": [(128.0, 1.0)]}
    salience |= {str(100 + number): [(100.0 + number, 1.0)] for number in range(more)}
    tracks: Tracks = {}
    for key, (number, tempi) in enumerate(salience.items()):
        values = [
            {"time": 0.0, "duration": SECONDS, "value": tempo, "confidence": confidence}
            for tempo, confidence in tempi
        ]
        jams = {"annotations": [{"namespace": "tempo", "data": values}], "sandbox": {}}
        tracks[str(key)] = {
            "audio": folder.tone(f"audio/{number}.LOFI.mp3"),
            "annotation_v1": folder.text(
                f"{stem}/annotations/jams/{number}.LOFI.jams", json.dumps({"annotations": []})
            ),
            "annotation_v2": folder.text(
                f"{stem}/annotations_v2/jams/{number}.LOFI.jams", json.dumps(jams)
            ),
        }
    folder.index("giantsteps_tempo_index_2.0.json", tracks)


@makes("tinysol")
def tinysol(folder: Folder, more: int = 0) -> None:
    rows = [
        ("Winds/Flute", "Fl-ord-C4-mf-N-T14d", 0, "Winds,Fl,Flute", "C4,60,mf,2,0,,TRUE"),
        ("Brass/Trumpet_C", "TpC-ord-F#5-ff-N-N", 1, "Brass,TpC,Trumpet C", "F#5,78,ff,4,0,,FALSE"),
        ("Strings/Contrabass", "Cb-ord-A2-mf-2c-N", 4, "Strings,Cb,Contrabass", "A2,45,mf,2,1,2,"),
    ]
    for number in range(more):
        place, brief, whole = (("Winds/Oboe", "Ob", "Oboe"), ("Strings/Violin", "Vn", "Violin"))[
            number % 2
        ]
        note = f"{'CDEFGAB'[number % 7]}{4 + number // 7 % 3}"
        instrument = f"{place.partition('/')[0]},{brief},{whole}"
        name = f"{brief}-ord-{note}-pp-N-{number}"
        rows.append((place, name, number % 5, instrument, f"{note},0,pp,0,0,,FALSE"))
    table = (
        "Path,Fold,Family,Instrument (abbr.),Instrument (in full),Technique (abbr.),"
        "Technique (in full),Pitch,Pitch ID,Dynamics,Dynamics ID,Instance ID,"
        "String ID (if applicable),Needed digital retuning\n"
    )
    tracks: Tracks = {}
    for place, name, fold, instrument, note in rows:
        path = f"{place}/ordinario/{name}.wav"
        tracks[name] = {"audio": folder.tone(f"audio/{path}")}
        table += f"{path},{fold},{instrument},ord,ordinario,{note}\n"
    folder.text("annotation/TinySOL_metadata.csv", table)
    folder.index("tinysol_index_6.0.json", tracks)


@makes("medley_solos_db")
def medley_solos_db(folder: Folder) -> None:
    clips = [
        ("training", "flute", 3, 7, "aaaa"),
        ("training", "flute", 3, 7, "bbbb"),
        ("validation", "distorted electric guitar", 1, 8, "cccc"),
        ("test", "violin", 7, 210, "dddd"),
    ]
    table = "subset,instrument,instrument_id,song_id,uuid4\n"
    tracks: Tracks = {}
    for subset, instrument, number, song, uuid in clips:
        name = f"audio/Medley-solos-DB_{subset}-{number}_{uuid}.wav"
        tracks[uuid] = {"audio": folder.tone(name)}
        table += f"{subset},{instrument},{number},{song},{uuid}\n"
    folder.text("annotation/Medley-solos-DB_metadata.csv", table)
    folder.index("medley_solos_db_index_1.2.json", tracks)


@makes("irmas")
def irmas(folder: Folder) -> None:
    training = ["cla/[cla][cla]0189__2", "cla/[cla][cla]0189__1", "voi/[voi][dru][pop_roc]2401__3"]
    tracks: Tracks = {}
    for path in training:
        entry = folder.tone(f"IRMAS-TrainingData/{path}.wav")
        tracks[path.rpartition("]")[2]] = {"audio": entry, "annotation": entry}
    for key, (number, labels) in enumerate({8: "gel\t\nvoi\t\n", 9: "pia\n"}.items(), 1):
        stem = f"IRMAS-TestingData-Part1/Part1/02 - A Song-{number}"
        tracks[str(key)] = {
            "audio": folder.tone(f"{stem}.wav"),
            "annotation": folder.text(f"{stem}.txt", labels),
        }
    folder.index("irmas_index_1.0.json", tracks)
