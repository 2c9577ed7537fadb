"""A tiny data set whose truth is known: sustained triads over clicks on the beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from mirprobe.core.schema import SPLITS, Annotations, Beats, Floats, Segments, Split, Track

RATE = 16_000
SECONDS = 6.0
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


class Tones:
    """Triads on `I IV V` of a major key, a click a beat, dark or bright: splits 12, 6 and 6."""

    name = "tones"
    tags: tuple[str, ...] = ("bright", "dark")
    trim = 0.0

    def __init__(self, root: Path, seconds: float = SECONDS) -> None:
        self.root = root
        self.seconds = seconds

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        sizes = dict(zip(SPLITS, (12, 6, 6), strict=True))
        return {
            split: [self._track(split, number) for number in range(sizes[split])]
            for split in SPLITS
        }

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        for track in tracks:
            if not track.audio.exists():
                track.audio.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(track.audio, self._audio(track), RATE)
            yield track.id

    def _track(self, split: Split, number: int) -> Track:
        tonic = number % 12
        roots = [NAMES[(tonic + step) % 12] for step in (0, 5, 7)]
        edges = np.linspace(0, self.seconds, 4)
        times = np.arange(0.25, self.seconds, 60 / (90 + 5 * number))
        return Track(
            id=f"{split}-{number}",
            audio=self.root / f"{split}-{number}-{self.seconds:g}.wav",
            group=f"{split}-{number}",
            annotations=Annotations(
                key=f"{NAMES[tonic]} major",
                chords=Segments(
                    np.stack([edges[:-1], edges[1:]], axis=1),
                    tuple(f"{root}:maj" for root in roots),
                ),
                beats=Beats(times, np.arange(len(times)) % 4 + 1),
                tags={self.tags[number % 2]: 1.0},
            ),
        )

    def _audio(self, track: Track) -> Floats:
        time = np.arange(round(self.seconds * RATE)) / RATE
        audio = np.random.default_rng(list(track.id.encode())).normal(0, 1e-3, len(time))
        chords, beats = track.annotations.chords, track.annotations.beats
        assert chords is not None
        assert beats is not None
        for (start, stop), label in zip(chords.intervals, chords.labels, strict=True):
            here = (time >= start) & (time < stop)
            root = NAMES.index(label.partition(":")[0])
            for step in (0, 4, 7):
                pitch = 440 * 2 ** ((root + step - 9) / 12)
                audio[here] += 0.1 * np.sin(2 * np.pi * pitch * time[here])
        if "bright" in (track.annotations.tags or {}):
            audio += 0.05 * np.sin(2 * np.pi * 6000 * time)
        for beat in beats.times:
            start = round(beat * RATE)
            click = np.exp(-np.arange(400) / 60) * np.sin(2 * np.pi * 2500 * np.arange(400) / RATE)
            audio[start : start + 400] += 0.5 * click[: len(audio) - start]
        return np.asarray(audio / np.abs(audio).max() * 0.9)
