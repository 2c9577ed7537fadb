"""Models of Hugging Face that cannot be used, and their facts."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers", reason="transformers is not installed: mirprobe[hf]")

from helpers.hf_calls import encode
from helpers.small_hf_models import save_model, transformers

from mirprobe.api.registry import ENCODERS
from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.encoders.hf import HuggingFace


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    folder = save_model("hubert", tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=r"pytorch_model\.bin, a pickle, which is never loaded"):
        HuggingFace(model=folder)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ConfigError, match=r"has no safetensors weights \(none\)"):
        HuggingFace(model=folder)


def test_weights_that_do_not_fill_the_model(tmp_path: Path) -> None:
    folder = save_model("hubert", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(EncoderError, match=r"of its weights are missing, such as encoder\.layers"):
        encode(HuggingFace(model=folder), torch.zeros(1, 16_000))
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(EncoderError, match="cannot load model"):
        encode(HuggingFace(model=folder), torch.zeros(1, 16_000))


@pytest.mark.parametrize(
    ("model", "of", "changes", "message"),
    [
        (
            "hubert",
            "ast",
            {},
            "takes input_values of shape (800,), and its feature extractor, a AST",
        ),
        (
            "hubert",
            "clap",
            {},
            "cannot use its feature extractor, a ClapFeatureExtractor (KeyError",
        ),
        (
            "ast",
            "hubert",
            {},
            "takes input_values of shape (256, 64), and its feature extractor, a",
        ),
        ("ast", "ast", {"max_length": 128}, "gives (128, 64); fetch both from one model"),
        ("ast", "ast", {"num_mel_bins": 32}, "gives (256, 32); fetch both from one model"),
        ("clap", "clap", {"feature_size": 32}, "gives (1, 51, 32); fetch both from one model"),
        ("clap", "clap-fusion", {}, "gives (4, 51, 16); fetch both from one model"),
        (
            "clap",
            "clap",
            {"max_length_s": 20, "nb_max_samples": 320_000},
            "takes fewer frames than",
        ),
        ("encodec-24k", "encodec-32k", {}, "works at 24000 Hz and its feature extractor at 32000"),
    ],
)
def test_an_extractor_of_another_model_is_refused_at_construction(
    models: Path, tmp_path: Path, model: str, of: str, changes: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(models / model, folder)
    settings = json.loads((models / of / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, **changes}))
    with pytest.raises(ConfigError) as caught:
        HuggingFace(model=folder)
    assert str(caught.value).startswith(f"encoder hf: model '{folder}' ")
    assert message in str(caught.value)


_REMOTE = """
from transformers import HubertConfig, HubertModel

class MERTConfig(HubertConfig):
    model_type = "mert_model"

class MERTModel(HubertModel):
    config_class = MERTConfig
"""


def test_code_of_the_models_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    folder = save_model("hubert-24k", tmp_path)
    plain = encode(HuggingFace(model=folder), torch.ones(1, 24_000)).sequence
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    code = {"AutoConfig": "remote.MERTConfig", "AutoModel": "remote.MERTModel"}
    changed = {**config, "model_type": "mert_model", "auto_map": code}
    (folder / "config.json").write_text(json.dumps(changed))
    (folder / "remote.py").write_text(_REMOTE)
    with pytest.raises(ConfigError, match=r"code of its own; .* add trust_remote_code=true"):
        HuggingFace(model=folder)
    assert not (tmp_path / "modules").exists()
    encoder = HuggingFace(model=folder, trust_remote_code=True)
    assert encoder.frame_rate == 75
    torch.testing.assert_close(encode(encoder, torch.ones(1, 24_000)).sequence, plain)


def test_models_of_another_kind(tmp_path: Path) -> None:
    folder = save_model("hubert", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))
    with pytest.raises(ConfigError, match="is of type 'bert'; those that work are wav2vec2, "):
        HuggingFace(model=folder)
    parts = {
        "text_encoder": transformers.T5Config().to_dict(),
        "audio_encoder": transformers.EncodecConfig().to_dict(),
        "decoder": transformers.MusicgenDecoderConfig().to_dict(),
    }
    transformers.MusicgenConfig(**parts).save_pretrained(folder)
    with pytest.raises(ConfigError, match="what hears in it is facebook/encodec_32khz"):
        HuggingFace(model=folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read by AutoConfig"):
        HuggingFace(model=folder)


def test_a_repository_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        ConfigError, match="model 'no/where' is no folder here, and on the hub"
    ) as e:
        ENCODERS.create("hf:model=no/where")
    assert "\n" not in str(e.value)


def test_without_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"encoder hf needs transformers .*mirprobe\[hf\]"):
        HuggingFace(model="some/hubert")


def test_a_readme_that_is_no_yaml(tmp_path: Path) -> None:
    save_model("hubert", tmp_path)
    (tmp_path / "hubert" / "README.md").write_text("---\nlicense: [mit\n---\n")
    with pytest.raises(ConfigError, match=r"README\.md whose front matter is not YAML; correct it"):
        _ = HuggingFace(model=tmp_path / "hubert").info
