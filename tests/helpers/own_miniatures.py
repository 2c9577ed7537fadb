"""Miniatures of data sets with loaders of our own, in the layout and syntax of the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from helpers.miniatures import text, tone

from mirprobe_tasks.datasets.magnatagatune import EMPTY, TAGS

Clips = Mapping[str, tuple[str, tuple[str, ...]]]
"""Clip -> its path and tags."""

CLIPS: Clips = {
    "2": ("f/american_bach-cantatas-01-aria-30-59.mp3", ("classical", "violin")),
    "6": ("f/american_bach-cantatas-01-aria-146-175.mp3", ("violin",)),
    "10": ("c/lisa_debenedictis-fruitless-02-brigands-0-29.mp3", ("female vocal", "no voice")),
    "11": ("0/drop_trio-big_dipper-07-hey-117-146.mp3", ()),
    "14": ("b/jag-pretty-03-slow-59-88.mp3", ("slow",)),
    "35644": ("6/norine_braun-now_and_zen-08-gently-117-146.mp3", ("slow",)),
    "55753": ("8/jacob_heringman-josquin-19-gintzler-204-233.mp3", ()),
    "57881": ("9/american_baroque-the_four_seasons-10-largo-0-29.mp3", ("violin",)),
}


def tag_table(root: Path, clips: Clips = CLIPS) -> Path:
    """Quoted, columns in another order than the tags, with one that is not among the 50."""
    columns = ["banjo", *sorted(TAGS)]
    lines = [["clip_id", *columns, "mp3_path"]]
    for clip, (path, tags) in clips.items():
        lines.append([clip, *("1" if tag in tags else "0" for tag in columns), path])
    quoted = "".join("\t".join(f'"{field}"' for field in line) + "\n" for line in lines)
    return text(root / "annotations_final.csv", quoted)


def magnatagatune(root: Path, more: int = 0) -> Path:
    """The clips above, the three without audio among them, and so many more in every folder."""
    clips = dict(CLIPS)
    for number in range(more * 16):
        folder, tags = f"{number % 16:x}", (("slow", "violin"), ("techno",))[number // 16 % 2]
        clips[str(100 + number)] = (f"{folder}/some_one-some_album-{number:03}-song-0-29.mp3", tags)
    tag_table(root, clips)
    for number, (clip, (path, _)) in enumerate(clips.items()):
        if clip not in EMPTY:
            tone(root / path, frequency=220.0 + 20 * number)
    return root


CHORDS = (
    "start;end;shorthand;extended;majmin;majmin_inv\n"
    '1.26;4.74;"C:min";"C:(b3,5)";"C:min";"C:min"\n'
    '4.74;5.34;"B:dim7/C";"B:(b3,b5,bb7)/C";"B:min";"B:min/C"\n'
    '5.34;7;"A#/D";"A#:(3,5)/D";"A#:maj";"A#:maj/D"'  # no newline at the end
)
SONGS = tuple(range(1, 25))


def winterreise(root: Path) -> Path:
    """24 songs in three performances; the audio of the two public ones."""
    annotations = root / "02_Annotations"
    keys = ["WorkID;PerformanceID;key"]
    for song in SONGS:
        work = f"Schubert_D911-{song:02}"
        for performance in ("HU33", "SC06", "AL98"):
            name = f"{work}_{performance}"
            text(annotations / "ann_audio_chord" / f"{name}.csv", CHORDS)
            local = annotations / "ann_audio_localkey-ann1" / f"{name}.csv"
            text(local, 'start;end;key\n1.26;5.34;"C:min"\n5.34;7;"G:maj"\n')
            if performance != "AL98":
                audio = root / "01_RawData" / "audio_wav" / f"{name}.wav"
                tone(audio, 8.0, 220.0 + 10 * song)
        keys += [f'"{work}";"HU33";"C:min"', f'"{work}";"SC06";"Db:maj"']
    del keys[3]  # of the second song as HU33
    text(annotations / "ann_audio_globalkey.csv", "\n".join(keys) + "\n")
    return root
