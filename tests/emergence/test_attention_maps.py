from __future__ import annotations

import numpy as np
import pytest
import torch
from helpers.small_vit1d import SMALL

from mirprobe.emergence.attention_maps import (
    READINGS,
    curves,
    received,
    rise,
    row_change,
    summary,
    tokens_and_curves,
)
from mirprobe.encoders.vit1d import random_model
from mirprobe.vit1d.model import ViT1D

TIME = 9


def attending(targets: list[int]) -> torch.Tensor:
    """A map (1 + T, 1 + T) whose query t looks at key `targets[t]` alone."""
    return torch.eye(1 + TIME)[targets]


def test_uniform_attention_reads_nearly_1() -> None:
    uniform = torch.full((1, 2, 1 + TIME, 1 + TIME), 1 / (1 + TIME))
    torch.testing.assert_close(received(uniform), torch.full((1, 2, TIME), TIME / (1 + TIME)))
    torch.testing.assert_close(summary(uniform), torch.full((1, 2, TIME), TIME / (1 + TIME)))
    assert not row_change(uniform).any()


def test_a_frame_that_all_look_at_receives_all() -> None:
    everyone_at_frame_3 = attending([0] + [1 + 3] * TIME)
    expected = torch.zeros(TIME)
    expected[3] = TIME
    torch.testing.assert_close(received(everyone_at_frame_3), expected)
    assert not summary(everyone_at_frame_3).any()  # the class token looks at itself


def test_the_class_token_s_row_is_the_summary() -> None:
    expected = torch.zeros(TIME)
    expected[5] = TIME
    torch.testing.assert_close(summary(attending([1 + 5] + [1] * TIME)), expected)


def test_attention_turns_where_it_moves_to_another_note() -> None:
    first, second = [1] * 4, [6] * (TIME - 4)
    expected = torch.zeros(TIME)
    expected[4] = 1
    torch.testing.assert_close(row_change(attending([0, *first, *second])), expected)


def test_turn_is_half_the_l1_distance_of_neighbouring_rows() -> None:
    attention = torch.rand(1 + TIME, 1 + TIME).softmax(-1)
    rows = attention[1:].numpy()
    naive = [
        sum(abs(a - b) for a, b in zip(rows[t], rows[t - 1], strict=True)) / 2
        for t in range(1, TIME)
    ]
    np.testing.assert_allclose(row_change(attention).numpy(), [naive[0], *naive], rtol=1e-5)
    assert row_change(torch.ones(2, 2)).tolist() == [0]  # a single frame cannot turn


def test_rise_is_the_positive_difference() -> None:
    assert rise(torch.tensor([2.0, 5.0, 4.0, 4.5])).tolist() == [0, 3, 0, 0.5]


def test_curves_hold_each_head_and_the_mean_map() -> None:
    attention = torch.rand(2, 3, 1 + TIME, 1 + TIME).softmax(-1)
    found = curves(attention)
    assert found.shape == (2, TIME, 4, len(READINGS))
    for place, read in enumerate(READINGS.values()):
        torch.testing.assert_close(found[1, :, 2, place], read(attention[1, 2]))
        torch.testing.assert_close(found[0, :, 3, place], read(attention[0].mean(0)))


def test_look_reads_every_layer_of_the_stream() -> None:
    model = random_model(SMALL, 0).eval()
    frames = torch.randn(2, 20, 32)
    tokens, found = tokens_and_curves(model, frames)
    assert tokens.shape == (2, 21, 3, 16)
    assert found.shape == (2, 20, 3, 3, len(READINGS))
    for place, layer in enumerate(model.stream(frames, attention=True)):
        assert layer.attention is not None
        torch.testing.assert_close(tokens[:, :, place], layer.tokens)
        torch.testing.assert_close(found[:, :, place], curves(layer.attention))


@pytest.fixture
def staring() -> ViT1D:
    """A model whose first block's every query attends to the frames that hold band 7."""
    model = random_model(SMALL, 0).eval().requires_grad_(False)
    size = SMALL.dim // SMALL.heads
    model.rotary = None  # no positions: what is looked at depends on content alone
    model.project.weight.zero_()
    model.project.weight[0, 7] = 100.0  # band 7 fills a token's first coordinate,
    model.project.weight[1, 0] = 1.0  # band 0 its second
    model.class_token[0] = -100.0  # and the class token is the last to be looked at
    qkv = model.get_parameter("blocks.0.attention.qkv.weight")
    model.get_parameter("blocks.0.attention.qkv.bias").zero_()
    qkv.zero_()
    for head in range(0, SMALL.dim, size):
        model.get_parameter("blocks.0.attention.qkv.bias")[head] = 50.0  # all queries are alike
        qkv[SMALL.dim + head, 0] = 1.0  # a key is its token's first coordinate, normalised
    return model


def test_a_model_made_to_attend_to_known_frames_gives_the_known_curve(staring: ViT1D) -> None:
    frames = torch.zeros(1, 30, 32)
    frames[..., 0] = 1.0
    loud = [4, 11, 25]
    frames[0, loud, 7] = 1.0
    _, found = tokens_and_curves(staring, frames)
    curve = found[0, :, 0, -1, list(READINGS).index("received")]  # first layer, mean map
    expected = torch.zeros(30)
    expected[loud] = 10.0  # a third of all attention, times 30 frames
    torch.testing.assert_close(curve, expected, atol=0.2, rtol=0)
    summed = found[0, :, 0, -1, list(READINGS).index("summary")]
    torch.testing.assert_close(summed, expected, atol=0.2, rtol=0)
