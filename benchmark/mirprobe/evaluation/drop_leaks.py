"""The audit of a run: tracks of different splits with equal audio, and test tracks left out."""

from __future__ import annotations

import logging
from dataclasses import replace

from mirprobe.core.errors import ConfigError
from mirprobe.data.find_leaks import leaks, same_files
from mirprobe.data.tracks import Tracks
from mirprobe.evaluation.plan import Plan

log = logging.getLogger(__name__)


def audited(plan: Plan) -> tuple[Plan, dict[str, str]]:
    """The plan without test tracks that leak, if its configuration wants that.

    A test track leaks if a track of another split has equal or near-equal audio or is of its group,
    or if an encoder declares that it was trained on it. Otherwise warnings say how many pairs of
    tracks of different splits have equal files, and which encoders heard test tracks.

    Args:
        plan: its audio exists.

    Returns:
        The plan, and test track -> why it is left out.

    Raises:
        ConfigError: no test track is left.
    """
    name, tracks = plan.dataset.name, plan.tracks
    test = {track.id for track in tracks["test"]}
    heard = {name: test & one.training_ids for name, one in plan.encoders.items()}
    if plan.config.drop_leaks is None:
        for encoder, own in heard.items():
            if own:
                log.warning(
                    "encoder '%s' declares that it was trained on %d of %d test tracks of '%s', "
                    "such as '%s': its scores may be too high; --drop-leaks test leaves them out",
                    *(encoder, len(own), len(test), name, min(own)),
                )
        found = list(same_files(tracks, plan.cache.hashes))
        if found:
            (one, left), (other, right) = found[0].first, found[0].second
            log.warning(
                "data set '%s': equal audio in different splits, %d times, such as %s '%s' and %s "
                "'%s': scores may be too high; `mirprobe data audit` lists more, --drop-leaks test "
                "leaves the test tracks out",
                *(name, len(found), left, one, right, other),
            )
        return plan, {}
    dropped: dict[str, str] = {}
    for leak in leaks(tracks, {}):
        sides = leak.first, leak.second
        for (track, split), (other, their) in (sides, sides[::-1]):
            if split == "test":
                dropped.setdefault(track, f"leaks, {their} '{other}': {leak.what}")
    for encoder, own in heard.items():
        for track in sorted(own):
            dropped.setdefault(track, f"leaks, encoder '{encoder}' was trained on it")

    def without_leaks(own: Tracks) -> Tracks:
        return {**own, "test": [track for track in own["test"] if track.id not in dropped]}

    kept = without_leaks(tracks)
    if not kept["test"]:
        raise ConfigError(
            f"data set '{name}': all test tracks leak, so that drop_leaks leaves none; make other "
            "splits, by group"
        )
    perturbed = {text: without_leaks(own) for text, own in plan.perturbed.items()}
    return replace(plan, tracks=kept, perturbed=perturbed, dropped=len(dropped)), dropped
