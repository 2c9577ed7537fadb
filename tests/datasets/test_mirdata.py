"""Every data set of mirdata through the adapter, on a miniature of its real layout."""

from __future__ import annotations

from pathlib import Path

import helpers.mirdata_miniatures_harmony  # noqa: F401  (brings its miniatures)
import pytest
from helpers.built_mirdata import build, places, tracks, values
from helpers.mirdata_miniatures import miniature
from helpers.small_encoders import Bands
from helpers.workbench import QUICK

from mirprobe.api.registry import ENCODERS
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

HARMONY = {
    "intervals": [[0.0, 0.497838], [0.497838, 0.9], [0.9, 1.4], [1.4, 1.9], [1.9, 2.4], [2.4, 3.0]],
    "labels": ["N", "E:min/b3", "G:maj/3", "A:7(#9)", "D:(1,4,b7)/5", "X"],
}
KEYS = {"intervals": [[0.4, 1.0], [1.0, 2.9]], "labels": ["E major", "C# minor"]}
STRUCTURE = {
    "intervals": [[0.0, 0.04], [0.04, 1.0], [1.0, 2.9], [2.9, 3.0]],
    "labels": ["Silence", "A", "B", "Silence"],
}


def test_ballroom(tmp_path: Path) -> None:
    dataset = build("ballroom", tmp_path)
    groups = {key: track.group for key, track in tracks(dataset).items()}
    assert groups == {  # Albums-Fire-09 is of the recording of Albums-Fire-08
        "Media-105901": "Media-1059",
        "Media-105902": "Media-1059",
        "Albums-Fire-08": "Albums-Fire",
        "Albums-Fire-10": "Albums-Fire",
        "Albums-Latin_Jam-08": "Albums-Latin_Jam",
    }
    assert values(dataset, "Media-105901") == {
        "beats": {"times": [0.18, 0.87, 1.56, 2.25], "positions": [1, 2, 3, 1]},
        "tempo": 87.0,
        "genre": "waltz",
    }
    assert values(dataset, "Media-105902")["beats"]["positions"] == [3, 1, 2]
    assert values(dataset, "Albums-Latin_Jam-08")["genre"] == "rumba"
    assert values(dataset, "Albums-Fire-10") == {"tempo": 166.0, "genre": "jive"}  # no beats


def test_gtzan_genre(tmp_path: Path) -> None:
    dataset = build("gtzan_genre", tmp_path)
    expected = {
        "blues.00029": "train",
        "hiphop.00033": "train",
        "blues.00000": "valid",
        "blues.00012": "test",
    }
    assert places(dataset) == expected
    assert values(dataset, "blues.00029") == {
        "beats": {"times": [0.4, 0.9, 1.4], "positions": None},
        "tempo": 120.0,
        "genre": "blues",
    }
    assert values(dataset, "hiphop.00033")["genre"] == "hip-hop"
    assert values(dataset, "blues.00012")["beats"]["positions"] == [1, 2, 3, 4, 1]
    everything = build("gtzan_genre", tmp_path, filtered=False)
    assert set(places(everything)) == {*expected, "jazz.00033"}  # never the damaged jazz.00054


def test_hainsworth(tmp_path: Path) -> None:
    dataset = build("hainsworth", tmp_path)
    assert values(dataset, "hains001") == {
        "beats": {"times": [0.47, 1.06, 1.63, 2.2], "positions": [2, 3, 4, 1]},
        "tempo": 100.16,
    }
    assert values(dataset, "hains002") == {"tempo": 100.16}


def test_giantsteps_tempo_takes_the_most_salient_and_leaves_out_what_has_none(
    tmp_path: Path,
) -> None:
    dataset = build("giantsteps_tempo", tmp_path)
    assert {key: values(dataset, key)["tempo"] for key in tracks(dataset)} == {
        "0": 139.0,
        "2": 128.0,
    }


