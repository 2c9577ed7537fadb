from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.nn.functional as F
from torch import Tensor
from torch.multiprocessing.spawn import spawn

from mirprobe.pretraining.jepa import Masks, Predictor, draw_masks, encode_visible, jepa_loss
from mirprobe.pretraining.nt_xent import nt_xent
from mirprobe.pretraining.objectives import CoJEPA, NTXent, Objective, last_tokens
from mirprobe.pretraining.pair_sampler import seeded
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.model import CONFIGS, ViT1D

TIME, BINS = 12, 8
TINY = {
    name: replace(config, frontend=LogMelConfig(bins=BINS), frames=TIME, dim=12, depth=2, heads=2)
    for name, config in CONFIGS.items()
}


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def views_and_masks(count: int = 4) -> tuple[Tensor, Masks]:
    generator = seeded("test", 0)
    views = torch.randn(2, count, TIME, BINS, generator=generator)
    masks = draw_masks((2, count), time=TIME, share=(0.5, 0.75), generator=generator)
    return views, masks


def make(kind: str, name: str = "vit1d", shared: bool = False) -> Objective:
    torch.manual_seed(1)
    objective: type[Objective] = {"ntxent": NTXent, "cojepa": CoJEPA}[kind]
    return objective(ViT1D(TINY[name]), temperature=0.2, shared=shared)


@pytest.mark.parametrize("time", [12, 126, 127])
def test_a_mask_is_one_block_of_half_to_three_quarters(time: int) -> None:
    lengths, starts = set(), set()
    for step in range(300):
        masks = draw_masks((2, 3), time=time, share=(0.5, 0.75), generator=seeded("mask", step))
        length = masks.hidden.shape[-1]
        lengths.add(length)
        assert masks.visible.shape == (2, 3, time - length)
        for visible, hidden in zip(
            masks.visible.flatten(0, 1).tolist(), masks.hidden.flatten(0, 1).tolist(), strict=True
        ):
            assert hidden == list(range(hidden[0], hidden[0] + length))
            assert visible == sorted(set(range(time)) - set(hidden))
            starts.add(hidden[0])
    assert 0.5 * time <= min(lengths) <= 0.5 * time + 1
    assert 0.75 * time - 1 <= max(lengths) <= 0.75 * time
    assert min(starts) == 0
    assert max(starts) >= 0.45 * time


@pytest.mark.parametrize("name", TINY)
def test_the_student_that_sees_everything_is_the_model(name: str) -> None:
    model = ViT1D(TINY[name])
    frames = torch.randn(3, TIME, BINS)
    everything = torch.arange(TIME).expand(3, -1)
    torch.testing.assert_close(
        encode_visible(model, frames, everything), last_tokens(model, frames)
    )


@pytest.mark.parametrize("name", TINY)
def test_the_student_keeps_positions(name: str) -> None:
    """Without the dropped tokens' say, as if attention had been forbidden to look at them."""
    model = ViT1D(TINY[name])
    with torch.no_grad():
        for weights in model.blocks.parameters():
            weights.mul_(10 if weights.ndim == 2 else 1)  # as drawn, attention says little
    frames = torch.randn(1, TIME, BINS)
    here = encode_visible(model, frames, torch.tensor([[2, 3, 7, 8]]))
    swapped = encode_visible(model, frames, torch.tensor([[7, 2, 8, 3]]))
    torch.testing.assert_close(swapped, here[:, [0, 3, 1, 4, 2]])  # order means nothing
    closer = encode_visible(model, frames[:, [2, 3, 7, 8]], torch.arange(4)[None])
    assert (closer - here).abs().max() > 1e-4  # places do


@pytest.mark.parametrize("name", TINY)
def test_hidden_frames_do_not_reach_the_student(name: str) -> None:
    model = ViT1D(TINY[name])
    predictor = Predictor(TINY[name], depth=2)
    views, masks = views_and_masks()
    masks = Masks(*(part.flatten(0, 1) for part in masks))
    frames = views.flatten(0, 1).requires_grad_()
    student = encode_visible(model, frames, masks.visible)
    predicted = predictor(student, masks)
    assert predicted.shape == (8, masks.hidden.shape[1], 12)

    (gradient,) = torch.autograd.grad((student.square().sum() + predicted.square().sum()), frames)
    hidden = gradient.gather(1, masks.hidden[..., None].expand(-1, -1, BINS))
    visible = gradient.gather(1, masks.visible[..., None].expand(-1, -1, BINS))
    assert not hidden.any()
    assert visible.abs().amax(dim=2).min() > 0

    spoilt = frames.detach().scatter(1, masks.hidden[..., None].expand(-1, -1, BINS), torch.nan)
    assert torch.equal(encode_visible(model, spoilt, masks.visible), student)


def test_the_predictor_tells_hidden_places_apart() -> None:
    for config in TINY.values():
        predictor = Predictor(config, depth=2)
        with torch.no_grad():  # positions that weigh as much as after some training
            for parameter in predictor.parameters():
                parameter.mul_(20 if parameter.ndim > 1 else 1)
        masks = Masks(torch.tensor([[0, 1, 2]]), torch.tensor([[3, 4, 5, 6]]))
        predicted = predictor(torch.randn(1, 4, 12), masks)
        assert torch.pdist(predicted[0]).min() > 1e-3


