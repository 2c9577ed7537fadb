"""HEAR modules for tests: written to a folder, whose frames tell where they lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_SOURCE = '''
import json
import torch

OPTIONS = json.loads(r"""{options}""")
FAULT = OPTIONS["fault"]


class Model(torch.nn.Module):
    sample_rate = OPTIONS["sample_rate"]
    timestamp_embedding_size = 2
    scene_embedding_size = OPTIONS["scene_size"]


def load_model(model_file_path=""):
    torch.manual_seed(7)
    if FAULT == "load":
        raise RuntimeError("no such weights\\nand a second line")
    if FAULT == "not torch":
        return object()
    model = Model()
    model.path = model_file_path
    if FAULT == "no size":
        model.timestamp_embedding_size = None
    return model


def get_timestamp_embeddings(audio, model):
    """Frame i hears `reach` ms around first + i * hop, without padding, and says how loud it is."""
    if FAULT == "raises" and audio.std() > 0.5:
        raise ValueError("too loud\\nfor me")
    hop, first, reach = OPTIONS["hop"], OPTIONS["first"], OPTIONS["hop"] / 2
    length = 1000 * audio.shape[1] / model.sample_rate
    count = int((length - OPTIONS["ends"] - first) / hop + 1e-9) + 1
    times = first + hop * torch.arange(count).double()
    frames = []
    for time in times.tolist():
        start = max(0, round((time - reach) * model.sample_rate / 1000))
        stop = max(start + 1, round((time + reach) * model.sample_rate / 1000))
        heard = audio[:, min(start, audio.shape[1] - 1) : stop].abs().amax(1)
        frames.append(torch.stack([heard, torch.ones_like(heard)], 1))
    embeddings = torch.stack(frames, 1)
    if FAULT == "nan":
        embeddings[:, 0] = float("nan")
    if FAULT == "uneven":
        times[1::2] += hop / 4
    if FAULT == "wrong size":
        embeddings = embeddings[:, :, :1]
    if FAULT == "wrong length":
        times = times[:-1]
    if FAULT == "one frame":
        embeddings, times = embeddings[:, :1], times[:1]
    if FAULT == "half" and audio.std() > 0.5:
        embeddings, times = embeddings[:, : count // 2], times[: count // 2]
    if FAULT == "bare":
        return embeddings
    return embeddings.float(), times.float().expand(embeddings.shape[0], -1)


def get_scene_embeddings(audio, model):
    scene = audio.abs().mean(1)[:, None].expand(-1, OPTIONS["scene_size"])
    return scene[0] if FAULT == "wrong scene" else scene
'''


def write_module(folder: Path, name: str = "made_up", **options: Any) -> Path:
    """A module in `folder`: frames every `hop` ms from `first` ms to `ends` ms before the end."""
    defaults = {"sample_rate": 1000, "hop": 20.0, "first": 0.0, "ends": 0.0}
    options = {**defaults, "scene_size": 2, "fault": "", **options}
    path = folder / f"{name}.py"
    path.write_text(_SOURCE.replace("{options}", json.dumps(options)), encoding="utf-8")
    return path
