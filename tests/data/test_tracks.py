"""The tracks of a run: what a data set lists, held against what a run needs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.tones import Tones

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Annotations, Split, Track
from mirprobe.data.tracks import limit_tracks


class Changed(Tones):
    """The tones with another `splits`."""

    def __init__(self, listed: Any) -> None:
        super().__init__(Path())
        self.listed = listed

    def splits(self) -> Mapping[Split, Sequence[Track]]:
        found: Mapping[Split, Sequence[Track]] = self.listed(super().splits())
        return found


def fails(_: object) -> None:
    raise KeyError("index")


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (lambda splits: [*splits["train"]], r"TypeError: "),
        (lambda splits: None, r"TypeError: "),
        (fails, r"KeyError: 'index'"),
        (
            lambda splits: Annotations(kex=1),  # type: ignore[call-arg]
            r"TypeError: .* no field 'kex', did you mean 'key'",
        ),
    ],
)
def test_a_data_set_that_cannot_list_its_tracks(listed: Any, why: str) -> None:
    with pytest.raises(ConfigError, match=rf"'tones' cannot list its tracks \({why}"):
        limit_tracks(Changed(listed), None)


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        (
            lambda splits: {**splits, "validation": splits["valid"]},
            "data set 'tones': split 'validation' is unknown; use train, valid, test",
        ),
        (
            lambda splits: {**splits, "test": [replace(splits["test"][0], group=3)]},
            "data set 'tones', track 'test-0': group is a int; give a str",
        ),
        (
            lambda splits: {**splits, "test": [replace(splits["test"][0], stop="1")]},
            "data set 'tones', track 'test-0': stop is a str; give a number",
        ),
        (
            lambda splits: {**splits, "test": ["a"]},
            "data set 'tones', track '0 of split test': is a str; return mirprobe.Track",
        ),
    ],
)
def test_tracks_of_a_wrong_type(listed: Any, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        limit_tracks(Changed(listed), None)
    assert str(caught.value) == why


def test_a_warning_of_groups_in_two_splits(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("mirprobe"), "propagate", True)
    with caplog.at_level(logging.WARNING):
        limit_tracks(Tones(Path()), None)
        assert caplog.messages == []
        limit_tracks(Changed(lambda splits: {**splits, "valid": copies(splits)}), None)
    (message,) = {line for line in caplog.messages if "groups" in line}
    assert message.startswith("data set 'tones': 6 groups, such as 'train-0', are in more than one")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        limit_tracks(Changed(lambda splits: {**splits, "valid": copies(splits)[:1]}), None)
    (message,) = {line for line in caplog.messages if "group" in line}
    assert message.startswith("data set 'tones': group 'train-0' is in more than one split: ")


def test_the_limit_of_the_test_split_is_said(caplog: pytest.LogCaptureFixture) -> None:
    def sizes(*limits: int | None) -> list[int]:
        caplog.clear()
        return [len(tracks) for tracks in limit_tracks(Tones(Path()), *limits).values()]

    assert sizes(None, 2) == [12, 6, 2]
    assert sizes(4, 6) == [4, 4, 6]
    assert sizes(6) == [6, 6, 6]
    assert caplog.messages == []
    assert sizes(4) == [4, 4, 4]
    (message,) = caplog.messages
    assert "4 of 12 in train, 4 of 6 in valid, 4 of 6 in test; --test-limit" in message


def copies(splits: Mapping[Split, Sequence[Track]]) -> list[Track]:
    """Tracks of the training split under other names."""
    return [
        Track(f"copy-{track.id}", track.audio, track.group, track.annotations)
        for track in splits["train"][:6]
    ]
