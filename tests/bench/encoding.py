"""What the harness adds to the encoder: `make bench`.

Encodes the same windows twice, alternating: bare forward passes in a tight loop over tensors that
are ready in memory, and the harness from files on the disk to entries in the cache (decoding,
resampling, checks, pooling, writing). Prints the median of the rounds' ratios.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch

from mirprobe.api.encoder import Encoder
from mirprobe.core.schema import Track
from mirprobe.data.audio import load
from mirprobe.embedding.cache import Cache
from mirprobe.embedding.embedder import Embedder
from mirprobe.embedding.track_encoder import Encoding
from mirprobe.encoders.vit1d import RandomViT1D
from mirprobe.encoders.windows import layout_windows
from mirprobe_tasks.datasets.studio import Studio

BATCH, ROUNDS = 16, 7


def make_tracks(folder: Path) -> list[Track]:
    """Pieces of the data set `studio`, rendered."""
    studio = Studio(folder, size=72)
    tracks = list(studio.splits()["test"])
    for _ in studio.prepare(tracks):
        pass
    return tracks


def bare(encoder: Encoder, windows: torch.Tensor) -> float:
    """Seconds for the forward passes alone."""
    begun = perf_counter()
    with torch.inference_mode():
        for batch in torch.split(windows, BATCH):
            encoder(batch)
    return perf_counter() - begun


def harness(encoder: Encoder, tracks: list[Track], cache: Path) -> float:
    """Seconds from files to cache entries, clip and frame views of layers 4, 8 and 12."""
    layers = ("4", "8", "12")
    embedder = Embedder("bench", encoder, Cache(cache), Encoding(layers=layers, batch=BATCH))
    begun = perf_counter()
    for _ in embedder.fill(tracks, ["clip", "frame"]):
        pass
    return perf_counter() - begun


def main() -> None:
    """Measure and print."""
    encoder = RandomViT1D()
    with TemporaryDirectory() as name:
        folder = Path(name)
        tracks = make_tracks(folder)
        cut_up = []
        for track in tracks:
            samples = load(track, encoder.sample_rate)
            cut_up += layout_windows(len(samples), encoder).cut(samples)
        windows = torch.from_numpy(np.stack(cut_up))
        bare(encoder, windows[:BATCH])  # build the model, warm up
        ratios = []
        for number in range(ROUNDS):
            alone = bare(encoder, windows)
            through = harness(encoder, tracks, folder / f"cache-{number}")
            ratios.append(through / alone)
            print(f"round {number}: bare {alone:.2f} s, harness {through:.2f} s")
        print(f"encoding through the harness / bare forward: {median(ratios):.3f} (at most 1.15)")


if __name__ == "__main__":
    main()
