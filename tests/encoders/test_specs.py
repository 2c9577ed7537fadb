"""Combinations of encoders: how they are written, what their tokens are, what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.encoders_for_tests import Oracle, only
from helpers.levels import Levels
from helpers.small_encoders import Bands, Summary
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench
from torch import Tensor

from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.schema import Tokens
from mirprobe.encoders.combined import Concat, Layers, Pool
from mirprobe.encoders.specs import arguments, make_encoder
from mirprobe.encoders.validation.checks import validate
from mirprobe.encoders.validation.frame_alignment import measure
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

AUDIO = torch.rand(3, 2000, generator=torch.Generator().manual_seed(0)) - 0.5


def parts(*encoders: Any) -> dict[str, Any]:
    return {chr(ord("a") + number): encoder for number, encoder in enumerate(encoders)}


def sequence(tokens: Tokens) -> Tensor:
    assert tokens.sequence is not None
    return tokens.sequence


def class_token(tokens: Tokens) -> Tensor:
    assert tokens.class_token is not None
    return tokens.class_token


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("a,b", ["a", "b"]),
        (" a , b:x=1 ,y=2, c", ["a", "b:x=1,y=2", "c"]),
        ("pool(a:x=1,y=2,5),c", ["pool(a:x=1,y=2,5)", "c"]),
        ("dir (1)/own.py:A:x=1,y=2,4,8", ["dir (1)/own.py:A:x=1,y=2", "4", "8"]),
    ],
)
def test_arguments(text: str, items: list[str]) -> None:
    assert arguments(text, "spec") == items


def test_combinations_nest() -> None:
    encoder = make_encoder("concat(pool(layers(vit1d-random:seed=1,config=vit1d, 12 ,4),5),mfcc)")
    assert (encoder.layers, encoder.dim) == (("12", "4"), 192 + 20)
    assert (encoder.window, encoder.frame_rate) == (4.0, 31.25)
    assert encoder.sources == ("sequence",)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("conct(mfcc,chroma)", "unknown combination 'conct'; did you mean 'concat'?"),
        ("concat(mfcc,chroma", "unknown encoder 'concat(mfcc,chroma'; known: "),
        ("concat(mfcc,(chroma)", "its parentheses do not match"),
        ("concat(mfcc),chroma)", "its parentheses do not match"),
        ("concat(mfcc,,chroma)", "an item is empty; write something between the commas"),
        ("concat()", "an item is empty"),
        ("concat(mfcc)", "concat(mfcc): give two different encoders at least"),
        ("concat(mfcc,mfcc)", "names one encoder twice; name each once"),
        ("Ours (big)=mfcc", "a name before `=` has no colon, parenthesis or quote"),
        ("concat(mfcc,chrom)", "unknown encoder 'chrom'; did you mean 'chroma'?"),
        ("layers(mfcc)", "layers(mfcc, ...): name one layer at least, and none twice"),
        ("layers(mfcc,4)", "layers(mfcc, ...): unknown layer '4'; it has mfcc"),
        ("layers(mfcc,mfcc,mfcc)", "name one layer at least, and none twice"),
        ("pool(mfcc)", "write pool(ENCODER,HOP), HOP a number of frames"),
        ("pool(mfcc,x)", "write pool(ENCODER,HOP), HOP a number of frames"),
        ("pca(mfcc)", "write pca(ENCODER,DIM), DIM a number of components"),
        ("concat(pca(mfcc,8),chroma)", "'pca(mfcc,8)' must be outermost; write pca around"),
        ("pool(pca(mfcc,8),2)", "'pca(mfcc,8)' must be outermost"),
        ("pool(mfcc,1)", "pool(mfcc,1): hop must be 2 at least"),
        ("pool(vit1d-random,126)", "a window has fewer frames; take a smaller hop"),
        (
            "concat(vit1d-random,layers(vit1d-random:seed=1,4,8))",
            "'vit1d-random' has 12 layers and 'layers(vit1d-random:seed=1,4,8)' 2; choose as many",
        ),
    ],
)
def test_what_does_not_fit(spec: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_encoder(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_windows_that_differ() -> None:
    with pytest.raises(ConfigError, match=r"'a' takes windows of 1 s and 'b' of 2 s; combine"):
        Concat(parts(Oracle(), Oracle(window=2.0)))
    assert Concat(parts(Oracle(window=2.0), Oracle(window=None))).window == 2.0
    assert Concat(parts(Oracle(window=None), Oracle(window=None))).window is None


def test_tokens_side_by_side() -> None:
    one, other = Oracle(), Oracle(dim=3, layers=("a", "x", "c"))
    both = Concat(parts(one, other))
    tokens = both(AUDIO)
    assert (both.layers, both.dim, both.sources) == (("a", "b+x", "c"), 5, one.sources)
    for kind in (sequence, class_token):
        assert torch.equal(kind(tokens)[..., :2], kind(one(AUDIO)))
        assert torch.equal(kind(tokens)[..., 2:], kind(other(AUDIO)))


def test_a_single_layer_stands_beside_every_other() -> None:
    tokens = Concat(parts(Oracle(layers=("only",)), Oracle()))(AUDIO)
    for layer in range(3):
        assert torch.equal(sequence(tokens)[:, :, layer, :2], sequence(Oracle()(AUDIO))[:, :, 0])
    assert Concat(parts(Oracle(layers=("x",)), Oracle(layers=("y",)))).layers == ("x+y",)


def test_frames_are_interpolated_to_the_highest_rate() -> None:
    slow, fast = Oracle(frame_rate=10.0), Oracle(frame_rate=25.0)
    both = Concat(parts(slow, fast))
    assert both.frame_rate == 25.0
    tokens = sequence(both(AUDIO)).numpy()
    assert np.array_equal(tokens[..., 2:], sequence(fast(AUDIO)).numpy())
    frames = sequence(slow(AUDIO)).numpy()
    times, own = np.arange(tokens.shape[1]) / 25, np.arange(frames.shape[1]) / 10
    for layer in range(3):
        expected = np.interp(times, own, frames[1, :, layer, 1])
        np.testing.assert_allclose(tokens[1, :, layer, 1], expected, atol=1e-5)


def test_audio_is_resampled_to_each_rate() -> None:
    low, high = Levels(), Levels()
    high.sample_rate, high.size = 2000, 400
    high.frame_rate = 2000 / 50
    both = Concat(parts(low, high))
    assert (both.sample_rate, both.frame_rate) == (2000, 40.0)
    audio = torch.sin(torch.arange(4000) / 2000 * 2 * torch.pi * 100)[None]
    tokens = sequence(both(audio))
    assert torch.equal(tokens[..., 2:], sequence(high(audio)))
    direct = sequence(low(audio[:, ::2]))  # 100 Hz is far below either Nyquist frequency
    np.testing.assert_allclose(tokens[:, 10:60:2, 0, 0], direct[:, 5:30, 0, 0], rtol=1e-3)
    assert measure(both).offset == pytest.approx(0, abs=0.05)


def test_each_part_has_the_context_that_it_declares() -> None:
    wide, narrow = Oracle(sample_rate=2000, context=0.3), Oracle(context=0.1)
    both = Concat(parts(wide, narrow, Oracle(window=None)))
    assert (both.window, both.context) == (1.0, 0.3)
    time = torch.arange(2 * (1000 + 600)) / 2000 - 0.3  # of the window, from -0.3 to 1.3 s
    tokens = sequence(both(torch.sin(2 * torch.pi * 5 * time)[None]))
    expected = torch.sin(2 * torch.pi * 5 * torch.arange(1, 25) / 25)  # but for the two at the ends
    for part in range(3):
        torch.testing.assert_close(tokens[0, 1:-1, 0, 2 * part], expected, rtol=0, atol=2e-3)
    assert Layers("a", both, ["a"]).context == Pool("a", both, 2).context == 0.3


def test_only_what_all_offer() -> None:
    def no_class(call: int, tokens: Tokens) -> Tokens:
        return only(tokens, kept=["sequence"])

    framed = Oracle(sources=("sequence",), fault=no_class)
    both = Concat(parts(Oracle(), framed))
    assert both.sources == ("sequence",)
    assert both(AUDIO).class_token is None
    clips = Concat(parts(Oracle(frame_rate=None), Oracle(frame_rate=None)))
    assert (clips.frame_rate, clips.sources) == (None, ("class",))
    assert clips(AUDIO).sequence is None
    with pytest.raises(ConfigError, match=r"concat\(a, b\): 'b' has no frames and others have"):
        Concat(parts(Oracle(), Oracle(frame_rate=None)))
    with pytest.raises(ConfigError, match=r"concat\(a, b\): they share no source of class"):
        Concat(parts(Oracle(sources=("class",)), framed))


def test_layers_are_those_named_in_their_order() -> None:
    kept = Layers("a", Oracle(), ["c", "a"])
    assert kept.layers == ("c", "a")
    for kind in (sequence, class_token):
        assert torch.equal(kind(kept(AUDIO)), kind(Oracle()(AUDIO))[..., [2, 0], :])


@pytest.mark.parametrize("hop", [2, 3, 4, 5, 60])
def test_pooled_frames_stand_where_their_middle_does(hop: int) -> None:
    pooled = Pool("a", Oracle(window=None), hop)
    assert pooled.frame_rate == 25.0 / hop
    frames, found = sequence(Oracle()(AUDIO)), sequence(pooled(AUDIO))
    assert found.shape[1] == -(-frames.shape[1] // hop)
    for number in range(found.shape[1]):
        weights = torch.zeros(frames.shape[1])
        for place in range(frames.shape[1]):
            distance = abs(place - number * hop)
            weights[place] = 1.0 if distance < hop / 2 else 0.5 * (distance == hop / 2)
        expected = torch.einsum("t,btld->bld", weights / weights.sum(), frames)
        torch.testing.assert_close(found[:, number], expected)
    assert torch.equal(class_token(pooled(AUDIO)), class_token(Oracle()(AUDIO)))


@pytest.mark.parametrize("hop", [2, 3])
def test_pooled_frames_keep_their_times(hop: int) -> None:
    reaction = measure(Pool("a", Levels(), hop))
    assert abs(reaction.offset) < 0.1
    assert abs(reaction.drift) < 0.1


def test_an_encoder_without_frames_cannot_be_pooled() -> None:
    with pytest.raises(ConfigError, match=r"^pool\(a,5\): 'a' has no frames$"):
        Pool("a", Summary(), 5)


def test_fingerprints_are_made_of_those_of_the_parts() -> None:
    one, other = Oracle(fingerprint="one"), Oracle(fingerprint="other")
    made = [
        Concat(parts(one, other)),
        Concat(parts(other, one)),
        Concat(parts(one, one)),
        Layers("a", one, ["a"]),
        Layers("a", one, ["b"]),
        Layers("a", other, ["b"]),
        Pool("a", one, 2),
        Pool("a", one, 3),
        Pool("a", other, 3),
    ]
    assert len({encoder.fingerprint for encoder in made}) == len(made)
    assert Pool("other name", one, 2).fingerprint == Pool("a", one, 2).fingerprint


def test_a_part_that_fails_is_named() -> None:
    broken = Oracle(fault=lambda call, tokens: only(tokens, kept=[]), dim=2)
    wrong = Oracle(fault=lambda call, tokens: Tokens(tokens.sequence, tokens.sequence))
    with pytest.raises(EncoderError, match=r"^has the part 'b', which returned class tokens of sh"):
        Concat(parts(broken, wrong))(AUDIO)


class Weighted(torch.nn.Module):
    """A module as a part: it must be put into evaluation mode."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = torch.nn.Dropout()
        for name in ("sample_rate", "window", "frame_rate", "layers", "dim", "sources"):
            setattr(self, name, getattr(Levels, name))
        self.fingerprint = "weighted"

    def forward(self, audio: Tensor) -> Tokens:
        tokens = Levels()(audio)
        return Tokens(self.drop(sequence(tokens)), tokens.class_token)


def test_combinations_keep_every_promise() -> None:
    def make() -> Any:
        module: Any = Weighted()
        return Concat(parts(Pool("x", module, 2), Layers("y", Levels(), ["both", "level"])))

    failed = [check for check in validate(make) if check.passed is False]
    assert failed == []


FILE = """
from helpers.small_encoders import Bands as One, Summary


class Bands(One):
    fingerprint = "other"
    def __init__(self):
        self.calls = 0
"""


def test_a_run_scores_combinations(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    (tmp_path / "own.py").write_text(FILE)
    own = f"{tmp_path}/own.py:Bands"
    specs = [f"layers({own},bands)", f"concat({own},pool(mfcc:coefficients=5,3))"]
    config = Workbench(tmp_path, tones).config(*specs, tasks=["key", "chord"])
    result = run(config, dataset=tones)
    assert result.failures == {}
    assert list(dict.fromkeys(result.scores["encoder"])) == specs
    layers = result.scores[result.scores["layer"] != ""].groupby("encoder")["layer"].unique()
    assert sorted(layers[specs[1]]) == ["bands", "noise"]
    assert list(layers[specs[0]]) == ["bands"]
    assert Bands().fingerprint not in set(result.scores["fingerprint"])
