"""Copies of training tracks in the test split of a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copyfile
from zlib import crc32

import numpy as np
import pytest
from helpers.small_encoders import Bands
from helpers.tones import RATE, Tones
from helpers.workbench import Workbench

from mirprobe.api.encoder import EncoderInfo, info_of
from mirprobe.core.errors import ConfigError, PluginError
from mirprobe.core.schema import Floats, Split, Track
from mirprobe.reporting.leaderboard import leaderboard


class Leaking(Tones):
    """The first `copies` test tracks are copies of training tracks."""

    copies = 2

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        splits = super().splits()
        learned = {track.audio: track.audio.with_name(f"copy-{track.audio.name}")
                   for track in splits["train"][: self.copies]}  # fmt: skip
        test = [
            replace(track, audio=copy)
            for track, copy in zip(splits["test"], learned.values(), strict=False)
        ]
        return {**splits, "test": [*test, *splits["test"][self.copies :]]}

    def _audio(self, track: Track) -> Floats:
        """Random tones, so that no two tracks are alike."""
        rng = np.random.default_rng(crc32(track.id.encode()))
        time = np.arange(RATE // 4) / RATE
        tones = [
            np.sin(2 * np.pi * rng.uniform(300, 2000, (4, 1)) * time).sum(0) for _ in range(24)
        ]
        return super()._audio(track) * 0.02 + 0.1 * np.concatenate(tones)

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        yield from super().prepare([one for one in tracks if "copy" not in one.audio.name])
        for track in tracks:
            if "copy" in track.audio.name:
                copyfile(track.audio.with_name(track.audio.name.removeprefix("copy-")), track.audio)
                yield track.id


def test_a_run_warns_of_equal_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Workbench(tmp_path, Leaking(tmp_path / "audio"))
    with caplog.at_level(logging.WARNING):
        result = bench.run(Bands(), tasks=("tagging",))
    [line] = [own.message for own in caplog.records if "equal audio" in own.message]
    assert "2 times, such as train 'train-0' and test 'test-0'" in line
    assert set(result.scores["n"]) == {6}


def test_test_tracks_that_leak_are_left_out_and_counted(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, Leaking(tmp_path / "audio"))
    result = bench.run(Bands(), tasks=("tagging",), drop_leaks="test", perturb=["gain=-6"])
    dropped = {name for name, why in result.problems.items() if "equal audio" in why}
    assert {"test-0", "test-1"} <= dropped < {f"test-{n}" for n in range(6)}
    left = 6 - len(dropped)
    assert result.scores["conditions"].str.endswith(f"{len(dropped)} leaking tracks left out").all()
    assert set(result.scores.loc[result.scores["main"], "n"]) == {left}
    assert leaderboard(result.scores)["tracks"].iloc[0] == left


class Trained(Bands):
    """An encoder that was trained on two of the test tracks."""

    info = EncoderInfo(training_ids=("test-1", "train-0", "test-4", "elsewhere"))


def test_an_encoder_that_was_trained_on_test_tracks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = Leaking(tmp_path / "audio")
    dataset.copies = 0
    bench = Workbench(tmp_path, dataset)
    bench.run(Bands(), Trained(), tasks=("key",))
    [line] = [own.message for own in caplog.records if "declares" in own.message]
    assert line.startswith("encoder 'Trained' declares that it was trained on 2 of 6 test tracks")
    without = bench.run(Bands(), tasks=("key",), drop_leaks="test").problems
    result = bench.run(Bands(), Trained(), tasks=("key",), drop_leaks="test")
    assert {track for track in result.problems if track not in without} <= {"test-1", "test-4"}
    assert {"test-1", "test-4"} <= set(result.problems)
    assert set(result.scores.loc[result.scores["main"], "n"]) == {6 - len(result.problems)}


def test_names_that_are_text() -> None:
    class Wrong(Bands):
        info = EncoderInfo(trained_on="magnatagatune")  # type: ignore[arg-type]

    with pytest.raises(PluginError, match="trained_on of its info is text; give a tuple"):
        info_of("Wrong", Wrong())


def test_rows_say_that_no_track_was_left_out(tmp_path: Path) -> None:
    dataset = Leaking(tmp_path / "audio")
    dataset.copies = 0
    bench = Workbench(tmp_path, dataset)
    unaudited = bench.run(Bands(), tasks=("key",)).scores
    audited = bench.run(Bands(), tasks=("key",), drop_leaks="test").scores
    assert not unaudited["conditions"].str.contains("leaking").any()
    assert audited["conditions"].str.endswith("0 leaking tracks left out").all()


def test_a_test_split_of_copies(tmp_path: Path) -> None:
    dataset = Leaking(tmp_path / "audio")
    dataset.copies = 6
    with pytest.raises(ConfigError, match="all test tracks leak, so that drop_leaks leaves none"):
        Workbench(tmp_path, dataset).run(Bands(), drop_leaks="test")