def test_giantsteps_key_joins_artists(tmp_path: Path) -> None:
    dataset = build("giantsteps_key", tmp_path)
    found = {key: (t.annotations.key, t.group) for key, t in tracks(dataset).items()}
    assert found == {
        "0": ("D major", "Ada"),
        "1": ("G# minor", "Ada"),
        "2": ("B major", "Ada"),  # Bo made track 1 with Ada
        "3": ("X", "Cy"),
        "4": ("A other", "10093 - Untitled"),
    }


def test_beatport_key(tmp_path: Path) -> None:
    dataset = build("beatport_key", tmp_path)
    keys = [track.annotations.key for track in tracks(dataset).values()]
    assert keys == ["D minor", "X", "X", "D# other", "E minor"]


def test_fma_keys(tmp_path: Path) -> None:
    dataset = build("fma_keys", tmp_path)
    keys = {key: track.annotations.key for key, track in tracks(dataset).items()}
    assert keys == {"10": "C major", "141": "A# minor", "20483": "F# minor"}
    assert tracks(dataset)["141"].audio.name == "000141.mp3"


def test_tinysol_splits_by_fold_or_at_random(tmp_path: Path) -> None:
    dataset = build("tinysol", tmp_path)
    flute, trumpet, contrabass = "Fl-ord-C4-mf-N-T14d", "TpC-ord-F#5-ff-N-N", "Cb-ord-A2-mf-2c-N"
    assert places(dataset) == {flute: "test", trumpet: "valid", contrabass: "train"}
    assert places(build("tinysol", tmp_path, fold=4)) == {
        contrabass: "test",
        flute: "valid",
        trumpet: "train",
    }
    assert len(places(build("tinysol", tmp_path, fold=None))) == 3
    assert values(dataset, trumpet) == {"pitch": "F#5", "instrument": "trumpet in C"}
    assert values(dataset, contrabass) == {"pitch": "A2", "instrument": "contrabass"}


def test_rwc_popular(tmp_path: Path) -> None:
    dataset = build("rwc_popular", tmp_path)
    assert [track.group for track in tracks(dataset).values()] == ["Aki", "Ben", "Aki"]
    assert values(dataset, "RM-P001") == {
        "chords": {
            "intervals": [[0.0, 0.104], [0.104, 1.858], [1.858, 3.0]],
            "labels": ["N", "Ab:min", "Bb:maj(*3)"],
        },
        "beats": {
            "times": [0.04, 0.47, 0.9, 1.34, 1.77, 2.2, 2.63],
            "positions": [3, 4, 1, 2, 3, 4, 1],
        },
        "sections": {"intervals": [[0.04, 1.26], [1.26, 3.0]], "labels": ["intro", "chorus A"]},
        "tempo": 135.0,
    }


def test_beatles(tmp_path: Path) -> None:
    dataset = build("beatles", tmp_path)
    assert values(dataset, "0111") == {
        "chords": HARMONY,  # one label of no duration fell out
        "key": "C# minor",  # it lasts longest
        "keys": KEYS,
        "beats": {
            "times": [0.249, 0.749, 1.249, 1.749, 2.249, 2.749],
            "positions": [2, 3, 4, 1, 2, 3],  # "New Point" filled in
        },
        "sections": {"intervals": [[0.0, 0.5], [0.5, 3.0]], "labels": ["silence", "verse"]},
    }
    assert set(values(dataset, "10212")) == {"chords", "sections"}
    assert tracks(dataset)["0112"].group == "01_-_Please_Please_Me"
    assert tracks(dataset)["10212"].group == "10_-_The_Beatles"  # the album's second record


def test_queen(tmp_path: Path) -> None:
    found = values(build("queen", tmp_path), "0")
    assert found["chords"]["labels"] == ["N", "Bb:maj6", "C:sus2/5"]
    assert found["key"] == "A# major"
    assert found["keys"] == {
        "intervals": [[0.456, 2.139], [2.139, 3.0]],
        "labels": ["A# major", "D# major"],
    }
    assert found["sections"]["labels"] == ["silence", "intro"]


