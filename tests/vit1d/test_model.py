from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mirprobe.core.errors import ConfigError
from mirprobe.vit1d.blocks import Attention, apply_rotary, rotary_angles
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.model import CONFIGS, ViT1D, ViT1DConfig

SMALL = {
    name: replace(config, frontend=LogMelConfig(bins=16), frames=9, dim=24, depth=3)
    for name, config in CONFIGS.items()
}


def model_of(config: ViT1DConfig, seed: int = 0) -> ViT1D:
    return ViT1D(config, generator=torch.Generator().manual_seed(seed)).eval()


def frames_of(config: ViT1DConfig, *, batch: int = 2, time: int | None = None) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, time or config.frames, config.frontend.bins, generator=generator)


@pytest.mark.parametrize(
    ("name", "millions", "tolerance"), [("vit1d", 5.4, 0.01), ("vit1d-rope", 7.1, 0.02)]
)
def test_size_is_that_of_the_papers(name: str, millions: float, tolerance: float) -> None:
    count = sum(parameter.numel() for parameter in ViT1D(CONFIGS[name]).parameters())
    assert count / 1e6 == pytest.approx(millions, rel=tolerance)


def test_the_window_is_four_seconds() -> None:
    for config in CONFIGS.values():
        assert (config.window, config.frontend.frame_rate, config.frames) == (4.0, 31.25, 126)
        assert config.layers == tuple(str(k) for k in range(1, 13))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_token_begins_as_large_as_its_frame_and_the_blocks_add_little(name: str) -> None:
    model, frames = model_of(CONFIGS[name]), frames_of(CONFIGS[name])
    with torch.no_grad():
        begun = model.embed(frames)[:, 1:]
        later = model(frames)[-2].tokens[:, 1:]
    assert begun.square().mean().sqrt().item() == pytest.approx(1, rel=0.05)
    assert (later - begun).square().mean().sqrt().item() < 0.3


@pytest.mark.parametrize("name", CONFIGS)
def test_one_forward_gives_every_layer(name: str) -> None:
    model, frames = model_of(SMALL[name]), frames_of(SMALL[name])
    with torch.no_grad():
        layers = model(frames)
        assert [layer.tokens.shape for layer in layers] == [(2, 10, 24)] * 3
        assert all(layer.attention is None for layer in layers)
        # Layer k is block k's output; the final norm is on the last alone.
        rotary = model.rotary
        tokens = model.embed(frames)
        for block, layer in zip(model.blocks, layers, strict=True):
            tokens = block(tokens, rotary, need_weights=False).tokens
            if layer is not layers[-1]:
                torch.testing.assert_close(layer.tokens, tokens)
        torch.testing.assert_close(layers[-1].tokens, model.norm(tokens))


@pytest.mark.parametrize("variant", CONFIGS)
def test_explicit_attention_equals_the_fused_path(variant: str) -> None:
    model, frames = model_of(CONFIGS[variant]), frames_of(CONFIGS[variant])
    for name, weight in model.named_parameters():
        if name.endswith("qkv.weight"):  # sharper than at the start: the attention is not flat
            weight.data *= 5
    with torch.inference_mode():
        fused, explicit = model(frames), model(frames, attention=True)
    for one, other in zip(fused, explicit, strict=True):
        torch.testing.assert_close(one.tokens, other.tokens, rtol=0, atol=1e-5)
        assert other.attention.shape == (2, 3, 127, 127)
        torch.testing.assert_close(other.attention.sum(-1), torch.ones(2, 3, 127))
    assert explicit[0].attention.std() > 1e-3


@pytest.mark.parametrize("name", CONFIGS)
def test_attention_against_a_naive_loop(name: str) -> None:
    config = SMALL[name]
    model = model_of(config)
    attention = next(part for part in model.modules() if isinstance(part, Attention))
    tokens = model.embed(frames_of(config, batch=1))  # (1, T, D)
    with torch.no_grad():
        out, weights = attention(tokens, model.rotary, need_weights=True)
        query, key, value = attention.qkv(tokens)[0].split(24, dim=-1)
        mixed = torch.zeros(10, 24)
        for head in range(3):
            part = slice(8 * head, 8 * head + 8)
            for i in range(10):
                scores = torch.zeros(10)
                for j in range(10):
                    left, right = query[i, part], key[j, part]
                    if model.rotary is not None:
                        left = apply_rotary(
                            left[None, None, None], model.rotary[:, i : i + 1]
                        ).flatten()
                        right = apply_rotary(
                            right[None, None, None], model.rotary[:, j : j + 1]
                        ).flatten()
                    scores[j] = left @ right / 8**0.5
                row = scores.exp() / scores.exp().sum()
                torch.testing.assert_close(weights[0, head, i], row)
                mixed[i, part] = row @ value[:, part]
        torch.testing.assert_close(out[0], attention.out(mixed))


