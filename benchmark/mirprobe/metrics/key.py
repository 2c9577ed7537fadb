"""Key metrics over a corpus of tracks with one key each.

Conventions: keys as mir_eval.key reads them, `"C# minor"`: enharmonic spellings are equal
(C# = Db), the tonic is in upper or lower case, the mode in lower case. A track whose reference is
outside the 24 major and minor keys (`"X"`, mode `other`) is left out of every mean. Values are in
[0, 1]. mir_eval.key has no options.

Sources: MIREX audio key detection, whose rules count a fifth in either direction since 2017 and
only the ascending one before; mir_eval (Raffel et al., ISMIR 2014) still has the older rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import mir_eval.key
import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.metrics.pitch_classes import PITCHES

METRICS: dict[str, str] = {
    "mirex": "MIREX weighted score: same 1, fifth up or down 0.5 (since 2017), relative 0.3, "
    "parallel 0.2",
    "mirex_ascending": "MIREX weighted score before 2017, mir_eval's: only the fifth above the "
    "reference counts 0.5",
    "accuracy": "fraction of tracks with tonic and mode right, enharmonics equal",
    "fifth": "breakdown: fraction of tracks a fifth above or below, same mode",
    "relative": "breakdown: fraction of tracks in the relative major or minor",
    "parallel": "breakdown: fraction of tracks in the parallel major or minor",
    "other": "breakdown: fraction of tracks with none of these relations",
}

KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in PITCHES)
"""The 24 classes."""


def key_class(key: str) -> int:
    """Index of a key in `KEYS`; -1 for `"X"` and for a mode that is neither major nor minor.

    Raises:
        ValueError: mir_eval.key cannot read it.
    """
    mir_eval.key.validate_key(key)
    semitone, mode = mir_eval.key.split_key_string(key)
    if semitone is None or mode not in ("major", "minor"):
        return -1
    return KEYS.index(f"{PITCHES[semitone]} {mode}")


@cache
def key_scores(reference: str, estimate: str) -> dict[str, float]:
    """Every metric of one pair of keys.

    mir_eval scores one direction of the fifth; swapping the pair gives the other one. Its other
    relations are symmetric.
    """
    ascending = float(mir_eval.key.weighted_score(reference, estimate))
    both = max(ascending, float(mir_eval.key.weighted_score(estimate, reference)))
    return {
        "mirex": both,
        "mirex_ascending": ascending,
        "accuracy": float(both == 1.0),
        "fifth": float(both == 0.5),
        "relative": float(both == 0.3),
        "parallel": float(both == 0.2),
        "other": float(both == 0.0),
    }


def corpus_scores(references: Sequence[str], estimates: Sequence[str]) -> dict[str, Statistic]:
    """Mean of each of `METRICS` over the tracks with a major or minor reference.

    Raises:
        ValueError: mir_eval.key cannot read a key, or the lists differ in length.
    """
    pairs = zip(references, estimates, strict=True)
    tracks = [key_scores(reference, estimate) for reference, estimate in pairs]
    known = np.array([key_class(key) >= 0 for key in references], dtype=np.float64)
    return {
        name: weighted_mean([track[name] for track in tracks], known.tolist()) for name in METRICS
    }