def test_guitarset(tmp_path: Path) -> None:
    dataset = build("guitarset", tmp_path)
    by_player = {key[:2]: split for key, split in places(dataset).items()}
    assert by_player == {"00": "train", "03": "train", "04": "valid", "05": "test"}
    assert values(dataset, "03_BN3-120-Eb_solo") == {
        "chords": {"intervals": [[0.0, 1.5], [1.5, 3.0]], "labels": ["G:maj", "F#:hdim7"]},
        "key": "D# major",
        "beats": {"times": [0.5, 1.0, 1.5, 2.0, 2.5], "positions": [1, 2, 3, 4, 1]},
        "onsets": [0.5, 0.532, 2.0],  # strums within 30 ms are one onset
        "tempo": 120.0,
    }
    assert tracks(dataset)["05_BN3-120-A_comp"].audio.name == "05_BN3-120-A_comp_mix.wav"


def test_medley_solos_db(tmp_path: Path) -> None:
    dataset = build("medley_solos_db", tmp_path)
    assert places(dataset) == {"aaaa": "train", "bbbb": "train", "cccc": "valid", "dddd": "test"}
    assert tracks(dataset)["aaaa"].group == tracks(dataset)["bbbb"].group == "song 7"
    assert values(dataset, "cccc") == {"instrument": "distorted electric guitar"}


def test_openmic2018(tmp_path: Path) -> None:
    dataset = build("openmic2018", tmp_path)
    assert {track.id for track in dataset.splits()["test"]} == {"000135_483840"}
    assert values(dataset, "000046_3840") == {"tags": {"flute": 1.0}}
    assert values(dataset, "000200_10") == {"tags": {}}
    groups = {key: track.group for key, track in tracks(dataset).items()}
    assert groups["000046_3840"] == groups["000178_3840"] == "Nicky"
    assert groups["000200_10"] == "000200_10"  # no artist is named


def test_mtg_jamendo_moodtheme(tmp_path: Path) -> None:
    name = "mtg_jamendo_autotagging_moodtheme"
    dataset = build(name, tmp_path)
    first, second, third = "track_0000948", "track_0003346", "track_0003524"
    assert len(dataset.tags) == 56
    assert places(dataset) == {first: "train", second: "valid", third: "test"}
    assert places(build(name, tmp_path, split=1)) == {
        second: "train",
        third: "valid",
        first: "test",
    }
    assert values(dataset, second) == {"tags": {"happy": 1.0, "film": 1.0}}
    assert tracks(dataset)[first].group == "artist_000087"


def test_irmas(tmp_path: Path) -> None:
    dataset = build("irmas", tmp_path)
    groups = {key: track.group for key, track in tracks(dataset).items()}
    assert groups == {
        "0189__1": "train 0189",
        "0189__2": "train 0189",
        "2401__3": "train 2401",
        "1": "test 02 - A Song",
        "2": "test 02 - A Song",
    }
    assert [track.id for track in dataset.splits()["test"]] == ["1", "2"]
    assert values(dataset, "1") == {"tags": {"electric guitar": 1.0, "voice": 1.0}}
    assert values(dataset, "0189__2") == {"tags": {"clarinet": 1.0}}


def test_salami(tmp_path: Path) -> None:
    dataset = build("salami", tmp_path)
    groups = {key: track.group for key, track in tracks(dataset).items()}
    assert groups == {"2": "The_Band", "192": "track 192", "1015": "The_Band"}
    for key in groups:  # the third song has the second annotator alone
        assert values(dataset, key) == {"sections": STRUCTURE}


def test_a_run_finds_it_in_the_data_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miniature("guitarset", tmp_path / "home" / "guitarset")
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setitem(ENCODERS._factories, "bands", Bands)
    config = make_config(
        {
            "encoders": ["bands"],
            "tasks": ["key", "chord", "beat"],
            "dataset": "guitarset",
            "layers": "all",
            "data_home": tmp_path / "home",
            "cache_dir": tmp_path / "cache",
            "results_dir": tmp_path / "results",
        }
    )
    result = run(config)
    assert result.failures == {}
    assert result.problems == {}
    assert set(result.scores["task"]) == {"key", "chord", "beat"}
    assert set(result.scores["n"]) == {2}
