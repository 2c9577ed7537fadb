"""`mirprobe emergence` from end to end, on tones of known truth and on a small studio."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from helpers.small_vit1d import SMALL, small_checkpoint
from helpers.tones import RATE, Tones
from helpers.workbench import QUICK
from typer.testing import CliRunner

from mirprobe.api.registry import DATASETS
from mirprobe.cli.app import app
from mirprobe.core.atomic_write import LEFTOVERS
from mirprobe.core.errors import ConfigError
from mirprobe.core.hashing import file_digest
from mirprobe.core.schema import Segments, Split, Track
from mirprobe.emergence import attention_maps as attention
from mirprobe.emergence import onset_scores, probing, similarity_scores
from mirprobe.emergence.attention_maps import READINGS
from mirprobe.emergence.models import (
    InspectedModel,
    WithClassToken,
    random_encoder,
    random_specs,
    trained_spec,
)
from mirprobe.emergence.usable_tracks import usable_tracks
from mirprobe.encoders.encode import pool
from mirprobe.probing import probes
from mirprobe.vit1d import checkpoint as shipped
from mirprobe.vit1d.model import CONFIGS

SEEDS = ("--seeds", 2, "--probe-seeds", 2)
TABLES = ("onsets.csv", "similarity.csv", "sources.csv")
WRITTEN = {*TABLES, "onsets.png", "similarity.png", "sources.png", "emergence.json", "README.md"}


class Annotated(Tones):
    """The tones, with their clicks as onsets and two sections."""

    name = "annotated"

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        return {
            split: [self._annotated(track) for track in tracks]
            for split, tracks in super().splits().items()
        }

    def _annotated(self, track: Track) -> Track:
        assert track.annotations.beats is not None
        intervals = np.array([[0.0, 2.0], [2.0, 4.0], [4.0, 6.0]])
        annotations = replace(
            track.annotations,
            onsets=track.annotations.beats.times,
            sections=Segments(intervals, ("a", "b", "a")),
            key="C major" if track.id[-1] in "01" else track.annotations.key,
        )
        return replace(track, annotations=annotations)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tones: Tones) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    monkeypatch.setitem(DATASETS._factories, "tones", lambda root: tones)
    monkeypatch.setitem(DATASETS._factories, "annotated", lambda root: Annotated(tones.root))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_checkpoint(tmp_path_factory.mktemp("weights"))


def emergence(*words: object) -> tuple[int, str]:
    jobs = () if "--jobs" in words else ("--jobs", "1")
    done = CliRunner().invoke(app, ["emergence", *jobs, *map(str, words)])
    return done.exit_code, done.output


def folders(tmp_path: Path) -> list[object]:
    return ["-o", tmp_path / "out", "--cache-dir", tmp_path / "cache"]


def test_all_parts_on_annotated_tones(checkpoint: Path, tmp_path: Path) -> None:
    words = ["--dataset", "annotated", "--checkpoint", checkpoint, *SEEDS]
    code, said = emergence(*words, *folders(tmp_path))
    assert code == 0, said
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {*WRITTEN, "runs"}
    assert not list(out.rglob(LEFTOVERS))

    heard = pd.read_csv(out / "onsets.csv")
    assert list(heard) == onset_scores.COLUMNS
    assert heard.groupby("model", sort=False).size().to_dict() == {
        "flux": 1, "even": 1, "uniform": 1, "trained": 9, "random": 18,
    }  # fmt: skip
    assert heard[heard["model"] == "trained"]["reading"].isin(list(READINGS)).all()
    assert heard[heard["selected"]].groupby(["model", "seed"]).size().tolist() == [1, 1, 1]
    flux = heard[heard["model"] == "flux"].iloc[0]
    assert flux["value"] > 0.95  # clicks
    assert (heard["n"] == 6).all()
    assert (heard["low"] <= heard["value"] + 1e-9).all()

    alike = pd.read_csv(out / "similarity.csv")
    assert list(alike) == similarity_scores.COLUMNS
    mine = alike[alike["model"] == "trained"]
    assert mine.groupby("relation").size().to_dict() == {
        "chord": 3, "beat": 3, "section": 3, "key": 9, "tags": 9,
    }  # fmt: skip
    chroma = alike[(alike["model"] == "chroma") & (alike["relation"] == "chord")].iloc[0]
    assert chroma["value"] > 0.95  # sustained triads

    probed = pd.read_csv(out / "sources.csv", keep_default_na=False)
    assert list(probed) == probing.COLUMNS
    assert set(probed["task"]) == {"tagging", "key", "chord", "beat"}
    own = probed[(probed["task"] == "key") & (probed["model"] == "trained")]
    assert own.groupby("source").size().to_dict() == {
        "class": 3, "sequence": 3, "both": 3, "equal": 3, "concat": 3,
    }  # fmt: skip
    assert set(probed[probed["task"] == "beat"]["model"]) == {"trained", "random", "logmel"}

    page = (out / "README.md").read_text()
    for number in range(1, 6):
        assert f"## Claim {number}: " in page
    for figure in ("onsets", "similarity", "sources"):
        assert f"({figure}.png)" in page
        assert (out / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    best = heard[(heard["model"] == "trained") & heard["selected"]].iloc[0]
    assert f"{best['value']:.3f} ({best['low']:.3f} to {best['high']:.3f})" in page
    assert file_digest(checkpoint) in page
    told = json.loads((out / "emergence.json").read_text())
    assert told["checkpoint"]["sha256"] == file_digest(checkpoint)
    assert told["tracks"] == {"valid": 6, "test": 6}
    assert told["model"] == SMALL.as_dict()
    assert str(tmp_path) not in page + json.dumps(told)

    before = {name: (out / name).read_bytes() for name in WRITTEN}
    code, said = emergence(*words, *folders(tmp_path))  # the probes are not trained again
    assert code == 0, said
    assert {name: (out / name).read_bytes() for name in WRITTEN} == before


@pytest.fixture
def without_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chord and beat are not probed: their decoding takes most of the time."""
    monkeypatch.setattr(probing, "LOCAL", ())