def test_class_token_is_a_learned_vector_plus_the_mean_of_the_projected_frames() -> None:
    for config in SMALL.values():
        model, frames = model_of(config), frames_of(config)
        tokens = model.embed(frames)
        if model.positions is not None:
            tokens = tokens - model.positions
        projected = model.project(frames)
        torch.testing.assert_close(tokens[:, 1:], projected)
        torch.testing.assert_close(tokens[:, 0], model.class_token + projected.mean(1))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_order_of_the_frames_matters(name: str) -> None:
    model, frames = model_of(SMALL[name]), frames_of(SMALL[name])
    with torch.no_grad():
        forward = model(frames)[-1].tokens[:, 0]
        backward = model(frames.flip(1))[-1].tokens[:, 0]
    assert (forward - backward).abs().max() > 1e-4


def test_rotated_products_depend_on_the_distance_alone() -> None:
    rotary = rotary_angles(positions=20, size=8, base=10_000.0)
    query, key = torch.randn(2, 1, 1, 1, 8).expand(2, 1, 1, 20, 8)
    scores = apply_rotary(query, rotary)[0, 0] @ apply_rotary(key, rotary)[0, 0].T
    for distance in range(-5, 6):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal))
    torch.testing.assert_close(apply_rotary(query, rotary)[..., 0, :], query[..., 0, :])


@pytest.mark.parametrize("name", CONFIGS)
def test_windows_do_not_see_each_other_and_may_be_short(name: str) -> None:
    model, frames = model_of(SMALL[name]), frames_of(SMALL[name], batch=3, time=5)
    with torch.no_grad():
        together = model(frames)[-1].tokens
        alone = torch.cat([model(window[None])[-1].tokens for window in frames])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("name", CONFIGS)
def test_autocast_changes_little(name: str) -> None:
    model, frames = model_of(SMALL[name]), frames_of(SMALL[name])
    with torch.no_grad():
        exact = model(frames)[-1].tokens
        with torch.autocast("cpu", torch.bfloat16):
            for attention in (False, True):
                rough = model(frames, attention=attention)[-1].tokens.float()
                torch.testing.assert_close(rough, exact, rtol=0, atol=0.1)


def test_the_generator_decides_the_weights_and_no_norm_is_touched() -> None:
    config = SMALL["vit1d"]
    one, same, other = model_of(config), model_of(config), model_of(config, seed=1)
    for name, parameter in one.named_parameters():
        assert parameter.equal(same.get_parameter(name))
        drawn = parameter.ndim == 2 or name == "class_token"
        assert parameter.equal(other.get_parameter(name)) != drawn
        if "norm" in name:
            assert set(parameter.tolist()) == {1.0 if name.endswith("weight") else 0.0}


def test_frames_of_a_wrong_shape() -> None:
    model = model_of(SMALL["vit1d"])
    for shape in ((2, 10, 16), (2, 9, 15), (9, 16), (2, 0, 16)):
        with pytest.raises(ValueError, match="expected"):
            model(torch.zeros(shape))


def test_configuration_as_plain_values() -> None:
    for config in (*CONFIGS.values(), *SMALL.values()):
        assert ViT1DConfig.from_dict(config.as_dict()) == config
    for wrong in ({}, {"frontend": {}, "colour": "red"}, {"frontend": {"hops": 1}}):
        with pytest.raises(ConfigError, match="not a ViT-1D configuration"):
            ViT1DConfig.from_dict(wrong)
    with pytest.raises(ConfigError, match="norm='batch'"):
        ViT1DConfig.from_dict({"frontend": {}, "norm": "batch"})
    with pytest.raises(ConfigError, match="twice its heads"):
        ViT1DConfig(heads=5)
