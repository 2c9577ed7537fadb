"""The split of a bank: which music validates and never trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mirprobe.errors import ConfigError
from mirprobe.fingerprint import digest

Split = Literal["train", "held-out"]


@dataclass(frozen=True)
class HeldOut:
    """Which tracks validate and never train: a seeded hash of their work decides.

    A track keeps its split when others are added, as long as the rule stays the same.

    Attributes:
        fraction: of the works, expected; 0 holds out none. Never more than half of them.
        minimum: of works; again never more than half of them.
        seed: another seed, another choice.
    """

    fraction: float = 0.05
    minimum: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.fraction <= 0.5:
            raise ConfigError(f"held out {self.fraction}: give a share of the tracks, 0 to 0.5")

    def assign(self, works: Iterable[str], known: Mapping[str, Split]) -> dict[str, Split]:
        """Give every work a split; the known ones keep theirs."""
        draws = {work: self._draw(work) for work in set(works) - known.keys()}
        splits = dict(known)
        held = sum(split == "held-out" for split in known.values())
        most = (len(draws) + len(known)) // 2
        for work in sorted(draws, key=lambda work: draws[work]):
            chosen = draws[work] < self.fraction or held < self.minimum
            splits[work] = "held-out" if chosen and held < most and self.fraction else "train"
            held += splits[work] == "held-out"
        return splits

    def _draw(self, work: str) -> float:
        return int(digest("held-out", self.seed, work)[:13], 16) / 16**13