def test_jepa_loss_against_a_naive_loop_and_at_its_corners() -> None:
    predicted, full = torch.randn(2, 3, 5), torch.randn(2, 7, 5)
    hidden = torch.tensor([[1, 2, 3], [4, 5, 6]])
    total = 0.0
    for n in range(2):
        for h in range(3):
            guess, truth = predicted[n, h], full[n, hidden[n, h]]
            cosine = float(guess @ truth / guess.norm() / truth.norm())
            total += float(((guess - truth) ** 2).mean()) + 1 - cosine
    assert float(jepa_loss(predicted, full, hidden)) == pytest.approx(total / 6, abs=1e-6)
    right = torch.stack((full[0, 1:4], full[1, 4:7]))
    assert float(jepa_loss(right, full, hidden)) == pytest.approx(0, abs=1e-6)
    opposite = float(4 * right.square().mean()) + 2
    assert float(jepa_loss(-right, full, hidden)) == pytest.approx(opposite, abs=1e-5)


def test_no_gradient_flows_into_the_target() -> None:
    full = torch.randn(1, 4, 5, requires_grad=True)
    predicted = torch.randn(1, 2, 5, requires_grad=True)
    loss = jepa_loss(predicted, full, torch.tensor([[1, 2]]))
    gradients = torch.autograd.grad(loss, (predicted, full), allow_unused=True)
    assert gradients[0].abs().max() > 0
    assert gradients[1] is None


def test_in_cojepa_sequence_tokens_of_the_full_pass_are_told_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def spy(model: ViT1D, frames: Tensor) -> Tensor:
        seen.append(last_tokens(model, frames))
        seen[-1].retain_grad()
        return seen[-1]

    monkeypatch.setattr("mirprobe.pretraining.objectives.last_tokens", spy)
    torch.autograd.backward(make("cojepa")(*views_and_masks())["loss"])
    (full,) = seen
    assert full.grad is not None
    assert full.grad[:, 0].abs().max() > 0
    assert not full.grad[:, 1:].any()


@pytest.mark.parametrize("name", TINY)
def test_objectives_are_made_of_their_parts_and_train_every_weight(name: str) -> None:
    views, masks = views_and_masks()
    contrast = make("ntxent", name)
    classes = last_tokens(contrast.model, views.flatten(0, 1))[:, 0]
    expected = nt_xent(classes[:4], classes[4:], temperature=0.2)
    torch.testing.assert_close(contrast(views)["loss"], expected)
    visible = masks.visible.flatten(0, 1)
    classes = encode_visible(contrast.model, views.flatten(0, 1), visible)[:, 0]
    partial = nt_xent(classes[:4], classes[4:], temperature=0.2)
    torch.testing.assert_close(contrast(views, masks)["loss"], partial)
    assert (partial - expected).abs() > 1e-4

    both = make("cojepa", name)  # of the same seed, so with the same encoder
    losses = both(views, masks)
    torch.testing.assert_close(losses["ntxent"], expected.detach())
    torch.testing.assert_close(losses["loss"].detach(), losses["ntxent"] + losses["jepa"])
    assert not losses["jepa"].requires_grad
    torch.autograd.backward(losses["loss"])
    for parameter_name, parameter in both.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().max() > 0, parameter_name


def test_the_predictor_is_as_the_paper_has_it() -> None:
    predictor = CoJEPA(ViT1D(CONFIGS["vit1d-rope"]), temperature=0.1).predictor
    assert len(predictor.blocks) == 6
    assert predictor.entry.out_features == 192


def test_a_mask_of_one_share_hides_that_much_or_a_frame_more() -> None:
    for share, hidden in ((0.5, 5), (0.3, 3), (0.25, 3), (0.9, 9)):
        masks = draw_masks((2, 3), time=10, share=(share, share), generator=seeded("mask", 0))
        assert masks.hidden.shape == (2, 3, hidden)


def test_cojepa_without_masks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs masks"):
        make("cojepa")(views_and_masks()[0])


def gradients(objective: Objective, losses: dict[str, Tensor]) -> dict[str, Tensor]:
    parameters = dict(objective.named_parameters())
    found = torch.autograd.grad(losses["loss"], list(parameters.values()))
    return dict(zip(parameters, found, strict=True))


def one_of_two(rank: int, folder: str) -> None:
    """A process with half of the batch; DDP averages its gradients with the other's."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    views, masks = views_and_masks()
    own = slice(2 * rank, 2 * rank + 2)
    found: dict[str, Any] = {}
    for kind in ("ntxent", "cojepa"):
        wrapped = torch.nn.parallel.DistributedDataParallel(make(kind, shared=True))
        losses = wrapped(views[:, own], Masks(masks.visible[:, own], masks.hidden[:, own]))
        losses["loss"].backward()
        inner = wrapped.module
        found[kind] = {
            "losses": {name: loss.detach() for name, loss in losses.items()},
            "gradients": {name: p.grad for name, p in inner.named_parameters()},
        }
    torch.save(found, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def test_two_processes_are_one_with_the_whole_batch(tmp_path: Path) -> None:
    spawn(one_of_two, (str(tmp_path),), nprocs=2)  # type: ignore[no-untyped-call]
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    views, masks = views_and_masks()
    for kind in ("ntxent", "cojepa"):
        objective = make(kind)
        whole = objective(views, masks)
        for name, loss in whole.items():
            mean = (halves[0][kind]["losses"][name] + halves[1][kind]["losses"][name]) / 2
            torch.testing.assert_close(mean, loss.detach(), atol=1e-5, rtol=0)
        for name, gradient in gradients(objective, whole).items():
            for half in halves:
                shared = half[kind]["gradients"][name]
                torch.testing.assert_close(shared, gradient, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_half_precision_agrees_roughly_and_losses_are_float32(name: str) -> None:
    objective = make("cojepa", name)
    views, masks = views_and_masks()
    full = objective(views, masks)
    with torch.autocast("cpu", torch.bfloat16):
        half = objective(views, masks)
    assert half["loss"].dtype == half["jepa"].dtype == torch.float32
    assert float(F.l1_loss(half["loss"], full["loss"]).detach()) < 0.1
