from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mirprobe.pretraining.nt_xent import nt_xent
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.model import CONFIGS, ViT1D


def naive(first: Tensor, second: Tensor, temperature: float) -> float:
    views = [*first.tolist(), *second.tolist()]
    count, total = len(first), 0.0

    def similarity(one: list[float], other: list[float]) -> float:
        product = sum(a * b for a, b in zip(one, other, strict=True))
        return product / math.hypot(*one) / math.hypot(*other)

    for i in range(2 * count):
        terms = {
            j: math.exp(similarity(views[i], views[j]) / temperature)
            for j in range(2 * count)
            if j != i
        }
        total -= math.log(terms[(i + count) % (2 * count)] / sum(terms.values()))
    return total / (2 * count)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_against_a_naive_double_loop(count: int, temperature: float) -> None:
    first, second = torch.randn(2, count, 5, dtype=torch.float64)
    loss = nt_xent(first, second, temperature=temperature)
    assert float(loss) == pytest.approx(naive(first, second, temperature), abs=1e-12)


@pytest.mark.parametrize("count", [1, 2, 128])
def test_identical_embeddings_give_log_2n_minus_1(count: int) -> None:
    same = torch.randn(1, 192).expand(count, 192)
    assert float(nt_xent(same, same)) == pytest.approx(math.log(2 * count - 1), abs=1e-5)


def test_orthogonal_pairs_in_closed_form() -> None:
    pairs = torch.eye(6)
    expected = math.log(1 + 10 * math.exp(-1 / 0.1))  # 10 negatives at similarity 0, positive at 1
    assert float(nt_xent(pairs, pairs)) == pytest.approx(expected, abs=1e-6)


def test_symmetric_and_blind_to_length() -> None:
    first, second = torch.randn(2, 8, 16)
    loss = nt_xent(first, second)
    torch.testing.assert_close(nt_xent(second, first), loss)
    torch.testing.assert_close(nt_xent(3 * first, second / 7), loss)


def test_gradient_is_right() -> None:
    views = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda both: nt_xent(both[0], both[1]), views)


def test_shards_against_all_candidates_average_to_the_whole_batch() -> None:
    views = torch.randn(2, 12, 8, dtype=torch.float64, requires_grad=True)
    whole = nt_xent(views[0], views[1])
    (gradient,) = torch.autograd.grad(whole, views)
    shards = [
        nt_xent(
            views[0, at : at + 4], views[1, at : at + 4], candidates=(views[0], views[1]), offset=at
        )
        for at in (0, 4, 8)
    ]
    mean = torch.stack(shards).mean()
    torch.testing.assert_close(mean, whole)
    torch.testing.assert_close(torch.autograd.grad(mean, views)[0], gradient)


def test_half_precision_is_computed_in_float32() -> None:
    first, second = torch.randn(2, 8, 16).to(torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        loss = nt_xent(first, second)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, nt_xent(first.float(), second.float()))


def test_wrong_arguments() -> None:
    four, five = torch.randn(4, 3), torch.randn(5, 3)
    with pytest.raises(ValueError, match="different shapes"):
        nt_xent(four, five)
    with pytest.raises(ValueError, match="at offset 2 of 5"):
        nt_xent(four, four, candidates=(five, five), offset=2)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_loss_on_the_class_token_alone_trains_everything(name: str) -> None:
    config = replace(CONFIGS[name], frontend=LogMelConfig(bins=16), frames=9, dim=24, depth=3)
    model = ViT1D(config, generator=torch.Generator().manual_seed(0))
    layers = model(torch.randn(8, 9, 16, generator=torch.Generator().manual_seed(1)))
    last = layers[-1].tokens
    last.retain_grad()
    torch.autograd.backward(nt_xent(*last[:, 0].chunk(2)))
    assert last.grad is not None
    assert last.grad[:, 0].abs().min() > 0
    assert not last.grad[:, 1:].any()  # of the outputs, only the class token is told anything
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name
