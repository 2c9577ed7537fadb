from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from helpers.embedded_tracks import embed
from helpers.hear_modules import write_module
from torch import Tensor

from mirprobe.api.registry import ENCODERS
from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.schema import Annotations, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.encoders.hear import Hear

Make = Callable[..., Hear]
_NUMBERS = itertools.count()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Builds the encoder of a module written for the purpose."""
    monkeypatch.syspath_prepend(tmp_path)

    def build(encoder: dict[str, Any] | None = None, **options: Any) -> Hear:
        name = f"made_up_{next(_NUMBERS)}"
        write_module(tmp_path, name, **options)
        importlib.invalidate_caches()
        return Hear(module=name, **(encoder or {}))

    return build


def sequence_of(encoder: Hear, audio: Tensor) -> Tensor:
    sequence = encoder(audio).sequence
    assert sequence is not None
    return sequence


def test_a_module_becomes_an_encoder(make: Make) -> None:
    state = torch.get_rng_state()
    encoder = make()
    assert torch.get_rng_state().equal(state)  # whatever seed the module sets
    assert (encoder.sample_rate, encoder.window, encoder.dim) == (1000, 10.0, 2)
    assert encoder.frame_rate == pytest.approx(50)
    assert (encoder.layers, encoder.sources) == (("embedding",), ("class", "sequence"))
    tokens = encoder(torch.rand(3, 10_000))
    assert tokens.sequence is not None
    assert tokens.class_token is not None
    assert tokens.sequence.shape == (3, 501, 1, 2)
    assert tokens.class_token.shape == (3, 1, 2)
    assert tokens.sequence.dtype == torch.float32


@pytest.mark.parametrize(
    ("first", "ends"), [(0, 0), (10, 10), (12.5, 12.5), (500, 500), (500, 0), (0, 200), (-40, 0)]
)
def test_an_impulse_stands_in_its_frame(make: Make, first: float, ends: float) -> None:
    encoder = make(first=first, ends=ends)
    assert encoder.frame_rate == pytest.approx(50)
    for time in (0.004, 0.513, 5.001, 9.97):
        audio = torch.full((1, 10_000), 0.01)
        audio[0, round(1000 * time)] = 1.0
        sequence = sequence_of(encoder, audio)
        assert sequence.shape[1] in (500, 501)
        heard = sequence[0, :, 0, 0].argmax() / 50
        # a frame hears half a frame's length around it, and lies at most half a frame off the grid
        assert abs(float(heard) - time) <= 0.02 + 1e-6


@pytest.mark.parametrize("first", [0, 10, 500])
def test_tracks_are_stitched_in_time(make: Make, first: float, tmp_path: Path) -> None:
    encoder = make({"window": 2.0}, first=first, ends=first)
    times = [0.2, 1.985, 2.41, 4.7, 6.31]
    samples = np.full(6777, 0.01, np.float32)
    samples[[round(1000 * time) for time in times]] = 1.0
    soundfile.write(tmp_path / "clicks.wav", samples, 1000, subtype="FLOAT")
    track = Track("clicks", tmp_path / "clicks.wav", "group", Annotations())
    embedder = Embedder("hear", encoder, Cache(tmp_path / "cache"), Encoding(layers=encoder.layers))
    [(_, embedding)] = embed(embedder, [track], ["clip", "frame"])
    assert not isinstance(embedding, Exception)
    assert embedding.frames is not None
    heard = embedding.frames.read()[:, 0, 0]
    assert len(heard) in (338, 339)
    for time in times:
        centres = np.flatnonzero(heard > 0.5) / 50
        assert np.abs(centres - time).min() <= 0.02 + 1e-6
    assert embedding.clip is not None
    assert embedding.clip.shape == (4, 2, 1, 2)


def test_whole_tracks(make: Make) -> None:
    encoder = make({"window": None})
    assert encoder.window is None
    for samples in (1, 999, 12_345):
        assert sequence_of(encoder, torch.ones(1, samples)).shape[1] == samples // 20 + 1


def test_sizes_that_differ(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    encoder = make(scene_size=5)
    assert "size 2 and scenes of size 5" in caplog.text
    assert (encoder.dim, encoder.sources) == (2, ("sequence",))
    assert encoder(torch.ones(1, 1000)).class_token is None
    scene = make({"embedding": "scene"}, scene_size=5)
    assert (scene.dim, scene.sources, scene.frame_rate) == (5, ("class",), None)
    tokens = scene(torch.ones(2, 1000))
    assert tokens.sequence is None
    assert tokens.class_token is not None
    assert tokens.class_token.shape == (2, 1, 5)
    with pytest.raises(ConfigError, match="cannot stand together"):
        make({"embedding": "both"}, scene_size=5)


def test_weights_reach_the_module(make: Make, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"one")
    assert make({"weights": weights})._model.path == str(weights)
    with pytest.raises(ConfigError, match=r"weights=.*gone: there is no such file"):
        make({"weights": tmp_path / "gone"})


def test_fingerprints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "made_up_package"
    (package / "weights").mkdir(parents=True)
    (package / "__init__.py").touch()
    write_module(package, "inner")
    importlib.invalidate_caches()

    def fingerprint(**options: Any) -> str:
        return Hear(module="made_up_package.inner", **options).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"one")
    found = [first, fingerprint(weights=weights), fingerprint(window=5)]
    found.append(fingerprint(embedding="scene"))
    weights.write_bytes(b"two")
    found.append(fingerprint(weights=weights))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"one")
    found.append(fingerprint(weights=folder))
    (package / "helper.py").write_text("x = 1")
    found.append(fingerprint())
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("load", "raised RuntimeError: no such weights and a second line, in load_model"),
        ("not torch", "loads a object, not a torch.nn.Module"),
        ("no size", "timestamp_embedding_size is None"),
        ("uneven", "not evenly spaced: from 0.0 to 10000.0 ms they lie 15.00 to 25.00 ms apart"),
        ("wrong size", r"shape \(1, 501, 1\).*calls for \(1, time, 2\)"),
        ("wrong length", r"timestamps of shape \(1, 500\)"),
        ("one frame", r"gives the timestamps \[0.0\] for 10.0 s.*use embedding=scene"),
        ("bare", "returned a Tensor as timestamp embeddings"),
    ],
)
def test_modules_that_cannot_be_built(make: Make, fault: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make(fault=fault)
    assert str(caught.value).startswith("encoder hear: module 'made_up_")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("nan", "returned NaN or infinite values in its sequence"),
        ("raises", "raised .*too loud for me"),
        ("half", "has frames from 0.0 to 4980.0 ms, 20.00 ms apart, which do not cover 10.000 s"),
        ("wrong scene", r"returned a tensor \(2,\) as scene embeddings"),
    ],
)
def test_modules_that_fail_on_a_track(make: Make, fault: str, message: str, tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, 3000)
    soundfile.write(tmp_path / "noise.wav", samples, 1000, subtype="FLOAT")
    track = Track("noise", tmp_path / "noise.wav", "group", Annotations())
    encoder = make(fault=fault)
    if fault in ("raises", "half"):
        encoder.window = 3.0  # silence after it would make it less loud
        message = message.replace("4980.0", "1480.0").replace("10.000", "3.000")
    embedder = Embedder(
        "hear:module=it", encoder, Cache(tmp_path / "c"), Encoding(layers=encoder.layers)
    )
    with pytest.raises(EncoderError, match=message) as caught:
        list(embed(embedder, [track], ["frame"]))
    assert str(caught.value).startswith("encoder 'hear:module=it' ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"module": "no_such_module"}, "there is no module 'no_such_module'"),
        ({"module": "json.no_such_module"}, "there is no module 'json.no_such_module'"),
        ({"module": "json"}, "has no load_model, get_timestamp_embeddings, get_scene_embeddings"),
        ({"module": "json", "window": 0}, "cannot work with window=0"),
        ({"module": "json", "embedding": "all"}, "choose from both, timestamp, scene"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Hear(**options)


def test_a_package_that_fails_to_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for name, source, message in [
        ("broken_a", "1 / 0", "package of module 'broken_a.x' fails to import .ZeroDivisionError"),
        ("broken_b", "import no_such_thing", "module 'broken_b.x' needs 'no_such_thing'"),
    ]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(source)
        with pytest.raises(ConfigError, match=message):
            Hear(module=f"{name}.x")


def test_the_registry_knows_it() -> None:
    with pytest.raises(ConfigError, match="there is no module 'no_such_module'"):
        ENCODERS.create("hear:module=no_such_module")


def test_hearbaseline_itself() -> None:
    pytest.importorskip("hearbaseline.vqt", reason="hearbaseline is not installed")
    encoder = Hear(module="hearbaseline.vqt", window=2.0)
    assert (encoder.sample_rate, encoder.dim) == (44_100, 540)
    assert encoder.frame_rate == pytest.approx(44_100 / 512, rel=1e-6)
    audio = 1e-3 * torch.ones(1, 2 * 44_100)
    audio[0, 44_100] = 1.0
    sequence = sequence_of(encoder, audio)[0, :, 0]
    loudest = int(sequence[:, -60:].sum(1).argmax())  # the top octave knows time best
    assert abs(loudest * 512 / 44_100 - 1.0) <= 512 / 44_100
    with pytest.raises(ConfigError, match=r"module 'hearbaseline.naive' raised TypeError: mel\(\)"):
        Hear(module="hearbaseline.naive")


def test_this_side_of_the_api_is_an_encoder_too(tmp_path: Path) -> None:
    from helpers.small_vit1d import SMALL, small_checkpoint

    encoder = Hear(module="mirprobe.hear", weights=small_checkpoint(tmp_path), window=3.0)
    assert (encoder.sample_rate, encoder.dim) == (16_000, SMALL.dim)
    assert encoder.frame_rate == pytest.approx(31.25)
    assert sequence_of(encoder, torch.rand(2, 48_000)).shape == (2, 94, 1, SMALL.dim)
    assert "mirprobe.hear" in sys.modules
