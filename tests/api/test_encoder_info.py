"""What encoders say of themselves; those of packages are in test_encoders_pretrained.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.hear_modules import write_module
from helpers.small_encoders import Bands

import mirprobe
from mirprobe.api.encoder import EncoderInfo, combined_info, count_parameters, info_of
from mirprobe.core.errors import ConfigError
from mirprobe.encoders.combined import Concat
from mirprobe.encoders.hear import Hear
from mirprobe.encoders.specs import make_encoder
from mirprobe.encoders.vit1d import RandomViT1D, TrainedViT1D, random_model
from mirprobe.vit1d.checkpoint import SHIPPED
from mirprobe.vit1d.model import CONFIGS


def parameters(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", ["logmel", "mfcc", "chroma"])
def test_signal_processing_has_no_parameters(name: str) -> None:
    assert info_of(name, make_encoder(name)) == EncoderInfo(0, trained_on=())


@pytest.mark.parametrize("config", CONFIGS)
def test_random_weights_are_counted_without_being_drawn(config: str) -> None:
    encoder = RandomViT1D(config=config)
    count = parameters(random_model(CONFIGS[config], 0))
    assert encoder.info == EncoderInfo(count, trained_on=())
    assert encoder._model is None


def test_weights_that_ship_have_a_licence() -> None:
    encoder = TrainedViT1D()
    corpus = ("mirprobe_tasks.pretraining_corpus",)
    assert encoder.info == EncoderInfo(parameters(encoder._build()), "MIT", trained_on=corpus)
    assert TrainedViT1D(checkpoint=SHIPPED).info.licence == ""


def test_combinations() -> None:
    one = EncoderInfo(3, "MIT", ("key", "chord"))
    assert combined_info([one, EncoderInfo(4, "ISC", ("key", "beat"))]) == EncoderInfo(
        7, "MIT AND ISC", ("key", "chord", "beat")
    )
    assert combined_info([one, EncoderInfo(4, "MIT")]).licence == "MIT"
    assert combined_info([one, EncoderInfo()]) == EncoderInfo(None, "MIT", ("key", "chord"))
    vit1d = TrainedViT1D().info
    for spec in ("concat(vit1d,chroma)", "pool(vit1d,5)", "layers(vit1d,4)"):
        assert info_of(spec, make_encoder(spec)) == vit1d


def test_a_part_that_says_something_else() -> None:
    part = make_encoder("chroma")
    part.info = "chroma"  # type: ignore[attr-defined]
    made = Concat({"one": part, "mfcc": make_encoder("mfcc")})
    with pytest.raises(ConfigError, match="encoder 'one': its info is a str, not an EncoderInfo"):
        _ = made.info


def test_modules_of_the_hear_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write_module(tmp_path, "counted_module")
    encoder = Hear(module="counted_module")
    assert encoder.info == EncoderInfo(parameters(encoder._model))


def test_counting_takes_no_memory() -> None:
    assert count_parameters(lambda: torch.nn.Linear(1_000_000, 1_000_000)) == 10**12 + 10**6


def test_the_former_attribute_and_name_still_work() -> None:
    class Former(Bands):
        about = mirprobe.About(parameters=5)

    assert info_of("former", Former()) == EncoderInfo(5)


def test_combined_training_data_is_that_of_all_parts() -> None:
    declared, none = EncoderInfo(trained_on=("a", "b")), EncoderInfo(trained_on=())
    assert combined_info([declared, none, declared]).trained_on == ("a", "b")
    assert combined_info([none, none]).trained_on == ()
    assert combined_info([none, EncoderInfo()]).trained_on is None
