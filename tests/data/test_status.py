"""`mirprobe data`: what is there, what is missing, what is broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import numpy as np
import pytest
import soundfile
from helpers.miniatures import text, tone
from helpers.mirdata_miniatures import miniature
from helpers.tones import Tones
from typer.testing import CliRunner, Result

from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import DATASETS
from mirprobe.cli.app import app
from mirprobe.core.schema import SPLITS, Annotations, Beats, Split, Track
from mirprobe.data.paths import DataFolders
from mirprobe.data.status import check, dataset_files, dataset_status, prepare_dataset
from mirprobe.data.tracks import splits_hash


def call(*words: str) -> Result:
    return CliRunner().invoke(app, ["data", *words])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def findings(dataset: Dataset) -> dict[str, list[str]]:
    """Track -> what was found."""
    found: dict[str, list[str]] = {}
    for finding in check(dataset):
        found.setdefault(finding.track, []).append(finding.what)
    return found


class Altered:
    """The known data set, after something was done to its tracks."""

    name, tags, trim = "altered", Tones.tags, Tones.trim

    def __init__(self, parts: Mapping[Split, Sequence[Track]]) -> None:
        self.parts = parts

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        return self.parts

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        yield from (track.id for track in tracks)


@pytest.fixture(scope="module")
def sound(tones: Tones, tmp_path_factory: pytest.TempPathFactory) -> Altered:
    """Tones with audio of its own for each track: those of all splits sound alike."""
    folder = tmp_path_factory.mktemp("sound")
    parts: dict[Split, list[Track]] = {split: [] for split in SPLITS}
    for level, split in enumerate(SPLITS, 1):
        for track in tones.splits()[split]:
            samples, rate = soundfile.read(track.audio)
            path = folder / f"{track.id}.wav"
            soundfile.write(path, samples * 0.3 * level, rate)
            parts[split].append(replace(track, audio=path))
    return Altered(parts)


def altered(sound: Altered, split: Split, number: int, **changes: Any) -> Altered:
    parts = {name: list(tracks) for name, tracks in sound.splits().items()}
    parts[split][number] = replace(parts[split][number], **changes)
    return Altered(parts)


def test_a_sound_data_set_has_no_findings(sound: Altered, home: Path) -> None:
    assert findings(sound) == {}
    miniature("guitarset", home / "guitarset")
    result = call("check", "guitarset", "--data-home", str(home))
    assert result.stdout.splitlines()[-1] == "8 tracks, 0 findings"
    assert result.exit_code == 0


def test_missing_truncated_and_silent_audio(sound: Altered, tmp_path: Path) -> None:
    whole = sound.splits()["train"][0].audio.read_bytes()
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole[: len(whole) // 2])
    (found,) = findings(altered(sound, "train", 0, audio=cut)).values()
    assert "truncated" in found[0]
    gone = tmp_path / "gone.wav"
    assert findings(altered(sound, "valid", 1, audio=gone)) == {
        sound.splits()["valid"][1].id: [
            f"{gone}: no such audio file; check its path or the data set's folder"
        ]
    }


def test_annotations_that_do_not_fit(sound: Altered) -> None:
    beats = Beats(np.array([0.5, 99.0]), np.array([1, 2]))
    track = sound.splits()["train"][3]
    cases = {
        "'beats' ends at 99.00 s but the audio at": {"beats": beats},
        "has no annotation at all": None,
        "task 'key': cannot read key \"H flat\"": {"key": "H flat"},
        "task 'tagging': tag \"loud\" is not in": {"tags": {"loud": 1.0}},
    }
    for line, changes in cases.items():
        annotations = Annotations() if changes is None else replace(track.annotations, **changes)
        found = findings(altered(sound, "train", 3, annotations=annotations))
        assert list(found) == [track.id]
        assert line in found[track.id][0]


def test_a_task_that_no_track_serves_is_one_line(sound: Altered) -> None:
    parts = {
        split: [
            replace(track, annotations=Annotations(key="H flat")) for track in sound.splits()[split]
        ]
        for split in SPLITS
    }
    (line,) = findings(Altered(parts))[""]
    first = sound.splits()["train"][0].id
    assert line.startswith(
        f"no track is usable for task 'key'; the first of 24, '{first}', task 'key'"
    )


def test_the_same_audio_or_group_on_two_sides(sound: Altered) -> None:
    parts = sound.splits()
    first, other = parts["train"][0], parts["test"][2]
    assert findings(altered(sound, "test", 2, audio=first.audio)) == {
        other.id: [
            f"the same audio as track '{first.id}', which is in split 'train', this in 'test'"
        ]
    }
    twin = parts["train"][5]
    assert findings(altered(sound, "train", 5, audio=first.audio)) == {
        twin.id: [f"the same audio as track '{first.id}'"]
    }
    assert findings(altered(sound, "test", 2, group=first.group)) == {
        other.id: [f"its group '{first.group}' is in 'train' and in 'test'"]
    }
    assert findings(altered(sound, "test", 2, id=first.id)) == {
        first.id: ["another track has the same id"]
    }


def test_an_empty_split_is_named(sound: Altered) -> None:
    assert findings(Altered({**sound.splits(), "valid": []})) == {
        "": ["split 'valid' has no tracks"]
    }


def test_everything_that_is_broken_is_listed(home: Path) -> None:
    root = miniature("ballroom", home / "ballroom") / "B_1.0"
    (root / "annotations" / "beats" / "Media-105901.beats").write_text("0.5\tone\n")
    (root / "annotations" / "beats" / "Albums-Latin_Jam-08.beats").write_text("0.5\t1\n77.0\t2\n")
    (root / "annotations" / "tempo" / "Albums-Fire-08.bpm").unlink()
    (root / "audio" / "Jive" / "Albums-Fire-10.wav").unlink()
    result = call("check", "ballroom", "--data-home", str(home))
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    for expected in (
        "track 'Media-105901': beats cannot be read (ValueError: invalid literal",
        "track 'Albums-Latin_Jam-08': 'beats' ends at 77.00 s but the audio at",
        "track 'Albums-Fire-08': tempo cannot be read (",
        "track 'Albums-Fire-10': ",
        "split 'valid' has no tracks",
    ):
        assert sum(line.startswith(expected) for line in lines) == 1, expected
    assert lines[-1] == "5 tracks, 6 findings"  # all of them fell to one split
    assert "annotations of 2 tracks cannot be read" in result.stderr


def test_status_says_what_is_there_and_what_is_missing(home: Path) -> None:
    root = miniature("queen", home / "queen")
    folders = DataFolders(data_home=home)
    assert dataset_files("queen", folders).missing == ()
    (root / "audio" / "Greatest Hits I" / "01 Bohemian Rhapsody.flac").unlink()
    result = call("status", "queen", "--data-home", str(home))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"folder   {root}"
    assert lines[4].startswith("splits   train 1, valid 0, test 0; ")
    assert "there    audio of 0 of 1 tracks" in lines
    assert lines[-1].startswith("missing  ")
    assert lines[-1].endswith("01 Bohemian Rhapsody.flac")


def test_status_writes_the_splits_and_tells_the_hash_of_a_run(home: Path, tmp_path: Path) -> None:
    root = miniature("guitarset", home / "guitarset")
    result = call("status", "guitarset", "--data-home", str(home), "--splits", str(tmp_path / "s"))
    assert result.stdout.splitlines()[-1] == f"written  {tmp_path / 's'}"
    parts = DATASETS.create("guitarset", root=root).splits()
    for split in SPLITS:
        written = (tmp_path / "s" / f"{split}.txt").read_text().split()
        assert written == [track.id for track in parts[split]]
    assert f"splits   train 4, valid 2, test 2; {splits_hash(parts)}" in result.stdout


def test_status_of_what_is_not_there_says_how_to_get_it(home: Path) -> None:
    result = call("status", "tinysol", "--data-home", str(home))
    assert result.exit_code == 0
    assert "to get   download, from Zenodo by mirdata" in result.stdout
    assert "mirprobe data prepare tinysol" in result.stdout
    assert dataset_files("tinysol", DataFolders(data_home=home)).splits == {}


def test_many_missing_files_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: Tones(tmp_path / "none"))
    lines = call("status", "tones", "--data-home", str(home)).stdout.splitlines()
    assert lines[-1] == "missing  and 14 more files"


def test_prepare_makes_what_is_made_here_and_uses_what_lies_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    made = Tones(tmp_path / "made", seconds=2.0)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: made)
    result = call("prepare", "tones", "--data-home", str(home))
    assert result.stdout.endswith("audio of 24 of 24 tracks\n")
    assert prepare_dataset(made) is False
    miniature("hainsworth", home / "hainsworth")
    result = call("prepare", "hainsworth", "--data-home", str(home))
    assert result.stdout == f"{home / 'hainsworth'}: audio of 2 of 2 tracks\n"


def test_prepare_says_how_to_get_what_cannot_be_fetched(home: Path) -> None:
    result = call("prepare", "hainsworth", "--data-home", str(home))
    assert result.exit_code == 2
    assert "H_1.0/audio/hains001.flac" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_list_has_every_data_set_and_whether_it_is_there(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.parent)  # a cache in the working folder may hold what `studio` rendered
    miniature("salami", home / "salami")
    folders = DataFolders(data_home=home)
    held = {name: dataset_status(name, folders) for name in DATASETS.names()}
    assert [name for name, one in held.items() if one.present] == ["salami"]
    result = call("list", "--data-home", str(home))
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("salami"))
    assert row.split()[:5] == ["salami", "1359", "?", "?", "yes"]
    assert all(name in result.stdout for name in held)
    assert "count as absent" in " ".join(result.stdout.split())  # OpenMIC's caution


def test_the_folder_of_ones_own_data_is_where_it_lies(tmp_path: Path) -> None:
    for number in range(3):
        tone(tmp_path / "songs" / f"{number}.wav")
    rows = (f"{number}.wav,C major,{split}\n" for number, split in enumerate(SPLITS))
    text(tmp_path / "my.csv", "audio,key,split\n" + "".join(rows))
    text(tmp_path / "my.yaml", "audio: songs\ntable: my.csv\n")
    for config in ("my.yaml", "config=my.yaml"):
        lines = call("status", f"folder:{config.replace('my', str(tmp_path / 'my'))}").stdout
        assert lines.startswith(f"folder   {tmp_path / 'songs'}\n")
        assert "there    audio of 3 of 3 tracks" in lines


def test_an_unknown_name_suggests_the_nearest() -> None:
    result = call("status", "baetles")
    assert result.exit_code == 2
    assert "did you mean 'beatles'?" in result.stderr


def test_listing_imports_no_mirdata() -> None:
    program = """
import json, sys
from typer.testing import CliRunner
from mirprobe.cli.app import app
calls = (["list", "datasets"], ["data", "list"])
codes = [CliRunner().invoke(app, words).exit_code for words in calls]
print(json.dumps([codes, "mirdata" in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [[0, 0], False]
