"""Encoders that were edited, or that float16 erases: nothing stale."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from torch import Tensor

from mirprobe.api import from_file
from mirprobe.api.registry import ENCODERS
from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Tokens
from mirprobe.embedding import embedder
from mirprobe.encoders.specs import checked_encoder, make_encoder
from mirprobe.encoders.spectral import Mfcc
from mirprobe.encoders.validation.checks import validate
from mirprobe.evaluation.extract import extract
from mirprobe.evaluation.run_result import RunResult
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

FILE = """
from helpers.small_encoders import Bands
from level_beside import GAIN


class Own(Bands):
    fingerprint = "own"

    def __init__(self):
        self.calls = 0

    def __call__(self, audio):
        return super().__call__(audio * GAIN)
"""


@pytest.fixture(autouse=True)
def _tidy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    for name in ("_neighbours", "_hashes", "_sources"):
        monkeypatch.setattr(from_file, name, {})
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("level_beside", None)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "level_beside.py").write_text("GAIN = 1.0\n")
    (tmp_path / "own.py").write_text(FILE)
    return tmp_path / "own.py"


def restart() -> None:
    """As a new process would find them."""
    sys.modules.pop("level_beside", None)
    from_file._hashes.clear()


@pytest.mark.parametrize("edited", ["own.py", "level_beside.py"])
def test_an_edited_source_is_another_encoder(file: Path, tones: Tones, edited: str) -> None:
    config = Workbench(file.parent, tones).config(f"{file}:Own")
    first = run(config, dataset=tones)
    assert (first.computed, run(config, dataset=tones).computed) == (1, 0)
    path = file.parent / edited
    path.write_text(path.read_text().replace("* GAIN", "* 0").replace("1.0", "0.5"))
    restart()
    second = run(config, dataset=tones)
    assert (second.computed, second.failures) == (1, {})
    assert set(first.scores["fingerprint"]).isdisjoint(second.scores["fingerprint"])
    assert set(first.scores["cell"]).isdisjoint(second.scores["cell"])
    assert extract(config, dataset=tones).encoded == {f"{file}:Own": 0}


def test_the_folder_of_a_file_is_no_part_of_it(file: Path, tmp_path: Path) -> None:
    specs = (f"{file}:Own", f"layers({file}:Own,bands)")
    first = [checked_encoder(spec).fingerprint for spec in specs]
    other = tmp_path / "elsewhere"
    other.mkdir()
    for name in ("own.py", "level_beside.py"):
        (file.parent / name).rename(other / name)
    restart()
    from_file._neighbours.clear()
    specs = (f"{other}/own.py:Own", f"layers({other}/own.py:Own,bands)")
    assert [checked_encoder(spec).fingerprint for spec in specs] == first
    (other / "own.py").write_text(f"{FILE}\n# a remark")
    changed = [checked_encoder(spec).fingerprint for spec in specs]
    assert set(changed).isdisjoint(first)


def test_a_neighbour_that_was_edited_after_it_was_loaded_is_refused(file: Path) -> None:
    checked_encoder(f"{file}:Own")
    (file.parent / "level_beside.py").write_text("GAIN = 2.0\n")
    with pytest.raises(ConfigError, match=r"imports 'level_beside\.py' .* start Python again$"):
        checked_encoder(f"{file}:Own")


class Gained(Bands):
    """Bands times a factor that is missing in the fingerprint."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        return Tokens(tokens.sequence * self.gain)


@pytest.mark.parametrize("tasks", [("key",), ("key", "chord")])
def test_a_change_that_the_fingerprint_hides_is_named(
    tasks: tuple[str, ...], tones: Tones, tmp_path: Path
) -> None:
    bench = Workbench(tmp_path, tones)
    assert bench.run(Gained(1.0), Bands()).failures == {}
    # chord is not finished, key is
    result = bench.run(Gained(1.1), Bands(), tasks=tasks)
    (message,) = result.failures.values()
    assert message.startswith("encoder 'Gained' gives another embedding of track '")
    assert message.endswith(
        "or it depends on the batch; change the fingerprint, or run `mirprobe cache prune "
        "--encoder 'Gained'`"
    )
    assert set(result.scores["encoder"]) == {"Bands"}
    # once the entries are gone, nothing of the old scores is left either
    for entry in (tmp_path / "cache" / "entries").rglob("*.safetensors"):
        entry.unlink()
    mended = bench.run(Gained(1.1), Bands(), tasks=("key",))
    assert mended.failures == {}
    assert set(mended.scores["encoder"]) == {"Bands", "Gained"}


def test_what_arithmetic_does_is_no_change(tones: Tones, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, tones)
    bench.run(Gained(1.0))
    encoder = Gained(1.0 + 1e-4)
    result = bench.run(encoder)
    assert (result.computed, result.failures, encoder.calls) == (0, {}, 1)


