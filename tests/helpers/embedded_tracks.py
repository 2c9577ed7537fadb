"""Short tracks, and their embeddings by a naive loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from helpers.encoders_for_tests import Oracle

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Embedding, Floating, Level, Track
from mirprobe.data import audio
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder, read_embedding
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.encoders.windows import layout_windows

BOTH: tuple[Level, Level] = ("clip", "frame")


# shorter than a frame and than a window; one window but for a sample, and exactly; many
LENGTHS = (7, 300, 999, 1000, 1001, 1010, 2000, 2345, 3700)


def write_tracks(folder: Path, lengths: Sequence[int] = LENGTHS) -> list[Track]:
    """Noise at the oracle's sample rate, so that what it hears is what was written."""
    rng, tracks = np.random.default_rng(0), []
    for number, length in enumerate(lengths):
        path = folder / f"{number}.wav"
        soundfile.write(path, rng.uniform(-1, 1, length), 1000, subtype="FLOAT")
        tracks.append(Track(f"track-{number}", path, "group", Annotations()))
    return tracks


def embedder(encoder: Any, cache: Cache, **options: Any) -> Embedder:
    options = {"layers": encoder.layers, "dtype": "float32", "batch": 4, **options}
    return Embedder("oracle", encoder, cache, Encoding(**options))


def embed(
    embedder: Embedder, tracks: Sequence[Track], levels: Sequence[Level]
) -> Iterator[tuple[Track, Embedding | TrackError]]:
    """The embedding of each track, read from the cache, or the error of its audio."""
    for track, filled in embedder.fill(tracks, levels):
        if not isinstance(filled, TrackError):
            yield track, read_embedding(embedder.cache, filled)
        else:
            yield track, filled


def embed_all(
    embedder: Embedder, tracks: Sequence[Track], levels: Sequence[Level] = BOTH
) -> dict[str, Embedding]:
    results = list(embed(embedder, tracks, levels))
    assert sorted(track.id for track, _ in results) == sorted(track.id for track in tracks)
    found = {}
    for track, result in results:
        assert isinstance(result, Embedding)
        found[track.id] = result
    return found


def naive(encoder: Oracle, track: Track, layers: Sequence[str]) -> tuple[Floating, Floating]:
    """Clip and frames of one track: every window alone, every frame by its own time."""
    samples = torch.from_numpy(audio.load(track, encoder.sample_rate)).numpy()
    layout = layout_windows(len(samples), encoder)
    kept = [encoder.layers.index(layer) for layer in layers]
    rate = encoder.frame_rate
    assert rate is not None
    clips, grid = [], {}
    for first, window in zip(layout.frames, layout.cut(samples), strict=True):
        tokens = encoder(torch.from_numpy(window)[None])
        assert tokens.sequence is not None
        assert tokens.class_token is not None
        inside = []
        for number, frame in enumerate(tokens.sequence[0].numpy()):
            if (first + number) / rate <= len(samples) / encoder.sample_rate + 1e-9:
                inside.append(frame[kept])
                grid[first + number] = frame[kept]
        class_token = tokens.class_token[0].numpy()[kept]
        sources = {
            "class": class_token,
            "sequence": np.mean(inside, axis=0),
            "both": np.mean([class_token, *inside], axis=0),
        }
        clips.append([sources[source] for source in encoder.sources])
    assert sorted(grid) == list(range(len(grid)))
    return np.array(clips), np.array([grid[number] for number in sorted(grid)])
