"""Models of transformers with few random weights, saved to folders as the hub has them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

transformers: Any = import_module("transformers")  # its own types are partial

_CONV = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "conv_dim": (16,) * 7,
    "num_conv_pos_embeddings": 4,
    "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 7,
}


def _conv(name: str, sampling_rate: int = 16_000, **options: Any) -> tuple[Any, Any]:
    config = getattr(transformers, f"{name}Config")(**_CONV, **options)
    extractor = transformers.Wav2Vec2FeatureExtractor(
        sampling_rate=sampling_rate, do_normalize=True
    )
    return getattr(transformers, f"{name}Model")(config), extractor


def _ast() -> tuple[Any, Any]:
    config = transformers.ASTConfig(
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_length=256,
        num_mel_bins=64,
    )
    extractor = transformers.ASTFeatureExtractor(max_length=256, num_mel_bins=64)
    return transformers.ASTModel(config), extractor


def _whisper() -> tuple[Any, Any]:
    config = transformers.WhisperConfig(
        num_mel_bins=16,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        d_model=24,
        max_source_positions=100,
        vocab_size=20,
        pad_token_id=0,
        bos_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
    )
    extractor = transformers.WhisperFeatureExtractor(feature_size=16, chunk_length=2)
    return transformers.WhisperModel(config), extractor


def _clap(*, fusion: bool) -> tuple[Any, Any]:
    audio = {
        "spec_size": 64,
        "num_mel_bins": 16,
        "patch_embeds_hidden_size": 8,
        "hidden_size": 16,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "window_size": 4,
        "num_hidden_layers": 2,
        "projection_dim": 8,
        "enable_fusion": fusion,
    }
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 20,
    }
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=8)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16,
        sampling_rate=16_000,
        hop_length=640,
        max_length_s=2,
        frequency_max=8000,
        truncation="fusion" if fusion else "rand_trunc",
    )
    return transformers.ClapModel(config), extractor


def _encodec(**options: Any) -> tuple[Any, Any]:
    config = transformers.EncodecConfig(
        hidden_size=16, num_filters=4, codebook_size=16, num_lstm_layers=1, **options
    )
    extractor = transformers.EncodecFeatureExtractor(
        feature_size=config.audio_channels, sampling_rate=config.sampling_rate
    )
    model = transformers.EncodecModel(config)
    for name, weight in model.named_parameters():
        if "lstm" in name:  # what it remembers would spread an impulse over all that follows
            torch.nn.init.zeros_(weight)
    return model, extractor


MAKERS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "wav2vec2": lambda: _conv("Wav2Vec2"),
    "wav2vec2-layer-norm": lambda: _conv(
        "Wav2Vec2", feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True
    ),
    "hubert": lambda: _conv("Hubert"),
    "hubert-24k": lambda: _conv("Hubert", sampling_rate=24_000),  # MERT's rates
    "wavlm": lambda: _conv("WavLM"),
    "data2vec-audio": lambda: _conv("Data2VecAudio"),
    "ast": _ast,
    "whisper": _whisper,
    "clap": lambda: _clap(fusion=False),
    "clap-fusion": lambda: _clap(fusion=True),
    "encodec-24k": _encodec,
    "encodec-32k": lambda: _encodec(
        sampling_rate=32_000, upsampling_ratios=[8, 5, 4, 4], use_causal_conv=False
    ),
    "encodec-48k": lambda: _encodec(
        sampling_rate=48_000,
        audio_channels=2,
        normalize=True,
        chunk_length_s=1.0,
        overlap=0.01,
        use_causal_conv=False,
        norm_type="time_group_norm",
    ),
}


def save_model(name: str, folder: Path, seed: int = 0) -> Path:
    """Write the model and its feature extractor into `folder/name`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, extractor = MAKERS[name]()
    model.save_pretrained(folder / name)
    extractor.save_pretrained(folder / name)
    return folder / name
