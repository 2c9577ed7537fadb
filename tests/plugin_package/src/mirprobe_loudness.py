"""An encoder that hears loudness, a task that asks for it, and a data set that has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirprobe import Annotations, Dataset, Tokens, Track, digest
from mirprobe.core.bootstrap import Statistic, weighted_mean
from mirprobe.core.schema import SPLITS, Floats, Level, Loss, Split

RATE = 8000
LABELS = ("quiet", "loud")


class Rms:
    """Root mean square of each half second, and its logarithm.

    Args:
        gain: what the audio is multiplied by.
    """

    sample_rate: int = RATE
    window: float | None = 0.5
    frame_rate: float | None = None
    layers: tuple[str, ...] = ("rms",)
    dim: int = 2
    sources: tuple[str, ...] = ("class",)

    def __init__(self, *, gain: float = 1.0) -> None:
        self.gain = gain
        self.fingerprint = digest("rms", 1, gain)

    def __call__(self, audio: Tensor) -> Tokens:
        """(batch, samples) to class tokens (batch, 1, 2)."""
        rms = (self.gain * audio).square().mean(1).sqrt()
        return Tokens(class_token=torch.stack([rms, (rms + 1e-6).log()], dim=-1)[:, None])


class Loudness:
    """Whether a track is tagged as loud."""

    name = "loudness"
    level: Level = "clip"
    annotation = "tags"
    loss: Loss = "multiclass"
    labels: tuple[str, ...] = LABELS
    main_metric = "accuracy"
    metrics: Mapping[str, str] = {"accuracy": "share of tracks that are called right"}
    decodings: Mapping[str, Sequence[Mapping[str, float]]] = {"argmax": ({},)}

    def __init__(self, dataset: Dataset) -> None:
        assert set(LABELS) <= set(dataset.tags)

    def targets(self, annotations: Annotations, times: Floats | None) -> NDArray[np.int64]:
        """Index of the track's label."""
        return np.array(LABELS.index(_label(annotations)))

    def decode(
        self,
        logits: NDArray[np.float32],
        times: Floats | None,
        decoding: str,
        parameters: Mapping[str, float],
    ) -> Annotations:
        """The likelier label as the only tag."""
        return Annotations(tags={LABELS[int(logits.argmax())]: 1.0})

    def score(
        self, references: Sequence[Annotations], estimates: Sequence[Annotations]
    ) -> dict[str, Statistic]:
        """Accuracy."""
        pairs = zip(references, estimates, strict=True)
        hits = [float(_label(one) == _label(other)) for one, other in pairs]
        return {"accuracy": weighted_mean(hits)}

    def conditions(self, references: Sequence[Annotations]) -> str:
        """Nothing to say."""
        return ""


def _label(annotations: Annotations) -> str:
    (label,) = annotations.tags or {}
    return label


class Beeps:
    """Beeps of random pitch, every other one ten times as loud.

    Args:
        root: where they are rendered to.
        tracks: in each split.
    """

    name = "beeps"
    tags: tuple[str, ...] = LABELS
    trim = 0.0

    def __init__(self, root: Path, *, tracks: int = 8) -> None:
        self.root = root
        self.tracks = tracks

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        """As many tracks in each split."""
        return {
            split: [self._track(f"{split}-{number}", number) for number in range(self.tracks)]
            for split in SPLITS
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        """Render the beeps."""
        self.root.mkdir(parents=True, exist_ok=True)
        for track in tracks:
            rng = np.random.default_rng(int(digest(track.id), 16))
            level = 0.5 if "loud" in (track.annotations.tags or {}) else 0.05
            phase = 2 * np.pi * rng.uniform(200, 2000) * np.arange(RATE) / RATE
            soundfile.write(track.audio, level * rng.uniform(0.5, 1) * np.sin(phase), RATE)
            yield track.id

    def _track(self, name: str, number: int) -> Track:
        tags = {LABELS[number % 2]: 1.0}
        return Track(name, self.root / f"{name}.wav", name, Annotations(tags=tags))
