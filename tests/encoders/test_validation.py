"""`mirprobe validate-encoder`: sound encoders pass, and each fault fails its check."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.checked_encoders import ALL, changed, checked, failures, faulty
from helpers.levels import Levels
from torch import Tensor, nn
from typer.testing import CliRunner

from mirprobe.cli.app import app
from mirprobe.core.check import Check
from mirprobe.core.hashing import digest
from mirprobe.core.schema import Tokens
from mirprobe.encoders.declaration import CheckedEncoder
from mirprobe.encoders.encode import encode
from mirprobe.encoders.specs import make_encoder
from mirprobe.encoders.validation.checks import validate


@pytest.mark.parametrize("window", [2.0, 0.35, None])
def test_a_sound_encoder_passes(window: float | None) -> None:
    found = checked(changed(window=window))
    assert list(found) == ALL
    assert [name for name in ALL if found[name].passed is None] == ["weights"]
    assert [name for name in ALL if found[name].passed is False] == []


@pytest.mark.parametrize("spec", ["logmel:bins=40", "mfcc", "chroma", "vit1d-random"])
def test_the_built_in_encoders_pass(spec: str) -> None:
    found = checked(lambda: make_encoder(spec))
    assert [check for check in found.values() if check.passed is False] == []
    assert found["frame times"].passed
    assert found["drift"].passed


def without(name: str) -> Callable[[], Any]:
    class Lacking(Levels):
        def __getattribute__(self, wanted: str) -> Any:
            if wanted == name:
                raise AttributeError(wanted)
            return super().__getattribute__(wanted)

    return Lacking


@pytest.mark.parametrize(
    ("make", "found", "remedy"),
    [
        (without("sources"), "lacks sources", "declare it as mirprobe.Encoder"),
        (changed(sample_rate=16000.5), "sample_rate is 16000.5", "it must be a whole number of Hz"),
        (changed(layers="abc"), "layers is 'abc'", "it must be a tuple of different names"),
        (changed(layers=("a", "a")), "layers is ('a', 'a')", "it must be a tuple of different n"),
        (changed(sources=("mean",)), "sources is ('mean',)", "it must be a tuple of class, sequ"),
        (changed(context=-0.1), "context is -0.1", "it must be a number of seconds, and 0 wi"),
        (changed(window=None, context=0.1), "context is 0.1", "it must be a number of seconds, an"),
        (changed(window=0), "window is 0", "it must be a number of seconds or None"),
        (changed(dim=2.5), "dim is 2.5", "it must be a whole number"),
        (changed(fingerprint=7), "fingerprint is 7", "it must be a string"),
    ],
)
def test_wrong_attributes_end_the_checks(make: Callable[[], Any], found: str, remedy: str) -> None:
    (check,) = checked(make).values()
    assert (check.name, check.passed, check.found) == ("attributes", False, found)
    assert check.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda self, audio, tokens: tokens.sequence, "the encoder returned a Tensor; return mirp"),
        (lambda self, audio, tokens: Tokens(), "neither sequence nor class token"),
        (
            lambda self, audio, tokens: Tokens(tokens.sequence.round().long()),
            "the encoder returned torch.int64 as tokens",
        ),
        (lambda self, audio, tokens: Tokens(tokens.sequence / 0), "the encoder returned NaN or in"),
        (lambda self, audio, tokens: Tokens(tokens.sequence[:, ::2]), "the encoder returned 21 fr"),
        (lambda self, audio, tokens: 1 / 0, "the encoder raised ZeroDivisionError: division by z"),
    ],
)
def test_a_first_call_that_fails_ends_the_checks(
    change: Callable[[Levels, Tensor, Tokens], Any], found: str
) -> None:
    checks = checked(faulty(change))
    assert list(checks) == ALL[:4]
    assert checks["tokens"].passed is False
    assert checks["tokens"].found.startswith(found)


def test_declared_numbers_are_cast() -> None:
    make = changed(
        dim=np.int64(2),
        frame_rate=np.float32(20),
        sample_rate=1000.0,
        window=np.float64(2),
        layers=(0, np.int64(1)),
        sources=["class", "sequence"],
    )
    assert failures(make) == []
    found = CheckedEncoder("own", make())
    values = (found.dim, found.frame_rate, found.sample_rate, found.window, found.layers)
    assert values == (2, 20.0, 1000, 2.0, ("0", "1"))
    assert [type(value) for value in values] == [int, float, int, float, tuple]
    assert json.dumps([*values, found.sources])


@pytest.mark.parametrize("error", [RuntimeError("out of\nideas"), SystemExit(0)])
def test_an_attribute_that_raises(error: BaseException) -> None:
    def fingerprint(self: Levels) -> str:
        raise error

    (check,) = checked(changed(fingerprint=property(fingerprint))).values()
    assert (check.name, check.passed) == ("attributes", False)
    assert check.found.startswith(f"raised {type(error).__name__}: ")
    assert check.found.endswith(", where its fingerprint was read")


def test_tokens_that_require_a_gradient() -> None:
    weight = torch.ones(1, requires_grad=True)

    def change(self: Levels, audio: Tensor, tokens: Tokens) -> Tokens:
        assert tokens.sequence is not None
        with torch.inference_mode(False):
            return Tokens(weight.expand(len(audio), 41, 2, 2))

    found = encode(faulty(change)(), torch.zeros(3, 2000)).sequence
    assert found is not None
    assert not found.requires_grad
    assert found.numpy().shape == (3, 41, 2, 2)


def scaled(scale: float, offset: float) -> type[Levels]:
    def change(self: Levels, audio: Tensor, tokens: Tokens) -> Tokens:
        assert tokens.sequence is not None
        assert tokens.class_token is not None
        return Tokens(tokens.sequence * scale + offset, tokens.class_token * scale + offset)

    return faulty(change)


@pytest.mark.parametrize(
    ("scale", "offset", "failed"),
    [(1.0, 0.0, []), (1e3, 0.0, []), (1e-9, 0.0, ["float16"]), (1e-2, 2000.0, ["float16"])],
)
def test_what_float16_erases(scale: float, offset: float, failed: list[str]) -> None:
    found = checked(scaled(scale, offset))
    assert [name for name in found if found[name].passed is False] == failed
    assert found["float16"].found.startswith("float16 loses ")
    if failed:
        assert found["float16"].remedy.endswith("or runs need --dtype float32")


def test_input_that_is_changed_in_place() -> None:
    def __call__(self: Levels, audio: Tensor) -> Tokens:
        return Levels.__call__(self, audio.mul_(0.5))

    assert failures(changed(__call__=__call__)) == ["input"]


FACTORS = itertools.count(1)  # another one for every instance


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda self, audio, tokens: Tokens(tokens.sequence), ["sources"]),
        (
            lambda self, audio, tokens: Tokens(
                tokens.sequence / audio.abs().max(), tokens.class_token
            ),
            ["batch", "silence"],
        ),
        (
            lambda self, audio, tokens: Tokens(
                tokens.sequence + torch.randn(tokens.sequence.shape), tokens.class_token
            ),
            ["batch", "repetition", "frame times"],
        ),
        (
            lambda self, audio, tokens: Tokens(
                tokens.sequence * self.__dict__.setdefault("factor", next(FACTORS)),
                tokens.class_token,
            ),
            ["repetition"],
        ),
    ],
)
def test_faults_that_a_run_may_not_see(
    change: Callable[[Levels, Tensor, Tokens], Any], names: list[str]
) -> None:
    failed = failures(faulty(change))
    assert set(failed) - {"frame times", "drift"} == set(names) - {"frame times"}


def test_construction_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 5.5])
    monkeypatch.setattr(
        "mirprobe.encoders.validation.checks.perf_counter", lambda: next(times, time.time())
    )
    found = checked(Levels)["construction"]
    assert (found.passed, found.found) == (False, "5.50 s, of at most 5 s")


def test_fingerprints_that_do_not_hold() -> None:
    numbers = itertools.count()
    assert failures(lambda: changed(fingerprint=f"number {next(numbers)}")()) == ["fingerprint"]

    def change(self: Levels, audio: Tensor, tokens: Tokens) -> Tokens:
        self.fingerprint = "later"
        return tokens

    assert failures(faulty(change)) == ["fingerprint kept"]


class Module(nn.Module):
    """Levels times a weight."""

    def __init__(self, *, hashed: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.drop = nn.Dropout()
        self.hashed = hashed
        for name in ("sample_rate", "window", "frame_rate", "layers", "dim", "sources"):
            setattr(self, name, getattr(Levels, name))

    @property
    def fingerprint(self) -> str:
        return digest(self.weight.item()) if self.hashed else "fixed"

    def forward(self, audio: Tensor) -> Tokens:
        tokens = Levels()(audio)
        assert tokens.sequence is not None
        assert tokens.class_token is not None
        return Tokens(self.drop(tokens.sequence) * self.weight, tokens.class_token)


@pytest.mark.parametrize("hashed", [True, False])
def test_whether_the_fingerprint_covers_the_weights(hashed: bool) -> None:
    found = checked(lambda: Module(hashed=hashed))
    assert all(check.passed is not False for check in found.values())
    if hashed:
        assert found["weights"] == Check(
            "weights", True, "the fingerprint changes with a weight", ""
        )
    else:
        assert found["weights"].passed is None
        assert "fixed at construction" in found["weights"].found


@pytest.mark.parametrize("error", [RecursionError("deep"), SystemExit(0), ValueError("a\nb")])
@pytest.mark.parametrize("when", range(1, 7))
def test_an_error_at_any_call_fails_a_check(error: BaseException, when: int) -> None:
    calls = [0]

    def __call__(self: Levels, audio: Tensor) -> Tokens:
        calls[0] += 1
        if calls[0] == when:
            raise error
        return Levels.__call__(self, audio)

    found = list(validate(changed(__call__=__call__)))
    assert any(f"raised {type(error).__name__}" in check.found for check in found)


FILE = """
from helpers.levels import Levels

class Early(Levels):
    late = -3.0
"""


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(FILE)
    good = CliRunner().invoke(app, ["validate-encoder", f"{tmp_path}/own.py:Levels"])
    assert good.exit_code == 0, good.output
    assert good.stdout.splitlines()[-1].endswith(": 15 passed, 0 failed, 1 not applicable")
    assert [line.split()[0] for line in good.stdout.splitlines()[:16]] == ["pass"] * 15 + ["n/a"]
    bad = CliRunner().invoke(app, ["validate-encoder", f"{tmp_path}/own.py:Early"])
    assert bad.exit_code == 1
    (line,) = [line for line in bad.stdout.splitlines() if line.startswith("FAIL")]
    assert line.startswith("FAIL  frame times       -3.0")
    assert line.endswith("; centre frame i at i / frame_rate: pad by half of the receptive field")
    unknown = CliRunner().invoke(app, ["validate-encoder", "logmle"])
    assert unknown.exit_code == 2
    assert unknown.stderr == "error: unknown encoder 'logmle'; did you mean 'logmel'?\n"
