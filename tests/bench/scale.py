"""From cache to table at scale: `make bench-scale`. Writes `results/bench/scale.csv` and `.png`.

An encoder that costs nothing fills the cache: 12 layers x 192. Then a run of another process takes
the embeddings from the cache to the table: `key` of clips of 1 s, or `chord` and `beat` of songs of
240 s. Time and memory of that run are measured at several sizes. It fails if the cost grows faster
than linearly, if the memory grows, or if the largest run of clips takes more than ten minutes.

Usage: scale.py [--clips 2500 ...] [--songs 20 ...] [--output results/bench] [--seconds 240]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from math import log
from pathlib import Path
from time import perf_counter

import matplotlib
import numpy as np
import soundfile
import torch
from joblib.externals.loky import get_reusable_executor
from torch import Tensor

from mirprobe.core.schema import Annotations, Beats, Segments, Split, Tokens, Track
from mirprobe.evaluation.config import make_config
from mirprobe.evaluation.extract import extract
from mirprobe.evaluation.runner import run

RATE, HOP, DIM, LAYERS = 16_000, 512, 192, 12
STEP = 4 * HOP / RATE  # seconds between the starts of two tracks
LABEL = 64 * HOP / RATE  # seconds of one key or chord
BEAT = 16 * HOP / RATE
LABELS = [f"{root}{mode}" for mode in (" major", " minor") for root in "CDEFGAB"]
MOST_SECONDS = 600.0
STEEPEST = 1.1  # exponent of the growth of time
MOST_MEMORY = 1.3  # largest over smallest run


class Stretches:
    """Stretches of one file, whose frames tell chord and beat, with noise."""

    name = "stretches"
    tags: tuple[str, ...] = ()
    trim = 0.0

    def __init__(self, root: Path, tracks: int, seconds: float) -> None:
        self.audio, self.tracks, self.seconds = root / "noise.wav", tracks, seconds
        self.frames = round((tracks * STEP + seconds + 1) * RATE / HOP)

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        test = self.tracks // 5
        ends = {"train": self.tracks - 2 * test, "valid": self.tracks - test, "test": self.tracks}
        starts: dict[Split, int] = {"train": 0, "valid": ends["train"], "test": ends["valid"]}
        return {s: [self._track(n) for n in range(starts[s], ends[s])] for s in starts}

    def _track(self, number: int) -> Track:
        start, stop = number * STEP, number * STEP + self.seconds
        first = int(start / LABEL)
        edges = np.arange(first, int(stop / LABEL) + 2) * LABEL
        intervals = np.stack([edges[:-1], edges[1:]], axis=1).clip(start, stop) - start
        kept = intervals[:, 1] > intervals[:, 0]
        names = [self.label(index) for index in range(first, first + len(intervals))]
        chords = tuple(n[0] + (":min" if "minor" in n else ":maj") for n in np.array(names)[kept])
        beats = np.arange(np.ceil(start / BEAT), np.ceil(stop / BEAT), dtype=np.float64)
        annotations = Annotations(
            key=names[0],
            chords=Segments(intervals[kept], chords),
            beats=Beats(beats * BEAT - start, beats.astype(np.int64) % 4 + 1),
        )
        return Track(f"{number}", self.audio, f"{number}", annotations, start, stop)

    def label(self, index: int) -> str:
        """The key and chord of the part number `index` of the file."""
        return LABELS[(5 * index + index // 14) % 14]

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        if not self.audio.exists():
            rng = np.random.default_rng(0)
            centres = dict(zip(LABELS, rng.normal(size=(14, DIM)), strict=True))
            pulse = rng.normal(size=DIM)
            with soundfile.SoundFile(self.audio, "w", RATE, 1, "PCM_16") as file:
                for part in range(self.frames // 64 + 1):
                    frames = centres[self.label(part)] + 4 * rng.normal(size=(64, DIM))
                    frames[::16] += 2 * pulse
                    samples = np.pad(frames / 32, ((0, 0), (0, HOP - DIM)))
                    file.write(samples.clip(-1, 1).ravel())
        yield from (track.id for track in tracks)


class Free:
    """An encoder that costs nothing: a frame is the first samples of its hop, turned by layer."""

    sample_rate = RATE
    frame_rate: float | None = RATE / HOP
    dim = DIM
    layers = tuple(str(layer) for layer in range(LAYERS))
    sources = ("sequence",)

    def __init__(self, frames: int) -> None:
        self.window: float | None = frames * HOP / RATE
        self.fingerprint = f"free-{frames}"

    def __call__(self, audio: Tensor) -> Tokens:
        frames = audio.reshape(len(audio), -1, HOP)[..., :DIM]
        turned = [frames.roll(layer, -1) for layer in range(LAYERS)]
        return Tokens(torch.stack(turned, dim=2))


KINDS = {
    # name: seconds, frames in a window, tasks
    "clips": (32 * HOP / RATE, 32, ("key",)),
    "songs": (240.0, 320, ("chord", "beat")),
}


def measure(kind: str, tracks: int, seconds: float, folder: Path, fill: bool) -> None:
    """Fill the cache, or run and print what the run took."""
    _, frames, tasks = KINDS[kind]
    common = {
        "encoders": ["free"],
        "tasks": list(tasks),
        "dataset": "stretches",
        "layers": "all",
        "cache_dir": folder / "cache",
        "results_dir": folder / "results",
    }
    plugins = {"encoders": {"free": Free(frames)}, "dataset": Stretches(folder, tracks, seconds)}
    begun = perf_counter()
    if fill:
        extract(make_config(common), **plugins)  # type: ignore[arg-type]
        return
    result = run(make_config(common), **plugins)  # type: ignore[arg-type]
    assert not result.failures, result.failures
    assert not result.problems, result.problems
    wall = perf_counter() - begun
    get_reusable_executor().shutdown()  # only then does their time belong to this process
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    best = result.scores.query("selected and main")
    print(
        json.dumps(
            {
                "kind": kind,
                "tracks": tracks,
                "seconds": round(wall, 1),
                "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usages), 1),
                "megabytes": max(one.ru_maxrss for one in usages) // 1000,
                "score": round(float(best["value"].mean()), 3),
            }
        )
    )


def measured(kind: str, tracks: int, seconds: float) -> dict[str, object]:
    """One row: the cache is filled and read by a process each."""
    with tempfile.TemporaryDirectory(prefix="mirprobe-scale-") as folder:
        command = [sys.executable, __file__, "--kind", kind, "--tracks", str(tracks)]
        command += ["--folder", folder, "--seconds", str(seconds)]
        subprocess.run([*command, "--fill"], check=True)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def plot(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """CPU time and memory over the number of tracks; a dotted line grows linearly."""
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    kinds = sorted({str(row["kind"]) for row in rows})
    figure, axes = plt.subplots(2, len(kinds), squeeze=False, figsize=(4.5 * len(kinds), 6))
    for kind, (top, bottom) in zip(kinds, axes.T, strict=True):
        own = [row for row in rows if row["kind"] == kind]
        tracks = np.array([row["tracks"] for row in own], dtype=float)
        seconds = np.array([row["cpu_seconds"] for row in own], dtype=float)
        top.plot(tracks, seconds, "o-", label="CPU time")
        top.plot(tracks, seconds[-1] * tracks / tracks[-1], ":", color="grey", label="linear")
        top.set(
            title=f"{kind}, {LAYERS} layers x {DIM}",
            ylabel="s",
            xlim=0,
            ylim=(0, 1.15 * seconds.max()),
        )
        top.legend()
        memory = np.array([row["megabytes"] for row in own], dtype=float)
        bottom.plot(tracks, memory, "s-", color="C1")
        bottom.set(xlabel=kind, ylabel="peak memory, MB", xlim=0, ylim=(0, 1.15 * memory.max()))
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def faults(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """What misses its target."""
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]  # the smallest first
        if len(own) > 1:
            size, time, memory = (
                float(str(own[-1][name])) / float(str(own[0][name]))
                for name in ("tracks", "cpu_seconds", "megabytes")
            )
            if log(time) / log(size) > STEEPEST:
                yield f"{kind}: time grows with the power {log(time) / log(size):.2f}"
            if memory > MOST_MEMORY:
                yield f"{kind}: memory grows {memory:.2f} times"
        if kind == "clips" and own and float(str(own[-1]["seconds"])) > MOST_SECONDS:
            yield f"{own[-1]['tracks']} clips take {own[-1]['seconds']} s"


def main() -> None:
    """Measure, write the table and the figure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, nargs="*", default=[2500, 5000, 12_500, 25_000])
    parser.add_argument("--songs", type=int, nargs="*", default=[20, 50, 100, 200])
    parser.add_argument("--seconds", type=float, help="of a song")
    parser.add_argument("--output", type=Path, default=Path("results/bench"))
    parser.add_argument("--kind", choices=tuple(KINDS), help=argparse.SUPPRESS)
    parser.add_argument("--tracks", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--fill", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        measure(options.kind, options.tracks, options.seconds, options.folder, options.fill)
        return
    lengths = {"clips": KINDS["clips"][0], "songs": options.seconds or KINDS["songs"][0]}
    options.output.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for kind in KINDS:
        for tracks in sorted(getattr(options, kind)):
            machine = {"cores": os.cpu_count(), "machine": platform.machine()}
            rows.append({**measured(kind, tracks, lengths[kind]), **machine})
            # after each size, so that an interrupted benchmark keeps what it has measured
            with (options.output / "scale.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            plot(rows, options.output / "scale.png")
    found = list(faults(rows))
    print(*found, sep="\n", end="\n" if found else "")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
