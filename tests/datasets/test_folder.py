"""A user's own data: tables, annotation files, splits."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.miniatures import ids_of, refusal, text, tone, tracks_of

import mirprobe
from mirprobe.api.registry import DATASETS
from mirprobe.core.schema import SPLITS
from mirprobe_tasks.datasets.folder import Folder
from mirprobe_tasks.genre import Genre
from mirprobe_tasks.instrument import Instrument
from mirprobe_tasks.tagging import Tagging

TABLE = """\
audio,Song,Key,BPM,note,Instr,style,v,a,Moods,Artist,Set
a/one.wav,1,C# minor,120.5,A#4,cello,rock,0.5,-0.25,happy; slow,Ann,train
b/two,2,Db:maj,,,,pop,,,,Bob,validation
"three, four.wav",3,,90,C4,flute,,,,slow,Cy,test
"""

DESCRIPTION = """\
audio: recordings
table: labels.csv
columns: {audio: audio, id: Song, key: Key, tempo: BPM, pitch: note, instrument: Instr,
  genre: style, valence: v, arousal: a, tags: Moods, group: Artist, split: Set}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder with a description, a table and three recordings."""
    for name in ("a/one.wav", "b/two.wav", "three, four.wav"):
        tone(tmp_path / "recordings" / name)
    text(tmp_path / "labels.csv", TABLE)
    text(tmp_path / "my.yaml", DESCRIPTION)
    return tmp_path


def folder(here: Path, description: str | None = None) -> Folder:
    if description is not None:
        text(here / "my.yaml", description)
    return Folder(here / "unused", config=str(here / "my.yaml"))


def test_a_table(here: Path) -> None:
    dataset = DATASETS.create(f"folder:config={here / 'my.yaml'}", root=here / "unused")
    assert ids_of(dataset) == {"train": ["1"], "valid": ["2"], "test": ["3"]}
    one, two, three = tracks_of(dataset).values()
    assert one.audio == here / "recordings" / "a" / "one.wav"
    assert two.audio == here / "recordings" / "b" / "two.wav"  # named without its ending
    assert three.audio == here / "recordings" / "three, four.wav"
    assert [one.group, two.group, three.group] == ["Ann", "Bob", "Cy"]
    assert one.annotations.key == "C# minor"
    assert two.annotations.key == "C# major"
    assert three.annotations.key is None
    assert one.annotations.tempo == 120.5
    assert two.annotations.tempo is None
    assert one.annotations.pitch == "A#4"
    assert one.annotations.emotion == (0.5, -0.25)
    assert two.annotations.emotion is None
    assert one.annotations.tags == {"happy": 1.0, "slow": 1.0}
    assert two.annotations.tags == {}  # the column is there: it has none
    assert Tagging(dataset).labels == ("happy", "slow")
    assert Genre(dataset).labels == ("pop", "rock")
    assert Instrument(dataset).labels == ("cello", "flute")
    assert dataset.trim == 0.0
    assert list(dataset.prepare([one])) == ["1"]
    assert not (here / "unused").exists()


def test_columns_that_have_the_names_of_what_they_hold(here: Path) -> None:
    text(
        here / "labels.csv",
        "\ufeffaudio,key,other,split\r\na/one,A minor,x,train\r\n\r\nb/two,B minor,y,val\r\n"
        "three,C major,z,test\r\n",
    )
    (here / "recordings" / "three, four.wav").rename(here / "recordings" / "three.flac")
    dataset = folder(here, "audio: recordings\ntable: labels.csv\ntrim: 5")
    assert [track.annotations.key for track in tracks_of(dataset).values()] == [
        *("A minor", "B minor", "C major")
    ]
    assert list(tracks_of(dataset)) == ["a/one", "b/two", "three"]
    assert dataset.tags == ()
    assert dataset.vocabularies == {}
    assert dataset.trim == 5.0


def test_one_column_a_tag(here: Path) -> None:
    text(
        here / "labels.tsv",
        "audio\tkey\tslow\tloud\tsplit\na/one\t1\tno\t0\ttrain\nb/two\t0\tTRUE\t\tvalid\n"
        "three, four\t0\t1.0\t0\ttest\n",
    )
    dataset = folder(
        here,
        "audio: recordings\ntable: labels.tsv\n"
        "columns: {audio: audio, split: split, tags: [slow, loud, key]}",
    )
    assert [track.annotations.tags for track in tracks_of(dataset).values()] == [
        *({"key": 1.0}, {"slow": 1.0}, {"slow": 1.0})
    ]
    assert dataset.tags == ("key", "loud", "slow")  # also the one that no track has
    assert all(track.annotations.key is None for track in tracks_of(dataset).values())


def test_labels_can_be_fixed(here: Path) -> None:
    labels = "labels: {tags: [slow, happy, sad], genre: [rock, pop, folk]}\n"
    dataset = folder(here, DESCRIPTION + labels)
    assert dataset.tags == ("slow", "happy", "sad")
    assert dataset.vocabularies == {
        "genre": ("rock", "pop", "folk"),
        "instrument": ("cello", "flute"),
    }


def test_parquet(here: Path) -> None:
    frame = pd.DataFrame(
        {
            "audio": ["a/one.wav", "b/two.wav", "three, four.wav"],
            "id": [7.0, 8.0, 9.0],
            "tempo": [120.5, None, 90.0],
            "key": ["C major", None, "A minor"],
            "tags": [["slow", "happy; calm"], [], None],
            "split": ["train", "valid", "test"],
        }
    )
    frame.to_parquet(here / "labels.parquet")
    dataset = folder(here, "audio: recordings\ntable: labels.parquet")
    tracks = tracks_of(dataset)
    assert list(tracks) == ["7", "8", "9"]
    assert [track.annotations.tempo for track in tracks.values()] == [120.5, None, 90.0]
    assert [track.annotations.tags for track in tracks.values()] == [
        *({"slow": 1.0, "happy; calm": 1.0}, {}, {})
    ]
    assert tracks["8"].annotations.key is None


def test_groups_are_divided_by_seed(here: Path) -> None:
    lines = ["audio,key,group"]
    for number in range(60):
        tone(here / "recordings" / f"{number}.wav", 0.05)
        lines.append(f"{number},C major,artist {number % 30}")
    text(here / "labels.csv", "\n".join(lines))
    plain = "audio: recordings\ntable: labels.csv\n"
    first = folder(here, plain)
    assert ids_of(first) == ids_of(folder(here, plain + "seed: 0"))
    assert ids_of(first) != ids_of(folder(here, plain + "seed: 3"))
    splits = folder(here, plain + "shares: [1, 1, 1]").splits()
    groups = [{track.group for track in splits[split]} for split in SPLITS]
    assert all(5 < len(group) < 15 for group in groups)
    assert len(set.union(*groups)) == sum(map(len, groups)) == 30


def test_a_seed_that_leaves_a_split_empty(here: Path) -> None:
    text(here / "labels.csv", "audio,key\n" + "".join(f"{n},C major\n" for n in "abcd"))
    for name in "abcd":
        tone(here / "recordings" / f"{name}.wav", 0.05)
    plain = "audio: recordings\ntable: labels.csv\n"
    message = refusal(lambda: folder(here, plain))
    assert "is empty when 4 groups are divided by seed 0; write `seed: " in message
    seed = message.partition("`seed: ")[2].rstrip("`")
    assert all(ids_of(folder(here, plain + f"seed: {seed}")).values())
    text(here / "labels.csv", "audio,key\na,C major\nb,C major\n")
    assert refusal(lambda: folder(here, plain)).endswith("seed 0; name a column as 'split'")


def test_stretches_of_a_file_stay_together(here: Path) -> None:
    for name in ("two", "three"):
        tone(here / "recordings" / f"{name}.wav", 3.0)
    tone(here / "recordings" / "one.wav", 3.0)
    text(here / "recordings" / "one.lab", "0 1 C:maj\n1 1.5 N\n1.5 3 A:min\n")
    text(here / "recordings" / "one.beats", "0.5 1\n1.0 2\n1.5 3\n2.0 1\n")
    text(
        here / "labels.csv",
        "audio,id,start,stop,split\none,1a,,1.25,train\none,1b,1.25,,train\ntwo,2,,,valid\n"
        "three,3,0.5,2,test\n",
    )
    dataset = folder(here, "audio: recordings\ntable: labels.csv")
    first, second, *_, third = tracks_of(dataset).values()
    assert (first.start, first.stop) == (0.0, 1.25)
    assert (second.start, second.stop) == (1.25, None)
    assert (third.start, third.stop) == (0.5, 2.0)
    assert first.group == second.group == "one.wav"
    assert first.annotations.chords is not None
    assert first.annotations.chords.labels == ("C:maj", "N")
    np.testing.assert_array_equal(first.annotations.chords.intervals, [[0, 1], [1, 1.25]])
    assert second.annotations.chords is not None
    assert second.annotations.chords.labels == ("N", "A:min")
    np.testing.assert_array_equal(second.annotations.chords.intervals, [[0, 0.25], [0.25, 1.75]])
    assert second.annotations.beats is not None
    np.testing.assert_array_equal(second.annotations.beats.times, [0.25, 0.75])
    assert second.annotations.beats.positions is not None
    np.testing.assert_array_equal(second.annotations.beats.positions, [3, 1])
    text(here / "labels.csv", (here / "labels.csv").read_text().replace("1.25,,train", "1,,test"))
    assert (
        "labels.csv row 3: group 'one.wav' is in test here and in train in labels.csv row 2"
        in refusal(lambda: folder(here))
    )


def test_a_folder_without_a_table(here: Path) -> None:
    root = here / "music"
    for artist in range(30):
        for song in range(2):
            name = root / f"artist{artist}" / f"song.{song}.ogg"
            tone(name, 0.05)
            text(name.with_name(f"song.{song}.txt"), "0.01\n0.03\n")
    tone(root / "solo.mp3", 0.1)
    tone(root / ".hidden.wav", 0.1)
    tone(root / ".trash" / "x.wav", 0.1)
    text(root / "artist1" / "notes.pdf", "")
    dataset = folder(here, "audio: music\nbeside: {beats: .txt}")
    tracks = tracks_of(dataset)
    assert len(tracks) == 61
    assert tracks["solo"].group == "solo.mp3"
    assert tracks["artist3/song.1"].group == "artist3"
    beats = tracks["artist3/song.1"].annotations.beats
    assert beats is not None
    np.testing.assert_array_equal(beats.times, [0.01, 0.03])
    assert beats.positions is None
    assert all(ids_of(dataset).values())


def test_a_folder_of_splits(here: Path) -> None:
    for split in ("train", "val", "test"):
        tone(here / "music" / split / "x" / "a.wav", 0.05)
        text(here / "music" / split / "x" / "a.lab", "0 0.05 N")
    dataset = folder(here, "audio: music")
    assert ids_of(dataset) == {"train": ["train/x/a"], "valid": ["val/x/a"], "test": ["test/x/a"]}


def test_files_that_the_table_names(here: Path) -> None:
    text(here / "truth" / "one.lab", "0\t0.2\tfirst verse\n0.2\t0.5\tchorus\n")
    text(here / "truth" / "one.chords", "# by ear\n\n0.0 0.25   C:maj\n0.25 0.5 N\n")
    text(here / "recordings" / "b" / "two.lab", "not read: the table names chords")
    text(
        here / "labels.csv",
        "audio,form,chords,split\na/one,truth/one.lab,truth/one.chords,train\nb/two,,,valid\n"
        '"three, four",,,test\n',
    )
    dataset = folder(
        here,
        "audio: recordings\ntable: labels.csv\n"
        "columns: {audio: audio, split: split, sections: form, chords: chords}",
    )
    one, two, _ = tracks_of(dataset).values()
    assert one.annotations.sections is not None
    assert one.annotations.sections.labels == ("first verse", "chorus")
    assert one.annotations.chords is not None
    assert one.annotations.chords.labels == ("C:maj", "N")
    assert two.annotations.chords is None


def test_a_file_that_the_table_names_is_not_read_again(here: Path) -> None:
    text(here / "recordings" / "a" / "one.lab", "0 0.5 first verse")
    text(
        here / "labels.csv",
        "audio,sections,split\na/one,recordings/a/one.lab,train\nb/two,,valid\n"
        '"three, four",,test\n',
    )
    one = tracks_of(folder(here, "audio: recordings\ntable: labels.csv"))["a/one"]
    assert one.annotations.sections is not None
    assert one.annotations.sections.labels == ("first verse",)
    assert one.annotations.chords is None


def test_local_keys_in_files_beside_the_audio(here: Path) -> None:
    text(here / "recordings" / "a" / "one.keys", "0 0.2 Db:maj\n0.2 0.5 bb minor\n")
    one = tracks_of(folder(here, DESCRIPTION + "beside: {keys: .keys}\n"))["1"]
    assert one.annotations.key == "C# minor"
    assert one.annotations.keys is not None
    assert one.annotations.keys.labels == ("C# major", "A# minor")
    text(here / "recordings" / "a" / "one.keys", "0 0.2 H:maj\n")
    assert 'one.keys: line 1: no key: "H:maj"' in refusal(
        lambda: folder(here, DESCRIPTION + "beside: {keys: .keys}\n")
    )


def test_a_run_from_end_to_end(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["audio,key,split"]
    for number, split in enumerate(["train"] * 6 + ["valid"] * 4 + ["test"] * 4):
        key, frequency = [("C major", 261.6), ("A minor", 440.0)][number % 2]
        tone(here / "recordings" / f"{number}.flac", 2.0, frequency)
        lines.append(f"{number},{key},{split}")
    text(here / "labels.csv", "\n".join(lines))
    text(here / "my.yaml", "audio: recordings\ntable: labels.csv\n")
    monkeypatch.chdir(here)
    scores = mirprobe.evaluate(["chroma"], ["key"], "folder:config=my.yaml")
    probe = scores[(scores.kind == "probe") & scores.main]
    assert probe.value.tolist() == [1.0]
    assert not os.path.exists(here / "unused")
