from __future__ import annotations

from math import pi

import pytest
import torch
from torch import Tensor

from mirprobe.pretraining.augment import SEMITONES, TEMPO, Warp, draw_warp, span, warp
from mirprobe.pretraining.pair_sampler import seeded
from mirprobe.vit1d.frontend import LogMel, LogMelConfig

CONFIG = LogMelConfig()


def plucked(fundamental: float, rate: float = 1.0) -> Tensor:
    """Frames of 6 s of a tone with nine overtones, plucked `rate` times a second, over noise."""
    time = torch.arange(6 * 16_000) / 16_000
    overtone = torch.arange(1, 11)[:, None]
    tone = (0.7**overtone * torch.sin(2 * pi * fundamental * overtone * time)).sum(0)
    audio = 0.1 * tone * torch.exp(-4 * ((2 * rate * time) % 1))
    noise = 1e-3 * torch.randn(len(time), generator=seeded("noise", 0))
    frames: Tensor = LogMel(CONFIG)((audio + noise)[None])
    return frames


def single(semitones: float, tempo: float, limit: float = 1.0) -> Warp:
    return Warp(*(torch.full((1, 1), value) for value in (semitones, tempo, limit)))


@pytest.mark.parametrize("semitones", [-3, -1, 0, 1, 3])
@pytest.mark.parametrize("tempo", [0.9, 1.0, 1.12])
def test_a_variant_is_what_an_instrument_would_have_played(semitones: int, tempo: float) -> None:
    source = plucked(330.0)
    true = plucked(330.0 * 2 ** (semitones / 12), tempo)[:, :126]
    made = warp(source[None, :, : span(126)], single(semitones, tempo), CONFIG, time=126)[0]
    if (semitones, tempo) == (0, 1.0):
        torch.testing.assert_close(made, source[:, :126], atol=1e-4, rtol=0)
        return
    missed = (made - true)[..., 10:100].square().mean().sqrt()
    apart = (source[:, :126] - true)[..., 10:100].square().mean().sqrt()
    assert missed < 0.35 * apart


def test_nothing_is_heard_above_the_limit() -> None:
    frames = torch.arange(128.0).expand(1, 1, 150, 128)
    limited = warp(frames, single(0, 1, 4000 / CONFIG.f_max), CONFIG, time=126)
    step = 2595 * torch.log10(torch.tensor(8700 / 730)) / 129  # mel a band
    highest = 2595 * torch.log10(torch.tensor(4700 / 730)) / step - 1  # the band at 4 kHz
    assert limited.max() == pytest.approx(float(highest), abs=0.1)
    torch.testing.assert_close(limited[..., :80], frames[:, :, :126, :80], atol=1e-3, rtol=0)


def test_every_track_comes_in_other_keys_and_its_two_views_in_the_same() -> None:
    found = []
    for seed in range(50):
        semitones, tempo, limit = draw_warp(5, 4, generator=seeded("warp", seed))
        assert semitones.shape == tempo.shape == limit.shape == (2, 20)
        assert (semitones[0] - semitones[1]).abs().max() <= 0.2001  # a detuning
        keys = semitones.round()
        assert torch.equal(keys[0], keys[1])
        assert all(len(set(row.tolist())) == 4 for row in keys[0].view(5, 4))
        assert torch.equal(tempo[0], tempo[1])
        assert tempo.log().abs().max() <= TEMPO
        assert limit.min() >= 2 ** (-SEMITONES / 12)
        assert limit.max() <= 1
        found.append(keys)
    counts = torch.cat(found).add(SEMITONES).long().flatten().bincount()
    assert len(counts) == 2 * SEMITONES + 1
    assert (counts / counts.sum() * len(counts) - 1).abs().max() < 0.1


def test_the_fastest_variant_finds_all_its_frames() -> None:
    for frames in (2, 12, 126):
        assert (frames - 1) * 2.718281828**TEMPO <= span(frames) - 1 < (frames - 1) * 1.13 + 1
