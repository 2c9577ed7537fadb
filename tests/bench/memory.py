"""Peak memory of a cold and a warm run over many short clips.

Usage: memory.py [--clips 6000] [--layers 12] [--sources 1]. Each run is a process; its peak
resident memory is printed, with what its clip vectors take.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from mirprobe.core.schema import Annotations, Split, Tokens, Track
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.runner import run

RATE, DIM = 16_000, 192
STEP = 0.05  # seconds between the starts of two clips


class Clips:
    """Stretches of one second of one file."""

    name = "clips"
    tags: tuple[str, ...] = ()
    trim = 0.0

    def __init__(self, root: Path, clips: int) -> None:
        self.audio, self.clips = root / "noise.wav", clips

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        test = self.clips // 5
        sizes = {"train": self.clips - 2 * test, "valid": test, "test": test}
        found: dict[Split, Sequence[Track]] = {}
        number = 0
        for split in ("train", "valid", "test"):
            found[split] = [self._track(number + index) for index in range(sizes[split])]
            number += sizes[split]
        return found

    def _track(self, number: int) -> Track:
        key = f"{'CDEFGAB'[number % 7]} major"
        start = number * STEP
        return Track(f"{number}", self.audio, f"{number}", Annotations(key=key), start, start + 1)

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        if not self.audio.exists():
            samples = np.random.default_rng(0).uniform(
                -0.5, 0.5, round((len(tracks) * STEP + 2) * RATE)
            )
            soundfile.write(self.audio, samples.astype(np.float32), RATE, subtype="PCM_16")
        yield from (track.id for track in tracks)


class Free:
    """An encoder that costs nothing: levels of the audio, repeated."""

    sample_rate = RATE
    window: float | None = 1.0
    frame_rate: float | None = 31.25
    dim = DIM

    def __init__(self, layers: int, sources: int) -> None:
        self.layers = tuple(str(layer) for layer in range(layers))
        self.sources = ("sequence", "class", "both")[:sources]
        self.fingerprint = f"free-{layers}-{sources}"

    def __call__(self, audio: Tensor) -> Tokens:
        frames = audio[:, :15_872].view(-1, 31, 512)[..., :DIM]
        sequence = frames[:, :, None].expand(-1, -1, len(self.layers), -1).contiguous()
        return Tokens(sequence, sequence[:, 0] if len(self.sources) > 1 else None)


def peak(folder: Path, clips: int, layers: int, sources: int) -> None:
    """Run, and print the peak in MB."""
    torch.set_num_threads(1)
    config = make_config(
        {
            "encoders": ["free"],
            "tasks": ["key"],
            "dataset": "clips",
            "layers": "all",
            "cache_dir": folder / "cache",
            "results_dir": folder / f"results-{len(list(folder.glob('results-*')))}",
        }
    )
    result = run(config, encoders={"free": Free(layers, sources)}, dataset=Clips(folder, clips))
    assert not result.failures, result.failures
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=6000)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--sources", type=int, default=1, choices=(1, 2, 3))
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.folder:
        peak(options.folder, options.clips, options.layers, options.sources)
        return
    with tempfile.TemporaryDirectory() as name:
        sizes = {name: getattr(options, name) for name in ("clips", "layers", "sources")}
        size = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, __file__, "--folder", name, *size]
        vectors = prod(sizes.values()) * DIM * 4 / 1e6
        for kind in ("cold", "warm"):
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            print(f"{kind}: {done.stdout.strip()} MB; clip vectors in float32: {vectors:.0f} MB")


if __name__ == "__main__":
    main()
