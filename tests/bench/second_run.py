"""A run of which everything is cached, beside the imports that it needs.

CPU time of processes: of `mirprobe run` from nothing, of the same command again, and of Python with
torch and pandas alone. The last number is how many times the second run takes the imports.
"""

from __future__ import annotations

import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory

ENCODERS = ("vit1d", "vit1d-random", "logmel", "mfcc", "chroma")


def cpu(*arguments: str) -> float:
    """Seconds of CPU time of Python with these arguments."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    with TemporaryDirectory() as folder:
        command = ["-c", "from mirprobe.cli import main; main()", "run", "--dataset", "studio"]
        command += ["--task", "tagging", "--limit", "16", "--cache-dir", f"{folder}/cache"]
        command += ["--results-dir", f"{folder}/results", "--jobs", "1"]
        command += [part for name in ENCODERS for part in ("--encoder", name)]
        first = cpu(*command)
        second = min(cpu(*command) for _ in range(3))
    imports = min(cpu("-c", "import torch, pandas") for _ in range(3))
    print(f"first run {first:.1f} s, second {second:.1f} s, imports alone {imports:.1f} s")
    print(f"second run: {second / imports:.2f} times the imports")


if __name__ == "__main__":
    main()