class Scaled(Bands):
    layers: tuple[str, ...] = ("bands",)

    def __init__(self, scale: float, offset: float) -> None:
        super().__init__()
        self.fingerprint = f"{scale} {offset}"
        self.scale, self.offset = scale, offset

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        return Tokens(tokens.sequence[:, :, 1:] * self.scale + self.offset)


def accuracy(result: RunResult) -> float:
    rows = result.scores[result.scores["main"] & (result.scores["kind"] == "probe")]
    return float(rows["value"].max())


@pytest.mark.parametrize(("scale", "offset"), [(1e-9, 0.0), (0.01, 2000.0)])
def test_what_float16_would_erase_is_refused(
    scale: float, offset: float, tones: Tones, tmp_path: Path
) -> None:
    bench = Workbench(tmp_path, tones)
    plain = bench.run(Bands())
    cached = sorted((tmp_path / "cache" / "entries").rglob("*.safetensors"))
    refused = bench.run(Scaled(scale, offset), tasks=("chord",))
    (message,) = refused.failures.values()
    assert message.startswith("encoder 'Scaled' cannot be cached: float16 loses ")
    assert message.endswith("; use --dtype float32")
    assert sorted((tmp_path / "cache" / "entries").rglob("*.safetensors")) == cached
    kept = bench.run(Scaled(scale, offset), dtype="float32")
    assert kept.failures == {}
    assert accuracy(kept) == accuracy(plain)


@pytest.mark.parametrize("spec", ["concat(loud,faint)", "pool(concat(loud,layers(faint,bands)),2)"])
def test_a_faint_part_of_a_combination_is_measured_by_itself(
    spec: str, tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Faint(Bands):
        """20 of 120 dimensions, of 1e-9."""

        layers: tuple[str, ...] = ("bands",)
        dim = 20

        def __call__(self, audio: Tensor) -> Tokens:
            tokens = super().__call__(audio)
            assert tokens.sequence is not None
            return Tokens(tokens.sequence[:, :, 1:, :20] * 1e-9)

    monkeypatch.setattr(ENCODERS, "_factories", {"loud": Bands, "faint": Faint})
    config = Workbench(tmp_path, tones).config(spec)
    (message,) = run(config, dataset=tones).failures.values()
    assert " cannot be cached: float16 loses 1e+02 % of the variance of dimension 1" in message
    assert "(at most 5 %; 40 of 240 lose more); use --dtype float32" in message
    assert run(replace(config, dtype="float32"), dataset=tones).failures == {}
    (check,) = [c for c in validate(lambda: make_encoder(spec)) if c.name == "float16"]
    assert not check.passed


def test_finished_scores_without_a_cached_embedding_are_said_to_be_unverified(
    tones: Tones, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Workbench(tmp_path, tones)
    bench.run(Bands(), tasks=("key", "chord"))
    assert bench.run(Bands(), tasks=("key", "chord")).computed == 0
    assert "not verified" not in caplog.text
    for entry in (tmp_path / "cache" / "entries").rglob("*.safetensors"):
        entry.unlink()
    assert bench.run(Bands(), tasks=("key", "chord")).computed == 0
    (line,) = [record.message for record in caplog.records if "not verified" in record.message]
    assert line.startswith("encoder 'Bands': finished scores of chord, key were not verified")


def test_a_built_in_encoder_is_compared_again_when_something_has_changed(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Workbench(tmp_path, tones).config("mfcc")
    calls = []
    encoded = Mfcc._frames

    def counted(self: Mfcc, audio: Tensor) -> Tensor:
        calls.append(1)
        return encoded(self, audio)

    monkeypatch.setattr(Mfcc, "_frames", counted)

    def count() -> int:
        calls.clear()
        result = run(config, dataset=tones)
        assert (result.computed, result.failures) == (0, {})
        return len(calls)

    run(config, dataset=tones)
    assert count() == 0  # the same code has written all entries
    monkeypatch.setattr(embedder, "code_state", lambda: "another")
    assert [count(), count()] == [1, 0]
    for entry in (tmp_path / "cache" / "entries").rglob("*.safetensors"):
        entry.write_bytes(entry.read_bytes())
    assert [count(), count()] == [1, 0]
    # an instance may be anything, whatever its class
    assert run(config, encoders={"mfcc": Mfcc()}, dataset=tones).failures == {}
    assert len(calls) == 1
    monkeypatch.setattr(embedder, "code_state", lambda: "edited")
    monkeypatch.setattr(Mfcc, "_frames", lambda self, audio: encoded(self, audio) * 2)
    (message,) = run(config, dataset=tones).failures.values()
    assert message.startswith("encoder 'mfcc' gives another embedding of track '")
