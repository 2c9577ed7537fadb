"""Key metrics over a corpus of tracks with one key each.

Conventions: keys in the syntax of mir_eval.key, such as `"C# minor"`. Enharmonic spellings are
equal (C# = Db). The tonic is in upper or lower case, the mode in lower case. A track whose
reference is not one of the 24 major and minor keys (`"X"`, mode `other`) is excluded from every
mean. Values are in [0, 1]. mir_eval.key has no options.

Sources: MIREX audio key detection, which since 2017 accepts a fifth in either direction and before
only the ascending fifth; mir_eval (Raffel et al., ISMIR 2014) implements the older rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import lazy_loader
import numpy as np

from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.metrics.pitch_classes import PITCHES

mir_eval = lazy_loader.load("mir_eval")  # its import takes longer than a run on finished cells

METRICS: dict[str, str] = {
    "mirex": "MIREX weighted score (since 2017): correct 1, fifth up or down 0.5, relative 0.3, "
    "parallel 0.2",
    "mirex_ascending": "MIREX weighted score before 2017, as in mir_eval: 0.5 only for the fifth "
    "above the reference",
    "accuracy": "fraction of tracks with correct tonic and mode; enharmonic spellings are equal",
    "fifth": "breakdown: fraction of tracks estimated a fifth above or below, same mode",
    "relative": "breakdown: fraction of tracks estimated as the relative major or minor",
    "parallel": "breakdown: fraction of tracks estimated as the parallel major or minor",
    "other": "breakdown: fraction of tracks with any other error",
}

KEYS = tuple(f"{tonic} {mode}" for mode in ("major", "minor") for tonic in PITCHES)
"""The 24 classes."""


def key_class(key: str) -> int:
    """Index of a key in `KEYS`; -1 for `"X"` and for a mode that is neither major nor minor.

    Raises:
        ValueError: mir_eval.key cannot read the key.
    """
    mir_eval.key.validate_key(key)
    semitone, mode = mir_eval.key.split_key_string(key)
    if semitone is None or mode not in ("major", "minor"):
        return -1
    return KEYS.index(f"{PITCHES[semitone]} {mode}")


@cache
def key_scores(reference: str, estimate: str) -> dict[str, float]:
    """All metrics of one pair of keys.

    mir_eval scores only the ascending fifth; swapping reference and estimate gives the descending
    fifth. The other relations are symmetric.
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