@pytest.mark.usefixtures("without_local")
def test_a_small_studio(checkpoint: Path, tmp_path: Path) -> None:
    words = ["--dataset", "studio:size=72", "--limit", 3, *SEEDS]
    words += ["--checkpoint", checkpoint]
    code, said = emergence(*words, *folders(tmp_path))
    assert code == 0, said
    page = (tmp_path / "out" / "README.md").read_text()
    assert "`studio:size=72`: 3 validation tracks, 3 test tracks" in page
    assert "no pair of it: key" in page  # each key once
    assert "2 seeds in claims 4 and 5, 2 in claims 1 to 3" in page


@pytest.mark.usefixtures("without_local")
def test_what_a_data_set_lacks_is_not_asked(checkpoint: Path, tmp_path: Path) -> None:
    words = ["--dataset", "tones", *SEEDS, "--checkpoint", checkpoint]
    code, said = emergence(*words, *folders(tmp_path))
    assert code == 0, said
    page = (tmp_path / "out" / "README.md").read_text()
    assert "## Claim 4: not testable" in page
    assert "Skipped: no validation or no test track has onsets." in page
    assert not (tmp_path / "out" / "onsets.png").exists()
    assert "4. not testable" in said


@pytest.mark.usefixtures("without_local")
def test_a_track_that_cannot_be_read_is_left_out_and_named(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Annotated(tmp_path / "tones")
    tracks = broken.splits()
    for _ in broken.prepare([track for own in tracks.values() for track in own]):
        pass
    tracks["test"][2].audio.write_bytes(b"")
    soundfile.write(tracks["valid"][1].audio, np.full(RATE, 0.1), RATE)  # chords outlast it
    monkeypatch.setitem(DATASETS._factories, "annotated", lambda root: broken)
    words = ["--dataset", "annotated", *SEEDS, "--checkpoint", checkpoint]
    code, said = emergence(*words, *folders(tmp_path))
    assert code == 0, said
    assert "left out: track 'test-2'" in said
    page = (tmp_path / "out" / "README.md").read_text()
    assert "5 validation tracks, 5 test tracks" in page
    assert "- test-2: " in page


def test_a_split_without_a_usable_track_is_an_error(tmp_path: Path) -> None:
    tones = Annotated(tmp_path / "never rendered")
    with pytest.raises(ConfigError, match="no track of split 'valid' can be used"):
        usable_tracks(tones.splits(), RATE, 1)


def test_processes_find_what_one_finds(tones: Tones) -> None:
    splits = tones.splits()
    one = usable_tracks(splits, RATE, 1)
    two = usable_tracks(splits, RATE, 2)
    assert [track.id for track in one[0]["test"]] == [track.id for track in two[0]["test"]]
    assert one[1] == two[1] == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--checkpoint", "none.safetensors"], "none.safetensors: "),
        (["--checkpoint", "alien.safetensors"], "damaged or not a safetensors file"),
        (["--dataset", "tonse"], "unknown data set 'tonse'"),
        (["--dataset", "studio:size=100"], "studio: size 100"),
        (["--seeds", 1], "--seeds is 1; it must be at least 2"),
        (["--probe-seeds", 1], "--probe-seeds is 1; it must be at least 2"),
        (["--seed", -1], "--seed is -1; it must be at least 0"),
        (["--jobs", -1], "--jobs is -1; it must be at least 1"),
        (["--limit", 0], "limit is 0"),
        (["--device", "gpu"], "device 'gpu' cannot be used"),
        (["-o", "alien.safetensors/out"], "cannot be created"),
    ],
)
def test_bad_input_is_one_line(
    words: list[object], message: str, checkpoint: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("alien.safetensors").write_bytes(b"PK not safetensors")
    given = [] if "--checkpoint" in words else ["--checkpoint", checkpoint]
    code, said = emergence(*given, *words)
    assert code == 2
    (line,) = said.strip().splitlines()
    assert line.startswith("error: ")
    assert message in line


def test_without_shipped_weights_it_asks_for_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "none")
    code, said = emergence(*folders(tmp_path))
    assert (code, len(said.splitlines())) == (2, 1)
    assert "--checkpoint" in said


