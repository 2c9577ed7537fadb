"""GiantSteps-MTG key in miniature: several keys, none, blanks, and what confidence leaves out."""

from __future__ import annotations

from pathlib import Path

from helpers.miniatures import refusal, text, tone, tracks_of

from mirprobe.api.registry import DATASETS
from mirprobe_tasks.datasets.giantsteps_mtg_key import GiantStepsMtgKey

USED = {
    "5061": "D# minor",
    "5881": "A major",
    "4970565": "B major ",  # with a blank, as it is there
    "6105589": "C# major ",
}
LEFT_OUT = {
    "10981": ("-", 0),
    "16484": ("A minor", 1),
    "54925": ("C minor", 0),
    "61578": ("C minor / F# minor", 2),
    "515806": ("F / F# minor", 2),
    "297150": ("A-A# minor", 2),
    "299300": ("G minor/major", 2),
    "3185928": ("A/A# minor/major", 2),
    "4311630": (" ", 0),
    "99": ("", 2),
    "98": ("X", 2),
    "97": ("C other", 2),
}


def table(root: Path) -> Path:
    rows = [f"{track}\t{key}\t2" for track, key in USED.items()]
    rows += [f"{track}\t{key}\t{confidence}" for track, (key, confidence) in LEFT_OUT.items()]
    content = "ID\tMANUAL KEY\tC\n" + "\n".join(rows) + "\n"
    return text(root / "annotations" / "annotations.txt", content)


def test_sure_single_keys_are_used(tmp_path: Path) -> None:
    table(tmp_path)
    tone(tmp_path / "audio" / "5061.LOFI.mp3")
    dataset = DATASETS.create("giantsteps_mtg_key", root=tmp_path)
    tracks = tracks_of(dataset)
    assert {track.id: track.annotations.key for track in tracks.values()} == {
        track: key.strip() for track, key in USED.items()
    }
    assert tracks["5881"].audio == tmp_path / "audio" / "5881.LOFI.mp3"
    assert set(dataset.prepare(list(tracks.values()))) == set(tracks)


def test_what_is_missing(tmp_path: Path) -> None:
    dataset = GiantStepsMtgKey(tmp_path)
    message = refusal(dataset.splits)
    assert f"{tmp_path / 'annotations' / 'annotations.txt'} is missing; clone" in message
    table(tmp_path)
    tracks = list(tracks_of(dataset).values())
    assert "all of its audio files are missing" in refusal(lambda: list(dataset.prepare(tracks)))


def test_a_table_that_is_not_the_original(tmp_path: Path) -> None:
    path = table(tmp_path)
    original = path.read_text()
    for old, new, fault in (
        ("MANUAL KEY", "KEY", "begins with"),
        ("5061\t", "x5061\t", "line 2: 'x5061' and '2' are not an id and a confidence"),
        ("A major\t2", "A major\thigh", "line 3: '5881' and 'high' are not"),
        ("A major\t2", "A major", "line 3: has 2 fields"),
    ):
        path.write_text(original.replace(old, new))
        message = refusal(GiantStepsMtgKey(tmp_path).splits)
        assert message.startswith(str(path))
        assert fault in message
