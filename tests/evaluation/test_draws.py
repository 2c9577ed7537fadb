"""Encoders that are families of draws, and training tracks that are dealt several times."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import Workbench

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import SPLITS, Annotations, Split, Track
from mirprobe.embedding.embedder import Keys
from mirprobe.evaluation.cells import Splits, deal, fold
from mirprobe.evaluation.runner import run
from mirprobe.reporting.run_tables import read_differences

FAMILY = '''
import torch
from mirprobe import Tokens


class Rows:
    """Random projections of log magnitudes; a family unless `seed` is given."""

    sample_rate, window, frame_rate = 8000, None, 8.0
    layers, dim, sources = ("a",), 6, ("sequence",)

    def __init__(self, seed=None):
        self.draw_option = "seed" if seed is None else ""
        self.seed = seed or 0
        self.fingerprint = f"rows-{self.seed}"

    def __call__(self, audio):
        frames = audio.shape[-1] // 1000
        windows = audio[:, : frames * 1000].reshape(len(audio), frames, 1000)
        heights = torch.fft.rfft(windows).abs().clamp_min(1e-3).log()
        generator = torch.Generator().manual_seed(self.seed)
        weights = torch.randn(heights.shape[-1], self.dim, generator=generator)
        return Tokens(sequence=(heights @ weights)[:, :, None])
'''


def splits(sizes: dict[str, int]) -> Splits:
    """Three tracks a group."""
    made: dict[Split, list[tuple[Track, Keys]]] = {}
    for split in SPLITS:
        names = [f"{split}-{number}" for number in range(sizes[split])]
        tracks = [
            Track(n, Path(n), f"{split}-{i // 3}", Annotations()) for i, n in enumerate(names)
        ]
        made[split] = [(track, {"clip": track.id}) for track in tracks]
    return made


def test_a_deal_keeps_groups_and_sizes_and_the_test_split() -> None:
    before = splits({"train": 30, "valid": 12, "test": 6})
    both = {track.id for split in ("train", "valid") for track, _ in before[split]}
    seen = set()
    for resample in range(1, 20):
        after = deal(before, resample)
        assert after["test"] == before["test"]
        assert (len(after["train"]), len(after["valid"])) == (30, 12)
        ids = {split: {track.id for track, _ in after[split]} for split in ("train", "valid")}
        assert ids["train"] | ids["valid"] == both
        groups = [{track.group for track, _ in after[split]} for split in ("train", "valid")]
        assert not groups[0] & groups[1]
        assert deal(before, resample) == after
        seen.add(frozenset(ids["train"]))
    assert len(seen) == 19


@pytest.mark.parametrize("folds", [2, 5, 14])
def test_each_track_validates_in_one_fold_and_trains_in_the_others(folds: int) -> None:
    before = splits({"train": 30, "valid": 12, "test": 6})
    both = sorted(track.id for split in ("train", "valid") for track, _ in before[split])
    seen: list[str] = []
    for number in range(folds):
        after = fold(before, number, folds)
        assert after["test"] == before["test"]
        valid, train = (
            {track.id: track.group for track, _ in after[split]} for split in ("valid", "train")
        )
        assert not set(valid.values()) & set(train.values())
        assert sorted([*valid, *train]) == both
        assert abs(len(valid) - 42 / folds) < 3
        seen += valid
    assert sorted(seen) == both


def test_fewer_groups_than_folds_are_refused() -> None:
    before = splits({"train": 30, "valid": 12, "test": 6})
    with pytest.raises(ConfigError, match=r"15 folds need as many groups .* there are 14"):
        fold(before, 0, 15)


def test_a_fold_is_a_resample(tones: Tones, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, tones)
    result = run(bench.config("Bands", folds=3), encoders={"Bands": Bands()}, dataset=tones)
    assert not result.failures
    rows = result.scores[result.scores["selected"] & result.scores["main"]]
    assert rows["resample"].tolist() == [0, 1, 2]
    table = read_differences(result.folder.path)
    own = table[(table["reference"] == "") & (table["metric"] == "mirex")]
    assert own["difference"].item() == pytest.approx(rows["value"].mean())
    again = run(bench.config("Bands", folds=2), encoders={"Bands": Bands()}, dataset=tones)
    assert again.computed == 1


@pytest.mark.parametrize("options", [{"folds": 1}, {"folds": 3, "resamples": 2}])
def test_folds_are_two_or_more_and_replace_resamples(
    options: dict[str, int], tones: Tones, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="give 2 folds or more, without resamples"):
        Workbench(tmp_path, tones).config("mfcc", **options)


def test_a_cell_has_every_draw_and_deal(tones: Tones, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, tones)
    (tmp_path / "rows.py").write_text(FAMILY)
    spec = f"{tmp_path}/rows.py:Rows"
    single = f"{spec}:seed=1"
    config = bench.config(spec, single, "Bands", draws=3, resamples=2)
    result = run(config, encoders={"Bands": Bands()}, dataset=tones)
    assert not result.failures
    assert result.computed == 3
    rows = result.scores[result.scores["selected"] & result.scores["main"]]
    fits = rows.groupby("encoder")[["draw", "resample"]].apply(
        lambda own: sorted(map(tuple, own.to_numpy().tolist()))
    )
    assert fits[spec] == [(draw, deal) for draw in range(3) for deal in range(2)]
    assert fits[single] == fits["Bands"] == [(0, 0), (0, 1)]
    # chance is that of each deal, whatever the draw
    chance = result.scores[(result.scores["kind"] == "chance") & result.scores["main"]]
    of_family = chance[chance["encoder"] == spec].groupby("resample")["value"]
    assert of_family.size().tolist() == [3, 3]
    assert of_family.nunique().tolist() == [1, 1]
    of_one = chance[chance["encoder"] == single].set_index("resample")["value"]
    assert of_family.first().to_dict() == of_one.to_dict()
    # a draw is the encoder with its seed
    drawn = rows[(rows["encoder"] == spec) & (rows["draw"] == 1)]
    assert drawn["value"].tolist() == rows[rows["encoder"] == single]["value"].tolist()
    table = read_differences(result.folder.path)
    own = table[(table["reference"] == "") & (table["metric"] == "mirex")].set_index("encoder")
    for name, count in ((spec, 6), ("Bands", 2)):
        values = rows[rows["encoder"] == name]["value"]
        assert len(values) == count
        assert own["difference"][name] == pytest.approx(values.mean())
    assert "draws" in own["interval"][spec]
    assert "resamples" in own["interval"]["Bands"]
    # other numbers of draws or deals are other cells
    fewer = bench.config(spec, single, draws=2, resamples=2)
    again = run(fewer, dataset=tones)
    assert (again.computed, again.shared) == (1, 1)


@pytest.mark.parametrize("name", ["draws", "resamples"])
def test_at_least_one_draw_and_deal(name: str, tones: Tones, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0; it must be at least 1"):
        Workbench(tmp_path, tones).config("mfcc", **{name: 0})
