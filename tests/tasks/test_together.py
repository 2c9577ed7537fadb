"""Every built-in task through a whole run, on tones of which all is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.small_encoders import Bands
from helpers.tones import NAMES, Tones
from helpers.workbench import Workbench

from mirprobe.api.registry import TASKS
from mirprobe.core.confidence_intervals import jackknife
from mirprobe.core.schema import Segments, Split, Track
from mirprobe.evaluation.run_result import RunResult
from mirprobe.reporting.cell_file import read_cell
from mirprobe.reporting.run_tables import read_scores

BUILT_IN = (
    *("tagging", "key", "chord", "beat", "downbeat", "onset", "tempo"),
    *("pitch", "instrument", "genre", "emotion", "structure"),
)


class KnownTones(Tones):
    """Tones with every annotation: instrument and genre are told by how bright they are."""

    vocabularies: Mapping[str, tuple[str, ...]] = {
        "instrument": ("dark organ", "bright organ"),
        "genre": ("dark", "bright"),
    }

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        return {
            split: [self._known(track) for track in tracks]
            for split, tracks in super().splits().items()
        }

    def _known(self, track: Track) -> Track:
        known = track.annotations
        assert known.beats is not None
        assert known.key is not None
        tonic, tempo = known.key.split()[0], 60 / np.diff(known.beats.times)[0]
        word = "bright" if "bright" in (known.tags or {}) else "dark"
        half = self.seconds / 2
        annotations = replace(
            known,
            onsets=known.beats.times,
            tempo=float(tempo),
            pitch=f"{tonic}4",
            instrument=f"{word} organ",
            genre=word,
            emotion=(float(NAMES.index(tonic)), 5.0 * (word == "bright") - 100),
            sections=Segments(np.array([[0, half], [half, self.seconds]]), ("verse", "chorus")),
        )
        return replace(track, annotations=annotations)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, tones: Tones) -> RunResult:
    bench = Workbench(Path(tmp_path_factory.mktemp("together")), KnownTones(tones.root))
    return bench.run(Bands(), tasks=BUILT_IN)


def test_these_are_all_that_are_built_in() -> None:
    assert set(BUILT_IN) <= set(TASKS.names())


def test_every_task_is_scored_without_complaint(result: RunResult) -> None:
    assert (result.problems, result.failures) == ({}, {})
    assert set(result.scores["task"]) == set(BUILT_IN)
    kinds = result.scores.groupby("task")["kind"].unique()
    for task in BUILT_IN:
        assert {"probe", "shuffled", "chance"} <= set(kinds[task])


@pytest.mark.parametrize("task", BUILT_IN)
def test_scores_come_out_of_the_stored_predictions_exactly(
    task: str, result: RunResult, tones: Tones
) -> None:
    dataset = KnownTones(tones.root)
    built = TASKS.create(task, dataset)
    truth = {track.id: track.annotations for track in dataset.splits()["test"]}
    groups = [track.group for track in dataset.splits()["test"]]
    cell = read_cell(result.folder.cell_path("Bands", task))
    names = ["kind", "decoding", "layer", "source", "seed"]
    table = read_scores(result.folder.path)
    rows = table[table["task"] == task].set_index([*names, "metric"])
    compared = 0
    for one in cell.predictions:
        references = [truth[track] for track in one.tracks]
        for metric, statistic in built.score(references, list(one.tracks.values())).items():
            row = rows.loc[(*(getattr(one, name) for name in names), metric)]
            again = jackknife(statistic, groups[: len(references)])
            ends = again.interval
            expected = [again.value, ends.low, ends.high]
            np.testing.assert_array_equal([row["value"], row["low"], row["high"]], expected)
            assert (row["groups"], row["interval"]) == (again.groups, ends.text)
            assert row["n"] == statistic.tracks
            compared += 1
    assert compared == (rows.index.get_level_values("kind") != "chance").sum()


@pytest.mark.parametrize("task", BUILT_IN)
def test_one_row_an_encoder_task_and_metric_is_selected(task: str, result: RunResult) -> None:
    rows = result.scores[(result.scores["task"] == task) & result.scores["selected"]]
    assert rows["metric"].tolist() == list(dict.fromkeys(rows["metric"]))
    assert set(rows["metric"]) == set(result.scores[result.scores["task"] == task]["metric"])


def main_values(result: RunResult, task: str) -> pd.Series:
    controls = result.scores["kind"] != "probe"
    rows = result.scores[result.scores["main"] & (result.scores["selected"] | controls)]
    return rows[rows["task"] == task].groupby("kind")["value"].max()


@pytest.mark.parametrize("task", ["tagging", "beat", "onset", "instrument", "genre"])
def test_what_the_bands_show_is_found(result: RunResult, task: str) -> None:
    found = main_values(result, task)
    assert found["probe"] > 0.9
    assert found["probe"] > found["chance"] + 0.2


def test_how_bright_a_tone_is_is_read_as_a_number(result: RunResult) -> None:
    rows = result.scores[result.scores["metric"] == "r2_arousal"]
    rows = rows[rows["selected"] | (rows["kind"] != "probe")]
    values = rows.set_index("kind")["value"]
    assert values["probe"] > 0.8
    assert values["chance"] == pytest.approx(0, abs=0.01)
    assert values["shuffled"] < 0.3
    cell = read_cell(result.folder.cell_path("Bands", "emotion"))
    for row in cell.predictions:
        pairs = np.array([track.emotion for track in row.tracks.values()])
        assert pairs.shape == (6, 2)
        assert (pairs[:, 1] < -90).all()  # in the unit of the targets


def test_ceilings(result: RunResult) -> None:
    for task in ("beat", "downbeat", "onset", "structure"):
        assert main_values(result, task)["ceiling"] == 1
