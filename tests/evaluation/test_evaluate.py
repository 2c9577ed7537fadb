from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import soundfile
from helpers.small_encoders import Bands, Failing
from helpers.stub_task import StubTask
from helpers.tones import Tones
from helpers.workbench import QUICK
from torch import Tensor

import mirprobe
from mirprobe.api.dataset import Dataset
from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
from mirprobe.core.errors import ConfigError, MirprobeError
from mirprobe.core.schema import SPLITS, Split, Tokens, Track
from mirprobe.probing import probes
from mirprobe.reporting.run_tables import COLUMNS, read_scores


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.chdir(tmp_path)


class Thirds:
    """The tones again, with a key that the task of the tests knows."""

    name = "thirds"
    tags: tuple[str, ...] = ()
    trim = 0.0

    def __init__(self, tones: Tones) -> None:
        self.tones = tones

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        return {
            split: [
                Track(t.id, t.audio, t.group, mirprobe.Annotations(key="abc"[number % 3]))
                for number, t in enumerate(self.tones.splits()[split])
            ]
            for split in SPLITS
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        return iter(())


def test_instances_are_scored_as_they_are(tones: Tones) -> None:
    encoder, task = Bands(), StubTask()
    dataset: Dataset = Thirds(tones)
    table = mirprobe.evaluate([encoder], [task], dataset, layers="all")
    assert list(table.columns) == COLUMNS
    assert encoder.calls > 0
    assert task.decoded
    assert set(table["encoder"]) == {"Bands"}
    assert set(table["task"]) == {"stub"}
    assert set(table["dataset"]) == {"thirds"}
    probe = table[(table["kind"] == "probe") & table["main"]].set_index("layer")["value"]
    assert probe["bands"] == 1 > probe["noise"]


def test_the_table_says_where_it_lies(tones: Tones) -> None:
    table = mirprobe.evaluate([Bands()], ["key"], tones)
    folder = Path(table.attrs["run"])
    assert folder.parent == Path("results")
    assert read_scores(folder)["metric"].tolist() == table["metric"].tolist()
    assert table.attrs["problems"] == {}
    assert Path("embeddings_cache/entries").is_dir()


def test_tracks_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    tones = Tones(tmp_path / "audio", seconds=3.0)
    list(tones.prepare([track for tracks in tones.splits().values() for track in tracks]))
    soundfile.write(tmp_path / "audio" / "train-0-3.wav", [0.0] * 100, 16_000)
    table = mirprobe.evaluate([Bands()], ["key"], tones)
    assert list(table.attrs["problems"]) == ["train-0"]
    assert "is silent" in table.attrs["problems"]["train-0"]
    with pytest.raises(MirprobeError, match=r"track 'train-0'.*is silent"):
        mirprobe.evaluate([Bands()], ["key"], tones, strict=True)


def test_names_and_instances_mix(tones: Tones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS._factories, "bands", Bands)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: tones)
    table = mirprobe.evaluate(["bands", Bands()], ["key"], "tones", limit=6)
    assert set(table["encoder"]) == {"bands", "Bands"}
    values = [table[table["encoder"] == name]["value"].tolist() for name in ("bands", "Bands")]
    assert values[0] == values[1]
    assert set(table["n"]) == {6}


def test_one_name_may_stand_alone(tones: Tones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENCODERS._factories, "bands", Bands)
    table = mirprobe.evaluate("bands", "key", tones)
    assert set(zip(table["encoder"], table["task"], strict=True)) == {("bands", "key")}


def test_registered_plugins_are_scored_by_name(
    tones: Tones, monkeypatch: pytest.MonkeyPatch
) -> None:
    for registry in (ENCODERS, TASKS, DATASETS):
        monkeypatch.setattr(registry, "_factories", {})

    @mirprobe.register_encoder("loudness")
    class Loudness:
        sample_rate, window, frame_rate = 16_000, 1.0, None
        layers, dim, sources = ("power",), 1, ("class",)
        fingerprint = mirprobe.digest("loudness", 1)

        def __call__(self, audio: Tensor) -> Tokens:
            return mirprobe.Tokens(class_token=audio.square().mean(1)[:, None, None])

    @mirprobe.register_task("thirds")
    class ThirdsTask(StubTask):
        name = "thirds"

        def __init__(self, dataset: Dataset) -> None:
            super().__init__()

    mirprobe.register_dataset("thirds")(lambda root: Thirds(tones))
    table = mirprobe.evaluate(["loudness"], ["thirds"], "thirds")
    assert set(table[table["kind"] == "probe"]["layer"]) == {"power"}
    assert table["value"].between(0, 1).all()


def test_failures_raise_after_the_others_are_saved(tones: Tones) -> None:
    with pytest.raises(MirprobeError, match="encoder 'Failing' raised RuntimeError: out of ideas"):
        mirprobe.evaluate([Failing(), Bands()], ["key"], tones)
    (folder,) = Path("results").iterdir()
    assert set(read_scores(folder)["encoder"]) == {"Bands"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limits": 3}, "unknown field 'limits'; did you mean 'limit'"),
        ({"seeds": "0"}, "field 'seeds' is '0'; it takes a list of int"),
        ({"preset": "papper"}, "did you mean 'paper'"),
    ],
)
def test_options_are_those_of_the_configuration(
    options: dict[str, Any], message: str, tones: Tones
) -> None:
    with pytest.raises(ConfigError, match=message):
        mirprobe.evaluate([Bands()], ["key"], tones, **options)


def test_two_encoders_of_one_name_are_refused(tones: Tones) -> None:
    with pytest.raises(ConfigError, match="'encoders' names one twice: Bands, Bands"):
        mirprobe.evaluate([Bands(), Bands()], ["key"], tones)
