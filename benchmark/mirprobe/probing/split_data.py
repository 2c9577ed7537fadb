"""The usable tracks of one split of a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.schema import Annotations, Floats, Frames
from mirprobe.probing.scratch import Scratch


@dataclass(frozen=True, eq=False)
class SplitData:
    """The usable tracks of one split; all lists are aligned.

    Attributes:
        ids: of the tracks.
        references: their annotations.
        times: centres of their frames in seconds; None for clips.
        frames: (time, variants, dim) each; those of clips are joined in one item.
        targets: (time, ...) each, joined like `frames`.
        groups: such as the artist of each track; those of the test split are resampled together.
        members: consecutive variants that one probe joins.
    """

    ids: list[str]
    references: list[Annotations]
    times: list[Floats | None]
    frames: list[Frames]
    targets: list[NDArray[Any]]
    groups: list[str]
    members: int = 1

    def take(self, tracks: Sequence[int], room: Scratch) -> SplitData:
        """Some of the tracks, by their indices."""
        frames: list[Frames]
        if self.times[0] is None:
            vectors = (self.frames[0].read(i, i + 1).astype(np.float32) for i in tracks)
            frames = [room.joined([room.keep(own) for own in vectors])]
            targets = [self.targets[0][list(tracks)]]
        else:
            frames, targets = [self.frames[i] for i in tracks], [self.targets[i] for i in tracks]
        return SplitData(
            [self.ids[i] for i in tracks],
            [self.references[i] for i in tracks],
            [self.times[i] for i in tracks],
            frames,
            targets,
            [self.groups[i] for i in tracks],
            self.members,
        )

    @property
    def lengths(self) -> list[int]:
        """Number of examples of each track."""
        return [1 if times is None else len(times) for times in self.times]
