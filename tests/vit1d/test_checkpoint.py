from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mirprobe.core.errors import MirprobeError, StorageError
from mirprobe.vit1d.checkpoint import load_checkpoint, read_config, read_notes, save_checkpoint
from mirprobe.vit1d.frontend import LogMelConfig
from mirprobe.vit1d.model import CONFIGS, ViT1D

SMALL = {
    name: replace(config, frontend=LogMelConfig(bins=16), frames=9, dim=24, depth=2)
    for name, config in CONFIGS.items()
}


@pytest.fixture
def model() -> ViT1D:
    return ViT1D(SMALL["vit1d"])


@pytest.mark.parametrize("name", CONFIGS)
def test_the_file_alone_rebuilds_the_model(name: str, tmp_path: Path) -> None:
    model, path = ViT1D(SMALL[name]), tmp_path / "new" / "model.safetensors"
    save_checkpoint(model, path, dtype=torch.float32, notes={"steps": "7"})
    assert read_config(path) == SMALL[name]
    assert read_notes(path) == {"steps": "7"}
    again = load_checkpoint(path, expected=SMALL[name])
    frames = torch.randn(1, 9, 16)
    assert again(frames)[-1].tokens.equal(model(frames)[-1].tokens)
    assert os.listdir(path.parent) == [path.name]


def test_float16_halves_the_file_and_loads_as_float32(model: ViT1D, tmp_path: Path) -> None:
    half, full = tmp_path / "half", tmp_path / "full"
    save_checkpoint(model, half)
    save_checkpoint(model, full, dtype=torch.float32)
    assert half.stat().st_size < 0.6 * full.stat().st_size
    for name, parameter in load_checkpoint(half).named_parameters():
        assert parameter.dtype == torch.float32
        torch.testing.assert_close(parameter, model.get_parameter(name), rtol=1e-3, atol=1e-6)


def test_loading_leaves_the_global_generator_alone(model: ViT1D, tmp_path: Path) -> None:
    save_checkpoint(model, tmp_path / "model")
    before = torch.get_rng_state()
    load_checkpoint(tmp_path / "model")
    assert torch.get_rng_state().equal(before)


def refuses(path: Path, *words: str) -> None:
    with pytest.raises(StorageError) as caught:
        load_checkpoint(path)
    message = str(caught.value)
    assert isinstance(caught.value, MirprobeError)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message


def test_damaged_or_foreign_files(model: ViT1D, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    refuses(path, "cannot be read")
    save_checkpoint(model, path)
    content = path.read_bytes()
    for size in (0, 5, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        refuses(path, "damaged or not a safetensors file", "again")
    path.write_bytes(b"RIFF" * 1000)
    refuses(path, "damaged or not a safetensors file")
    save_file({"weight": torch.zeros(2)}, path)
    refuses(path, "not a ViT-1D checkpoint", "give one")


def test_contents_that_do_not_fit(model: ViT1D, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    good = {"format": "mirprobe.vit1d.1"}
    for config in ("{", "[]", "{}", '{"frontend": {}, "colour": 1}', '{"frontend": {}, "dim": 7}'):
        save_file({"weight": torch.zeros(2)}, path, metadata={**good, "config": config})
        refuses(path, "configuration", "upgrade")
    save_file({"weight": torch.zeros(2)}, path, metadata={**good, "config": '{"frontend": {}}'})
    refuses(path, "weights do not fit")


def test_another_configuration_is_refused_by_name(model: ViT1D, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(model, path)
    with pytest.raises(StorageError, match="differs in positions, norm, mlp, bias"):
        load_checkpoint(path, expected=SMALL["vit1d-rope"])


def test_a_failed_write_keeps_the_old_file(
    model: ViT1D, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(model, path)
    content = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"model\.safetensors.*No space left on device"):
        save_checkpoint(ViT1D(SMALL["vit1d-rope"]), path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == [path.name]

    with pytest.raises(StorageError, match="cannot be written"):
        save_checkpoint(model, path / "below_a_file")


def test_what_cannot_be_saved(model: ViT1D, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match="cannot write"):
        save_checkpoint(model, path, dtype=torch.int8)
    with pytest.raises(ValueError, match="config"):
        save_checkpoint(model, path, notes={"config": "mine"})
    model.class_token.data[0] = 1e6  # beyond float16
    with pytest.raises(StorageError, match="class_token is not finite"):
        save_checkpoint(model, path)
    assert not path.exists()