def test_curves_and_tokens_lie_on_the_track_s_grid(checkpoint: Path) -> None:
    model = InspectedModel(trained_spec(checkpoint))
    audio = np.random.default_rng(0).normal(0, 0.1, round(2.5 * RATE)).astype(np.float32)
    seen = model.inspect(audio)
    frames = len(audio) // 512 + 1
    assert seen.curves.shape == (frames, 3, 3, len(READINGS))
    assert seen.tokens.shape == (frames, 3, 16)
    assert seen.class_tokens.shape == (3, 3, 16)  # windows of 0.992 s
    assert seen.logmel.shape == (frames, 32)
    # the first window alone: 32 frames as the whole track has them
    tokens, curves = attention.tokens_and_curves(
        model._model, torch.from_numpy(seen.logmel[None, :32])
    )
    np.testing.assert_allclose(seen.tokens[:31], tokens[0, 1:32], atol=1e-5)
    # where two windows meet, curves are read in the one that knows the frame before
    np.testing.assert_allclose(seen.curves[:32], curves[0], atol=1e-5)
    rises = seen.curves[..., list(READINGS).index("received-rise")]
    assert not rises[0].any()
    assert rises[31].any()


def test_random_weights_are_those_that_the_cache_knows() -> None:
    (twin,) = random_specs(CONFIGS["vit1d"], 1)
    assert twin.encoder().fingerprint == random_encoder(CONFIGS["vit1d"], 0).fingerprint
    assert type(twin.encoder()).__name__ == "RandomViT1D"
    small, other = (random_encoder(SMALL, seed) for seed in (0, 1))
    assert small.fingerprint != other.fingerprint


def test_the_class_token_joins_the_mean_of_the_sequence() -> None:
    encoder = random_encoder(SMALL, 0)
    audio, valid = torch.randn(2, RATE) / 10, torch.ones(2, 32)
    valid[1, 20:] = 0
    tokens = encoder(audio)
    assert tokens.sequence is not None
    valid = valid[:, : tokens.sequence.shape[1]]
    pooled = pool(tokens, valid, ("class", "sequence")).unbind(1)
    equal, concat = (WithClassToken(encoder, join) for join in ("equal", "concat"))
    (found,) = pool(equal(audio), valid, equal.sources).unbind(1)
    torch.testing.assert_close(found, (pooled[0] + pooled[1]) / 2)
    (found,) = pool(concat(audio), valid, concat.sources).unbind(1)
    torch.testing.assert_close(found, torch.cat((pooled[1], pooled[0]), dim=-1))
    assert (equal.dim, concat.dim) == (16, 32)
    assert len({one.fingerprint for one in (encoder, equal, concat)}) == 3
