"""What a run makes of bad tracks, bad plug-ins and being killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from helpers.interrupted_run import Slow
from helpers.paths import HELPERS, TESTS
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import SPLITS, Annotations, Beats, Segments, Split, Track
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)


class Changed:
    """The tones with some of their tracks changed."""

    name = "tones"
    tags = Tones.tags
    trim = Tones.trim

    def __init__(self, tones: Tones, changes: Mapping[str, Mapping[str, Any]]) -> None:
        self.tones = tones
        self.changes = changes

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        splits = self.tones.splits()
        return {
            split: [replace(track, **self.changes.get(track.id, {})) for track in splits[split]]
            for split in SPLITS
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        return iter(())


def known(tones: Tones, name: str) -> Annotations:
    return next(t for tracks in tones.splits().values() for t in tracks if t.id == name).annotations


@pytest.fixture
def spoilt(tones: Tones, tmp_path: Path) -> Changed:
    """Six bad tracks: audio cut, silent and gone; annotations missing, malformed and too long."""
    (tmp_path / "cut.wav").write_bytes((tones.root / "train-0-6.wav").read_bytes()[:5000])
    soundfile.write(tmp_path / "silent.wav", np.zeros(16_000), 16_000)
    chords = known(tones, "train-4").chords
    assert chords is not None
    late = Segments(chords.intervals * 10, chords.labels)
    return Changed(
        tones,
        {
            "train-0": {"audio": tmp_path / "cut.wav"},
            "train-1": {"audio": tmp_path / "silent.wav"},
            "train-2": {"audio": tmp_path / "gone.wav"},
            "valid-0": {"annotations": Annotations(key="C major")},
            "test-0": {
                "annotations": Annotations(
                    key="C major", chords=Segments(np.array([[0.0, np.nan]]), ("C:maj",))
                )
            },
            "train-4": {"annotations": Annotations(key="E major", chords=late)},
        },
    )


REASONS = {
    "train-0": "cut.wav: truncated",
    "train-1": "silent.wav: is silent",
    "train-2": "gone.wav: no such audio file",
    "valid-0": "chord: has no annotation 'chords'",
    "test-0": "chord: 'chords' has a time that is negative or not a number",
    "train-4": "chord: 'chords' ends at 60.00 s but the audio at 6.00 s",
}


def test_bad_tracks_are_reported_by_every_run(spoilt: Changed, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, spoilt)
    tasks = ["key", "chord"]
    first = bench.run(Bands(), tasks=tasks)
    assert set(first.problems) == set(REASONS)
    for track, reason in REASONS.items():
        assert reason in first.problems[track]
        assert "\n" not in first.problems[track]
    assert first.failures == {}
    tested = first.scores.groupby("task")["n"].unique()
    assert tested["key"].tolist() == [6]
    assert tested["chord"].tolist() == [5]
    second = bench.run(Bands(), tasks=tasks)
    assert second.computed == 0
    assert second.problems == first.problems


def test_strict_makes_a_bad_track_fatal(spoilt: Changed, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, spoilt)
    with pytest.raises(TrackError, match=r"^track 'train-[012]': "):
        bench.run(Bands(), strict=True)
    bench.run(Bands())
    # also where the cell is finished and no audio is looked at
    with pytest.raises(TrackError, match=r"^track 'train-[012]': "):
        bench.run(Bands(), strict=True)
    bench.dataset = Changed(spoilt.tones, {})
    assert bench.run(Bands(), strict=True).problems == {}


def test_a_track_that_is_mended_is_used_again(spoilt: Changed, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, spoilt)
    bench.run(Bands(), tasks=["chord"])
    bench.dataset = spoilt.tones
    result = bench.run(Bands(), tasks=["chord"])
    assert (result.computed, result.problems) == (1, {})
    assert result.scores["n"].unique().tolist() == [6]


def test_malformed_beats_cost_their_track_alone(tones: Tones, tmp_path: Path) -> None:
    beats = Beats(np.array([1.0, np.inf]))
    bad = Changed(tones, {"train-3": {"annotations": Annotations(beats=beats)}})
    result = Workbench(tmp_path, bad).run(Bands(), tasks=["beat"], limit=4)
    assert list(result.problems) == ["train-3"]
    assert len(result.scores)


def test_a_split_without_usable_tracks_costs_its_cell(tones: Tones, tmp_path: Path) -> None:
    changes = {f"valid-{n}": {"annotations": Annotations(key="C major")} for n in range(6)}
    result = Workbench(tmp_path, Changed(tones, changes)).run(Bands(), tasks=["key", "chord"])
    assert list(result.failures) == ["Bands x chord"]
    assert "no usable track in split 'valid'" in result.failures["Bands x chord"]
    assert set(result.scores["task"]) == {"key"}


def test_two_tracks_of_one_name_are_refused(tones: Tones, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, Changed(tones, {"test-1": {"id": "train-1"}}))
    with pytest.raises(ConfigError, match="data set 'tones' has two tracks 'train-1'"):
        bench.run(Bands())


INTERRUPTED = "interrupted: finished work is kept; the same command continues from there"


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not list(path.glob("*/predictions/bands__key.json.gz")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        (signal.SIGKILL, -signal.SIGKILL, []),
        (signal.SIGINT, 130, [INTERRUPTED]),
        (signal.SIGTERM, 143, [INTERRUPTED]),
    ],
)
def test_the_next_run_goes_on_where_one_was_killed(
    sent: int, status: int, said: list[str], tones: Tones, tmp_path: Path
) -> None:
    bench = Workbench(tmp_path, tones)
    folders = [str(tones.root), str(tmp_path / "cache"), str(tmp_path / "results")]
    process = subprocess.Popen(
        [sys.executable, str(HELPERS / "interrupted_run.py"), *folders],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SLEEP": "60", "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
    )
    wait_for(tmp_path / "results", process)
    time.sleep(0.3)  # into the second cell
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (status, "")
    assert err.splitlines() == said
    tasks: dict[str, Task] = {"slow": Slow(tones)}
    options = {"tasks": ["key", "slow"], "layers": "thirds"}
    config = bench.config("bands", **options)
    ((name, stamp),) = [
        (path, path.stat().st_mtime_ns) for path in (tmp_path / "results").rglob("*.json.gz")
    ]
    content = name.read_bytes()
    encoder = Bands()
    result = run(config, encoders={"bands": encoder}, tasks=tasks, dataset=tones)
    assert (result.computed, encoder.calls) == (1, 1)  # one cached track is encoded again
    assert (name.read_bytes(), name.stat().st_mtime_ns) == (content, stamp)
    calm = Workbench(tmp_path / "calm", tones).config("bands", **options)
    undisturbed = run(calm, encoders={"bands": Bands()}, tasks=tasks, dataset=tones)
    assert undisturbed.computed == 2
    tables = [r.folder.path / "scores.csv" for r in (result, undisturbed)]
    assert tables[0].read_bytes() == tables[1].read_bytes()
