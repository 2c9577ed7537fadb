"""Compiled decoders beside the same algorithms in NumPy: `make bench`.

Runs, alternating, on one core: the Viterbi decoding of chords over the grid of costs, and the
bar-pointer model over the grid of stiffnesses, for pieces of 20 s and of 240 s. The paths are
equal. Prints the median ratio of the times of NumPy and of the compiled code.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import thread_time
from typing import Any

import numpy as np
from helpers import numpy_decoders

from mirprobe_tasks.beat import TRANSITION_LAMBDAS
from mirprobe_tasks.chord import JUMP_COSTS
from mirprobe_tasks.decoding import dbn, viterbi

ROUNDS, RATE = 7, 50.0
LEAST = {"chords": 40.0, "beats": 6.0, "downbeats": 6.0}


def seconds(work: Callable[[], Any]) -> float:
    """How long a call takes."""
    begun = thread_time()
    work()
    return thread_time() - begun


def cases(duration: float) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """NumPy and compiled code, on the same activations."""
    rng = np.random.default_rng(0)
    scores = 3 * rng.normal(size=(int(duration * RATE), 25))
    densities = dbn.observations(rng.random(int(duration * RATE)) ** 3)
    found = {
        "chords": (
            lambda: [numpy_decoders.viterbi_path(scores, cost) for cost in JUMP_COSTS],
            lambda: [viterbi.best_path(scores, cost) for cost in JUMP_COSTS],
        )
    }

    def beats(pulse: dbn.Pulse) -> tuple[Callable[[], Any], Callable[[], Any]]:
        intervals = dbn.beat_intervals(RATE, pulse)
        changes = [dbn.tempo_changes(intervals, value) for value in TRANSITION_LAMBDAS]
        return (
            lambda: [numpy_decoders.best_beats(*densities, intervals, own) for own in changes],
            lambda: dbn.best_beats(*densities, intervals, changes),
        )

    return {**found, "beats": beats(dbn.BEATS), "downbeats": beats(dbn.BARS)}


def main() -> None:
    """Measure and print."""
    slow = False
    for duration in (20.0, 240.0):
        for name, (plain, compiled) in cases(duration).items():
            for one, other in zip(plain(), compiled(), strict=True):
                np.testing.assert_array_equal(one, other)
            pairs = [(seconds(plain), seconds(compiled)) for _ in range(ROUNDS)]
            ratio = median(a / b for a, b in pairs)
            slow |= ratio < LEAST[name]
            print(
                f"{name}, {duration:.0f} s: {1e3 * median(b for _, b in pairs):.2f} ms, NumPy / "
                f"compiled {ratio:.1f} (at least {LEAST[name]:.0f})"
            )
    if slow:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
