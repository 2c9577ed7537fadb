"""Leakage between splits, with planted copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from mirprobe.core.schema import Annotations, Split, Track
from mirprobe.data.find_leaks import RATE, fingerprints, leaks
from mirprobe.data.perturb import RATE as FULL
from mirprobe.data.perturb import Samples, perturb

COUNT = 4


def music(seed: int) -> Samples:
    """Eight seconds of random chords."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(32):
        time = np.arange(FULL // 4) / FULL
        notes = 220 * 2 ** (rng.integers(0, 36, 4) / 12)
        tones = [np.sin(2 * np.pi * (note * time + rng.random())) for note in notes]
        parts.append(np.sum(tones, axis=0) * np.exp(-4 * time))
    return np.asarray(0.1 * np.concatenate(parts), dtype=np.float32)


def planted(folder: Path, change: str) -> dict[Split, list[Track]]:
    """Tracks, and changed copies of them in the test split beside others."""

    def track(name: str, samples: Samples) -> Track:
        path = folder / f"{name}.wav"
        soundfile.write(path, samples, FULL, subtype="FLOAT")
        return Track(name, path, name, Annotations())

    def changed(samples: Samples) -> Samples:
        if change == "cut":
            return samples[FULL + 77 : 6 * FULL]
        return samples if change == "equal" else perturb(samples, change)

    return {
        "train": [track(f"own{i}", music(i)) for i in range(COUNT)],
        "test": [track(f"copy{i}", changed(music(i))) for i in range(COUNT)]
        + [track(f"other{i}", music(100 + i)) for i in range(COUNT)],
    }


@pytest.mark.parametrize(
    ("change", "share"),
    [
        ("equal", 1),
        ("mp3=64", 1),
        ("cut", 1),
        ("gain=-12", 1),
        ("transpose=0.5", 1),
        ("transpose=-1", 1),
        ("transpose=3", 0),
    ],
)
def test_the_share_of_planted_copies_that_is_found(
    change: str, share: float, tmp_path: Path
) -> None:
    found = list(leaks(planted(tmp_path, change), {}))
    pairs = {(leak.first[0], leak.second[0]) for leak in found}
    copies = {(f"own{i}", f"copy{i}") for i in range(COUNT)}
    assert pairs <= copies  # nothing else is taken for a copy
    assert len(pairs) / COUNT == share
    assert all(leak.what.startswith("equal") == (change == "equal") for leak in found)
    if change.startswith("transpose"):
        unit = {"0.5": "0.5 semitones", "-1": "1 semitone"}
        apart = f", about {unit.get(change.partition('=')[2])} apart"
        assert all(leak.what.endswith(apart) for leak in found)
    if change == "cut":
        assert all("+1.0 s apart" in leak.what for leak in found)


def test_groups_on_both_sides(tmp_path: Path) -> None:
    tracks = planted(tmp_path, "gain=3")
    one = Track("x", tracks["train"][0].audio, "artist", Annotations())
    other = Track("y", tracks["test"][-1].audio, "artist", Annotations())
    problems: dict[str, str] = {}
    gone = Track("z", tmp_path / "gone.wav", "", Annotations())
    [leak] = leaks({"train": [one], "test": [other, gone]}, problems)
    assert list(problems) == ["z"]
    assert (leak.first, leak.second) == (("x", "train"), ("y", "test"))
    assert leak.what == "same group 'artist'"


def test_short_audio_has_no_fingerprint() -> None:
    assert all(not len(own) for own in fingerprints(np.zeros(RATE // 10, dtype=np.float32)))
