"""Kills, damage, two runs at once, a full disk and a read-only folder: nothing may be lost.

Usage: stress.py [--kills 100] [--damages 1000] [--seed 0]; `make stress` runs it. Each trial ends
with the scores of an undisturbed run, or with one clear line. The exit status is 1 if one fails.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from helpers.small_encoders import Bands
from helpers.sweeps import build
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.core.errors import MirprobeError, StorageError
from mirprobe.embedding.cache import Cache
from mirprobe.pretraining.bank import Bank
from mirprobe.probing import probes
from mirprobe.reporting.cell_file import read_cell
from mirprobe.reporting.run_tables import read_differences, read_scores, verify

TASKS = ("key", "chord")


class Scaled(Bands):
    """A second encoder."""


def compute(root: Path, dataset: Tones, jobs: int = 1) -> None:
    """One run of two encoders on two tasks; `jobs`: processes that compute cells."""
    result = Workbench(root, dataset).run(Bands(), Scaled(), tasks=TASKS, jobs=jobs)
    if result.failures or result.problems:
        raise AssertionError(f"{result.failures} {result.problems}")


def run(root: Path, dataset: Tones) -> str:
    """The `scores.csv` of a run in a process of its own.

    This process computes no cell itself: its copies could not use the processes of its pool.
    """
    status = ended(forked(lambda: compute(root, dataset)))
    assert status == 0, f"{root}: exit status {status}"
    (path,) = root.glob("results/*/scores.csv")
    return path.read_text()


def forked(work: Callable[[], object]) -> int:
    """Start work in a process of its own; its exit status is 1 after an error that is one line."""
    child = os.fork()
    if child:
        return child
    status = 2
    try:
        work()
        status = 0
    except MirprobeError as error:
        status = 1 if "\n" not in str(error) else 3
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kills(folder: Path, dataset: Tones, expected: str, count: int, rng: random.Random) -> str:
    """Kill a run at random moments until it ends by itself, again and again."""
    begun = time.perf_counter()
    run(folder / "timed", dataset)
    length = time.perf_counter() - begun
    killed = finished = 0
    while killed < count:
        root = folder / f"killed-{finished}"
        while True:
            child = forked(lambda root=root: compute(root, dataset, 2))  # type: ignore[misc]
            time.sleep(rng.uniform(0, length))
            os.kill(child, signal.SIGKILL)
            status = ended(child)
            killed += status == -signal.SIGKILL
            if status == 0 or killed >= count:
                break
            assert status == -signal.SIGKILL, f"exit status {status} after a kill"
        assert run(root, dataset) == expected, f"{root}: other scores after kills"
        finished += 1
    return f"{killed} kills in {finished} runs, each ended with the scores of an undisturbed run"


def damaged(path: Path, rng: random.Random) -> None:
    """Flip a bit, cut the file, or write other bytes over a part of it."""
    content = bytearray(path.read_bytes())
    place, kind = rng.randrange(len(content)), rng.randrange(3)
    if kind == 0:
        content[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        content = content[:place]
    else:
        stop = min(len(content), place + rng.randrange(1, 64))
        content[place:stop] = bytes(byte ^ rng.randrange(1, 256) for byte in content[place:stop])
    path.write_bytes(content)


def entries(folder: Path, dataset: Tones, count: int, rng: random.Random) -> str:
    """A damaged cache entry is never read as if it were whole."""
    run(folder, dataset)
    cache = Cache(folder / "cache")
    paths = sorted(cache.entries())
    for _ in range(count):
        path = rng.choice(paths)
        content = path.read_bytes()
        damaged(path, rng)
        assert Cache(folder / "cache").get(path.stem) is None, f"{path}: damage was not noticed"
        path.with_name(path.name + ".broken").unlink(missing_ok=True)
        path.write_bytes(content)
    return f"{count} damaged cache entries, all noticed"


def banks(folder: Path, count: int, rng: random.Random) -> str:
    """A damaged bank is refused when it is opened or loaded, or holds the same as before."""
    bank = build(folder, 3)
    frames, known = bank.load(), vars(bank) | {"frames": None}
    noticed = 0
    for _ in range(count):
        path = folder / rng.choice(("bank.json", "frames.npy"))
        content = path.read_bytes()
        damaged(path, rng)
        try:
            found = Bank.open(folder)
            loaded = found.load()
        except StorageError:
            noticed += 1
        else:
            same = vars(found) | {"frames": None} == known and torch.equal(loaded, frames)
            assert same, f"{path}: damage was not noticed"
        path.write_bytes(content)
    return f"{count} damaged banks, {noticed} noticed, the others hold the same as before"


def cells(folder: Path, dataset: Tones, expected: str, count: int, rng: random.Random) -> str:
    """A damaged cell, with its copy for other runs, is computed again."""
    run(folder, dataset)
    paths = sorted(folder.glob("results/*/predictions/*.json.gz"))
    for _ in range(count):
        path = rng.choice(paths)
        for one in (path, *(folder / "cache" / "cells").rglob(f"{read_cell(path).key}.json.gz")):
            damaged(one, rng)
        assert run(folder, dataset) == expected, f"{path}: other scores after damage"
    return f"{count} damaged cells, each computed again"


def run_folders(folder: Path, dataset: Tones, expected: str, count: int, rng: random.Random) -> str:
    """A damaged file of a run folder is refused, and mended by the next run."""
    run(folder, dataset)
    (root,) = folder.glob("results/*")
    differences = read_differences(root)
    names = ("*.csv", "*.json*", "SHA256SUMS", "predictions/*.json.gz")
    paths = [path for name in names for path in root.glob(name)]
    noticed = mended = 0
    for number in range(count):
        path = rng.choice(paths)
        content = path.read_bytes()
        damaged(path, rng)
        if path.read_bytes() == content:
            continue
        try:
            for name in (path.relative_to(root).as_posix(), "scores.csv", "differences.csv"):
                verify(root, name)
            read_scores(root)
            same = read_differences(root).equals(differences)
            assert (same, path.name) == (True, "SHA256SUMS"), f"{path}: damage was not noticed"
        except StorageError:
            noticed += 1
        if number % 40 == 0:
            assert run(folder, dataset) == expected, f"{path}: other scores after damage"
            read_scores(root)
            mended += 1
        else:
            path.write_bytes(content)
    return f"{count} damaged files of run folders, {noticed} noticed, {mended} runs mended"


def together(folder: Path, dataset: Tones, expected: str, count: int) -> str:
    """Two runs share one cache and one results folder."""
    for number in range(count):
        root = folder / f"together-{number}"
        children = [forked(lambda root=root: compute(root, dataset, 2)) for _ in range(2)]  # type: ignore[misc]
        assert [ended(child) for child in children] == [0, 0]
        assert run(root, dataset) == expected
    return f"{count} pairs of runs at once, all with the same scores"


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path | None]:
    """A small file system in memory; None where it cannot be mounted."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disk(folder: Path, dataset: Tones, expected: str) -> str:
    """A run on a disk that fills ends in one line, and goes on when there is room."""
    sizes = (16, 64, 256, 512)
    for size in sizes:
        with mounted(folder / f"full-{size}", f"size={size}k") as disk:
            if disk is None:
                return "full disk: not tried, a file system cannot be mounted here"
            status = ended(forked(lambda disk=disk: compute(disk, dataset)))  # type: ignore[misc]
            assert status == 1, f"{size} KiB: exit status {status}"
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            assert run(disk, dataset) == expected
    return f"{len(sizes)} full disks, each run went on when there was room"


