"""Models of Hugging Face as encoders: frames, layers, tokens and fingerprints."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

pytest.importorskip("transformers", reason="transformers is not installed: mirprobe[hf]")

from helpers.embedded_tracks import embed
from helpers.hf_calls import changes, encode
from helpers.small_hf_models import MAKERS, save_model, transformers

from mirprobe.api.registry import ENCODERS
from mirprobe.core.errors import ConfigError, EncoderError
from mirprobe.core.schema import Annotations, Track
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.encoders.hf import HuggingFace
from mirprobe.encoders.windows import layout_windows

FACTS: dict[str, tuple[int, float, float | None, int]] = {
    "wav2vec2": (16_000, 10.0, 50.0, 3),
    "wav2vec2-layer-norm": (16_000, 10.0, 50.0, 3),
    "hubert": (16_000, 10.0, 50.0, 3),
    "hubert-24k": (24_000, 10.0, 75.0, 3),
    "wavlm": (16_000, 10.0, 50.0, 3),
    "data2vec-audio": (16_000, 10.0, 50.0, 3),
    "ast": (16_000, 2.4, 10.0, 3),
    "whisper": (16_000, 1.98, 50.0, 3),
    "clap": (16_000, 2.0, None, 1),
    "clap-fusion": (16_000, 2.0, None, 1),
    "encodec-24k": (24_000, 10.0, 75.0, 1),
    "encodec-32k": (32_000, 10.0, 50.0, 1),
    "encodec-48k": (48_000, 10.0, 150.0, 1),
}


CONV = [name for name in MAKERS if name.startswith(("wav2vec2", "hubert", "wavlm", "data2vec"))]


@pytest.mark.parametrize("name", MAKERS)
def test_facts_and_promises(models: Path, name: str) -> None:
    encoder = HuggingFace(model=models / name)
    found = (encoder.sample_rate, encoder.window, encoder.frame_rate, len(encoder.layers))
    assert found == FACTS[name]
    assert encoder._model is None  # construction is cheap
    assert encoder.window is not None
    samples = round(encoder.window * encoder.sample_rate)
    audio = 0.1 * torch.randn(2, samples, generator=torch.Generator().manual_seed(0))
    tokens = encode(encoder, audio)
    if encoder.frame_rate is None:
        assert tokens.sequence is None
        assert encoder.sources == ("class",)
    else:
        frames = round(encoder.window * encoder.frame_rate) + 1
        assert tokens.sequence is not None
        assert tokens.sequence.shape == (2, frames, len(encoder.layers), encoder.dim)
        assert tokens.sequence.dtype == torch.float32
        assert tokens.sequence.isfinite().all()
    if "class" in encoder.sources:
        assert tokens.class_token is not None
        assert tokens.class_token.shape == (2, len(encoder.layers), encoder.dim)
        assert tokens.class_token.isfinite().all()
    again = encode(HuggingFace(model=models / name), audio[1:])  # nor does the batch matter
    for value, one in ((tokens.sequence, again.sequence), (tokens.class_token, again.class_token)):
        assert (value is None) == (one is None)
        if value is not None and one is not None:
            torch.testing.assert_close(value[1:], one, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", [*CONV, "ast"])
@pytest.mark.parametrize("time", [0.003, 0.5, 1.237, 1.989, 2.391])
def test_an_impulse_stands_in_its_frame(models: Path, name: str, time: float) -> None:
    encoder = HuggingFace(model=models / name)
    assert encoder.frame_rate is not None
    changed = changes(encoder, time, before=0.0 if name == "ast" else -1.0)
    heard = int(changed.argmax()) / encoder.frame_rate
    overlap = 0.0325 if name == "ast" else 0.0025  # s that a frame hears beyond its hop, each side
    assert abs(heard - time) <= 0.5 / encoder.frame_rate + overlap


@pytest.mark.parametrize("time", [0.1, 0.5, 1.237, 1.9])
def test_an_impulse_stands_in_its_frame_of_whisper(models: Path, time: float) -> None:
    encoder = HuggingFace(model=models / "whisper")
    noise = 0.01 * torch.randn(1, 31_680, generator=torch.Generator().manual_seed(0))
    clicked = noise.clone()
    clicked[0, round(time * 16_000)] += 1.0  # in noise, whose maximum the extractor refers to
    one, other = (encode(encoder, audio).sequence for audio in (noise, clicked))
    assert one is not None
    assert other is not None
    heard = int((one - other)[0, :, 0].norm(dim=-1).argmax()) / 50
    assert abs(heard - time) <= 0.5 / 50 + 0.0125  # the spectrogram has windows of 25 ms


@pytest.mark.parametrize("time", [0.1, 0.5, 1.237, 1.989])
def test_the_codec_block_of_an_impulse(models: Path, time: float) -> None:
    causal, centred = (HuggingFace(model=models / f"encodec-{rate}") for rate in ("24k", "32k"))
    assert (causal.frame_rate, centred.frame_rate) == (75, 50)
    first = int((changes(causal, time) > 1e-6).nonzero()[0])  # nothing is heard in advance
    assert abs(first / 75 - time) <= 0.5 / 75 + 1e-4
    changed = (changes(centred, time) > 1e-6).nonzero()
    middle = float(changed[0] + changed[-1]) / 2
    assert abs(middle / 50 - time) <= 0.5 / 50 + 1e-4


@pytest.mark.parametrize("name", CONV)
def test_loudness_and_offset_are_normalised_away(models: Path, name: str) -> None:
    encoder = HuggingFace(model=models / name)
    audio = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    one, other = encode(encoder, audio).sequence, encode(encoder, audio * 3 + 0.05).sequence
    torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-3)


def test_hidden_states_are_those_of_the_model(models: Path) -> None:
    audio = 0.1 * torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    model = transformers.AutoModel.from_pretrained(models / "hubert").eval()
    values = (audio - audio.mean()) / audio.std(correction=0)
    values = torch.nn.functional.pad(values, (200, 200))
    with torch.inference_mode():
        states = model(values, output_hidden_states=True).hidden_states
    tokens = encode(HuggingFace(model=models / "hubert"), audio)
    assert tokens.sequence is not None
    torch.testing.assert_close(tokens.sequence, torch.stack(states, 2), rtol=1e-3, atol=1e-3)


def test_tracks_are_stitched_in_time(models: Path, tmp_path: Path) -> None:
    encoder = HuggingFace(model=models / "ast")  # windows of 2.4 s
    times = np.array([0.31, 2.62, 4.51, 6.1])
    samples = 1e-3 * np.random.default_rng(0).standard_normal(16_000 * 7)
    samples[np.round(times * 16_000).astype(int)] = 1.0
    soundfile.write(tmp_path / "clicks.wav", samples, 16_000, subtype="FLOAT")
    track = Track("clicks", tmp_path / "clicks.wav", "group", Annotations())
    embedder = Embedder("hf", encoder, Cache(tmp_path / "cache"), Encoding(layers=("0",)))
    [(_, embedding)] = embed(embedder, [track], ["clip", "frame"])
    assert not isinstance(embedding, Exception)
    assert embedding.frames is not None
    assert embedding.clip is not None
    assert len(layout_windows(len(samples), encoder).starts) == 3
    frames = embedding.frames.read()[:, 0].astype(np.float64)
    assert frames.shape == (71, 24)
    distance = np.linalg.norm(frames - np.median(frames, axis=0), axis=1)
    for time in times:
        near = np.flatnonzero(np.abs(np.arange(71) / 10 - time) <= 0.08 + 1e-6)
        assert distance[near].max() > 2 * np.median(distance)
    assert embedding.clip.shape == (3, 3, 1, 24)


def test_whole_tracks_and_windows_of_ones_own(models: Path) -> None:
    whole = HuggingFace(model=models / "wav2vec2", window=None)
    assert whole.window is None
    sequence = encode(whole, torch.randn(1, 12_345)).sequence
    assert sequence is not None
    assert sequence.shape[1] == 12_345 // 320 + 1
    assert HuggingFace(model=models / "wav2vec2", window=5).window == 5
    for name in ("ast", "clap"):
        with pytest.raises(ConfigError, match=r"supports only windows of \d\.\d s; omit window=5"):
            HuggingFace(model=models / name, window=5)
    with pytest.raises(EncoderError, match=r"received 3\.000 s of audio; its window is 2\.0 s"):
        encode(HuggingFace(model=models / "clap"), torch.zeros(1, 48_000))
    with pytest.raises(ConfigError, match="window=0"):
        HuggingFace(model=models / "wav2vec2", window=0)


def test_fingerprints(models: Path, tmp_path: Path) -> None:
    first = HuggingFace(model=models / "hubert").fingerprint
    assert HuggingFace(model=models / "hubert").fingerprint == first
    found = [first, HuggingFace(model=models / "hubert", window=5).fingerprint]
    found.append(HuggingFace(model=save_model("hubert", tmp_path, seed=1)).fingerprint)
    settings = tmp_path / "hubert" / "preprocessor_config.json"
    changed = {**json.loads(settings.read_text()), "do_normalize": False}
    settings.write_text(json.dumps(changed))
    found.append(HuggingFace(model=tmp_path / "hubert").fingerprint)
    assert len(set(found)) == len(found)
    elsewhere = tmp_path / "elsewhere"
    (models / "hubert").rename(elsewhere)
    assert HuggingFace(model=elsewhere).fingerprint == first
    elsewhere.rename(models / "hubert")


def test_a_repository_is_known_by_its_commit(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = transformers.AutoConfig.from_pretrained
    asked: list[Any] = []

    def on_the_hub(name: str, **options: Any) -> Any:
        config = real(models / name.split("/")[1])
        config._commit_hash = commit
        return config

    def read(name: str, **options: Any) -> Any:
        asked.append(options["revision"])
        return transformers.Wav2Vec2FeatureExtractor.from_pretrained(models / name.split("/")[1])

    def load(name: str, **options: Any) -> Any:
        asked.append(options["revision"])
        raise OSError("no connection\nat all")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", on_the_hub)
    monkeypatch.setattr(transformers.AutoFeatureExtractor, "from_pretrained", read)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", load)
    commit = "a" * 40
    encoder = HuggingFace(model="some/hubert", revision="main")
    with pytest.raises(EncoderError, match=r"'some/hubert' \(OSError: no connection\)"):
        encode(encoder, torch.zeros(1, 16_000))
    assert asked == ["main", commit]
    commit = "b" * 40
    assert HuggingFace(model="some/hubert").fingerprint != encoder.fingerprint
    commit = ""
    with pytest.raises(ConfigError, match="no commit that could name its weights"):
        HuggingFace(model="some/hubert")


def test_transformers_is_imported_only_when_a_model_is_named() -> None:
    code = "import sys, mirprobe.encoders.hf; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", MAKERS)
def test_parameters_are_counted_without_weights(name: str, models: Path) -> None:
    encoder = HuggingFace(model=models / name)
    counted = encoder.info.parameters
    assert encoder._model is None
    assert counted == sum(parameter.numel() for parameter in encoder._load().parameters())


@pytest.mark.parametrize(
    ("readme", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: [audio]\n---\n# A model\n", "apache-2.0"),
        ("---\nlicense: [mit, cc-by-nc-4.0]\n---\n", "mit AND cc-by-nc-4.0"),
        ("---\ntags: [audio]\n---\nlicense: mit\n", ""),
        ("---\n- license\n---\n", ""),
        ("A text\n---\nlicense: mit\n---\n", ""),
        ("license: mit", ""),
        (None, ""),
    ],
)
def test_the_licence_stands_in_the_readme(readme: str | None, licence: str, tmp_path: Path) -> None:
    save_model("hubert", tmp_path)
    if readme is not None:
        (tmp_path / "hubert" / "README.md").write_text(readme)
    assert HuggingFace(model=tmp_path / "hubert").info.licence == licence


def test_tasks_it_had_labels_for_are_an_option(models: Path) -> None:
    assert HuggingFace(model=models / "ast").info.supervised == ()
    encoder = ENCODERS.create(f"hf:model={models / 'ast'},supervised=tagging+genre")
    assert encoder.info.supervised == ("tagging", "genre")  # type: ignore[attr-defined]
    assert encoder.fingerprint == HuggingFace(model=models / "ast").fingerprint
