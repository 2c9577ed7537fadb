"""Checks of frame times and frame counts."""

from __future__ import annotations

import pytest
import torch
from helpers.checked_encoders import ALL, changed, checked, failures, faulty
from helpers.levels import HOP, Levels
from torch import Tensor, nn

from mirprobe.core.schema import Tokens
from mirprobe.encoders.validation.frame_alignment import measure


class Surrounded(Levels):
    """Levels that hear beyond the window: half a transform on either side of it."""

    context = 0.1

    def __call__(self, audio: Tensor) -> Tokens:
        parts = audio.unfold(1, self.size, HOP) * torch.hann_window(self.size)
        sequence = parts.square().mean(-1)[..., None, None].expand(-1, -1, 2, 2)
        return Tokens(sequence, sequence.mean(1))


@pytest.mark.parametrize("window", [2.0, 0.35])
def test_one_with_a_context_passes(window: float) -> None:
    found = checked(type("Changed", (Surrounded,), {"window": window}))
    assert [name for name in ALL if found[name].passed is False] == []
    forgetful = type("Changed", (Surrounded,), {"window": window, "context": 0.0})
    assert "tokens" in failures(forgetful)  # too few frames


@pytest.mark.parametrize(
    ("late", "passed"), [(0.0, True), (0.4, True), (-0.4, True), (1.0, False), (-1.0, False)]
)
def test_where_the_frames_lie_is_measured(late: float, passed: bool) -> None:
    make = changed(late=late)
    assert measure(make()).offset == pytest.approx(late, abs=0.05)
    found = checked(make)["frame times"]
    assert found.passed is passed
    assert float(found.found.split()[0]) == pytest.approx(late, abs=0.05)


def test_a_frame_that_begins_at_its_time_is_half_a_frame_off() -> None:
    """Frames without overlap, from i / frame_rate on: the half frame that is allowed."""

    class Blocks(Levels):
        layers: tuple[str, ...] = ("one",)
        sources: tuple[str, ...] = ("sequence",)

        def __call__(self, audio: Tensor) -> Tokens:
            whole = nn.functional.pad(audio, (0, -audio.shape[1] % HOP))
            level = whole.unfold(1, HOP, HOP).square().mean(-1)
            return Tokens(torch.stack([level, level], -1)[:, :, None])

    assert measure(Blocks()).offset == pytest.approx(-0.5, abs=0.01)
    assert checked(Blocks)["frame times"].passed


class Stretched(Levels):
    """A frame rate that is 0.01 % off: too little for one window, too much for ten minutes."""

    window = None

    def __call__(self, audio: Tensor) -> Tokens:
        tokens = super().__call__(audio)
        assert tokens.sequence is not None
        count = tokens.sequence.shape[1]
        places = (torch.arange(count) * 0.9999).round().long()
        return Tokens(tokens.sequence[:, places], tokens.class_token)


def test_a_frame_rate_that_drifts() -> None:
    found = checked(Stretched)
    assert found["drift"].passed is False
    assert found["drift"].found.startswith("+1.")  # 600 s at 20 frames a second, 0.01 %
    assert found["drift"].remedy == "declare the frame rate exactly, as sample_rate / hop"


def test_a_frame_count_that_drifts() -> None:
    found = checked(changed(window=None, frame_rate=20.05))
    assert found["frame times"].passed is False
    assert "declares frame_rate 20.05" in found["frame times"].found


def test_an_encoder_whose_frames_all_react_alike() -> None:
    class Mean(Levels):
        def __call__(self, audio: Tensor) -> Tokens:
            tokens = super().__call__(audio)
            assert tokens.sequence is not None
            mean = tokens.sequence.mean(1, keepdim=True).expand_as(tokens.sequence)
            slope = torch.linspace(1, 2, mean.shape[1])[:, None, None]
            return Tokens(mean * slope, tokens.class_token)

    found = checked(Mean)
    assert found["frame times"].passed is None
    said = "could not be checked: no layer has a clear response"
    assert found["frame times"].found.startswith(said)


def test_input_shorter_than_a_frame() -> None:
    def change(self: Levels, audio: Tensor, tokens: Tokens) -> Tokens:
        if audio.shape[1] < 2 * HOP:
            raise ValueError("too short")
        return tokens

    found = checked(changed(window=None, __call__=faulty(change).__call__))
    assert [name for name in found if found[name].passed is False] == ["one sample", "one frame"]
    assert found["one sample"].found == (
        "the encoder raised ValueError: too short (windows of shape (1, 1))"
    )


def test_an_encoder_without_frames() -> None:
    def change(self: Levels, audio: Tensor, tokens: Tokens) -> Tokens:
        return Tokens(class_token=tokens.class_token)

    call = faulty(change).__call__
    for window in (None, 2.0):
        found = checked(changed(frame_rate=None, sources=("class",), window=window, __call__=call))
        none = [name for name in found if found[name].passed is None]
        assert none == ["one frame", "frame times", "drift"] + (
            ["ten minutes", "weights"] if window else ["weights"]
        )
        assert all(check.passed is not False for check in found.values())