def read_only(folder: Path, dataset: Tones) -> str:
    with mounted(folder / "read-only", "size=64m,ro") as disk:
        if disk is None:
            return "read-only folder: not tried, a file system cannot be mounted here"
        assert ended(forked(lambda: compute(disk, dataset))) == 1
    return "a read-only folder ends in one line"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable()
    probes.PRESETS["standard"] = QUICK
    rng = random.Random(options.seed)
    few = max(1, options.damages // 40)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = Tones(folder / "tones", 2.0)
        for tracks in dataset.splits().values():
            list(dataset.prepare(tracks))
        expected = run(folder / "undisturbed", dataset)
        trials: list[Callable[[], str]] = [
            lambda: entries(folder / "entries", dataset, options.damages, rng),
            lambda: banks(folder / "bank", options.damages, rng),
            lambda: cells(folder / "cells", dataset, expected, few, rng),
            lambda: run_folders(folder / "folders", dataset, expected, options.damages, rng),
            lambda: together(folder, dataset, expected, 3),
            lambda: full_disk(folder, dataset, expected),
            lambda: read_only(folder, dataset),
            lambda: kills(folder, dataset, expected, options.kills, rng),
        ]
        failed = 0
        for trial in trials:
            begun = time.perf_counter()
            try:
                line = trial()
            except AssertionError as error:
                line, failed = f"FAIL {error}", failed + 1
            print(f"{line} ({time.perf_counter() - begun:.0f} s)", flush=True)
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
