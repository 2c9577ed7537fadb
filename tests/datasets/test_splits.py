"""Splits by group."""

from __future__ import annotations

from pathlib import Path

from mirprobe.core.schema import SPLITS, Annotations, Track
from mirprobe_tasks.datasets.splits import divide


def track(number: int, group: str) -> Track:
    return Track(f"t{number}", Path("a.wav"), group, Annotations())


def test_groups_stay_whole_and_where_they_are() -> None:
    tracks = [track(number, f"artist {number % 300}") for number in range(900)]
    parts = divide(tracks, name="set")
    split_of = {one.id: split for split in SPLITS for one in parts[split]}
    assert len(split_of) == 900
    for one in tracks:
        assert split_of[one.id] == split_of[f"t{int(one.id[1:]) % 300}"]
    fewer = divide(tracks[::7], name="set")
    assert all(split_of[one.id] == split for split in SPLITS for one in fewer[split])
    assert divide(tracks, name="other") != parts


def test_shares_are_met_on_average() -> None:
    parts = divide([track(n, str(n)) for n in range(4000)], name="set", shares=(12, 1, 3))
    assert [round(len(parts[split]) / 4000 * 16, 0) for split in SPLITS] == [12, 1, 3]
