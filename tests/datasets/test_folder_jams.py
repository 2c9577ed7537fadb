"""JAMS files: sparse and dense observations, and the namespaces that become fields."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirprobe.core.schema import Beats, Segments
from mirprobe_tasks.datasets.folder.local import read_local


def observed(*rows: tuple[float, float, Any]) -> list[dict[str, Any]]:
    return [
        {"time": time, "duration": duration, "value": value, "confidence": None}
        for time, duration, value in rows
    ]


def jams(path: Path, *annotations: tuple[str, Any]) -> Path:
    listed = [
        {"namespace": namespace, "data": data, "annotation_metadata": {}, "sandbox": {}}
        for namespace, data in annotations
    ]
    path.write_text(json.dumps({"annotations": listed, "file_metadata": {}, "sandbox": {}}))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "one.jams"


def test_every_namespace(path: Path) -> None:
    dense = {"time": [0, 1], "duration": [0, 0], "value": [1, 2], "confidence": [None, None]}
    jams(
        path,
        ("chord_harte", observed((0, 1.5, "C:maj"), (1.5, 0, "G"), (1.5, 2, "A:min7/b3"))),
        ("beat", dense),
        ("key_mode", observed((0, 4, "Db:minor"))),
        ("tempo", observed((0, 4, 121.5))),
        ("onset", observed((0.25, 0, None), (0.5, 0, None))),
        ("mood_thayer", observed((0, 4, [0.5, -1]))),
        ("segment_open", observed((0, 2, "first verse"), (2, 2, "chorus"))),
        ("tag_open", observed((0, 4, "slow"), (0, 4, "happy"))),
        ("pitch_contour", observed((0, 1, {"frequency": 440}))),
    )
    values = read_local("jams", path)
    chords, beats, sections = values["chords"], values["beats"], values["sections"]
    assert isinstance(chords, Segments)
    assert chords.labels == ("C:maj", "A:min7/b3")
    np.testing.assert_array_equal(chords.intervals, [[0, 1.5], [1.5, 3.5]])
    assert isinstance(beats, Beats)
    np.testing.assert_array_equal(beats.times, [0, 1])
    np.testing.assert_array_equal(beats.positions, [1, 2])
    assert values["key"] == "C# minor"
    assert values["tempo"] == 121.5
    np.testing.assert_array_equal(values["onsets"], [0.25, 0.5])
    assert values["emotion"] == (0.5, -1.0)
    assert sections.labels == ("first verse", "chorus")
    assert values["tags"] == {"slow": 1.0, "happy": 1.0}
    assert len(values) == 8


def test_beats_without_positions_and_with_whole_ones(path: Path) -> None:
    jams(path, ("beat", observed((0, 0, None), (1, 0, None))))
    assert read_local("jams", path)["beats"].positions is None
    place = {"position": 3, "measure": 1, "num_beats": 4, "beat_units": 4}
    jams(path, ("beat_position", observed((0, 0, place))))
    np.testing.assert_array_equal(read_local("jams", path)["beats"].positions, [3])


def test_one_of_several_annotations_is_chosen(path: Path) -> None:
    first, second = observed((0, 1, "C:maj")), observed((0, 1, "D:maj"))
    jams(path, ("chord", []), ("chord", first), ("chord_harte", second), ("chord", second))
    refused = (
        r"has 3 annotations of 'chords' that differ \(chord#1, chord_harte#1, chord#2\); choose "
        r"one in the description, as in `jams: \{chords: chord#1\}`"
    )
    with pytest.raises(ValueError, match=refused):
        read_local("jams", path)
    for choice, label in ((("chord", 1), "C:maj"), (("chord", 2), "D:maj")):
        assert read_local("jams", path, {"chords": choice})["chords"].labels == (label,)
    jams(path, ("chord", first), ("chord_harte", first))  # they agree
    assert read_local("jams", path)["chords"].labels == ("C:maj",)
    upper, lower = observed((0, 4, "A")), observed((0, 2, "a"), (2, 2, "b"))
    jams(path, ("segment_salami_lower", lower), ("segment_salami_upper", upper))
    with pytest.raises(ValueError, match=r"2 annotations of 'sections' that differ"):
        read_local("jams", path)
    chosen = read_local("jams", path, {"sections": ("segment_salami_upper", 1)})
    assert chosen["sections"].labels == ("A",)
    with pytest.raises(ValueError, match=r"not the annotation segment_salami_upper#2 that the"):
        read_local("jams", path, {"sections": ("segment_salami_upper", 2)})
    with pytest.raises(ValueError, match="has segment_salami_lower, segment_salami_upper, but not"):
        read_local("jams", path, {"sections": ("segment_open", 1)})


def test_the_confidence_of_a_tag_counts(path: Path) -> None:
    data = observed((0, 4, "slow"), (0, 4, "happy"), (0, 4, "sad"), (0, 4, "loud"))
    for one, confidence in zip(data, (None, 1.0, 0.0, 0.5), strict=True):
        one["confidence"] = confidence
    jams(path, ("tag_open", data))
    assert read_local("jams", path)["tags"] == {"slow": 1.0, "happy": 1.0, "loud": 1.0}


@pytest.mark.parametrize("namespace", ["tag_open", "chord"])
@pytest.mark.parametrize("confidence", [90, -0.1, float("nan"), "high", [1]])
def test_a_confidence_is_a_number_from_0_to_1(path: Path, namespace: str, confidence: Any) -> None:
    data = observed((0, 1, "C:maj"))
    data[0]["confidence"] = confidence
    jams(path, (namespace, data))
    with pytest.raises(ValueError, match=r"has confidence .* at 0 s; write a number from 0 to 1"):
        read_local("jams", path)


@pytest.mark.parametrize(
    ("namespace", "value"),
    [("key_mode", "C:major"), ("chord", "C:maj"), ("beat", 1), ("tempo", 90.0), ("onset", None)],
)
def test_an_observation_without_confidence_is_refused(
    path: Path, namespace: str, value: Any
) -> None:
    data = observed((0, 1, value))
    data[0]["confidence"] = 0.0
    jams(path, (namespace, data))
    with pytest.raises(ValueError, match=rf"has confidence 0\.0 at 0 s in {namespace}#1; remove"):
        read_local("jams", path)
    data[0]["confidence"] = 0.1
    jams(path, (namespace, data))
    assert len(read_local("jams", path)) == 1


def test_keys_that_differ_are_none_that_could_be_scored(path: Path) -> None:
    jams(path, ("key_mode", observed((0, 1, "C:major"), (1, 1, "G:major"))))
    assert read_local("jams", path)["key"] == "X"


@pytest.mark.parametrize(
    ("namespace", "data", "fault"),
    [
        ("chord", observed((0, 1, "verse")), 'cannot read chord "verse"'),
        ("chord", observed((0, 2, "C"), (1, 1, "D")), "chord 1 from 1.000"),
        ("beat", observed((0, 0, 1), (1, 0, 1.5)), "a position in the bar is not a whole number"),
        ("beat", observed((0, 0, 1), (1, 0, None)), "2 beats have 1 positions in the bar"),
        ("beat", observed((1, 0, 1), (0, 0, 2)), "beat 1 at 0.000 s must come after"),
        ("tempo", observed((0, 1, 120), (1, 1, 90)), "has several values, 120 and others"),
        ("tempo", observed((0, 1, None)), "is no JAMS file (TypeError"),
        ("key_mode", observed((0, 1, "H")), 'no key: "H"'),
        ("onset", observed((-1, 0, None)), "onset 0 at -1.000 s"),
        ("beat", observed((0, 0, 10**30)), "a position in the bar is above 1000"),
        ("beat", observed((10**400, 0, 1)), "is no JAMS file (OverflowError"),
        ("tempo", observed((0, 1, float("inf"))), "holds inf; write a number"),
        ("mood_thayer", observed((0, 1, [1, 2, 3])), "has the mood [1, 2, 3]; write valence and"),
        ("segment_open", observed((0, 1, None)), "has the label None; write text"),
        ("tag_open", observed((0, 1, None)), "has the label None; write text"),
        ("segment_open", [{"time": 0}], "is no JAMS file (KeyError: 'duration')"),
        (
            "beat",
            {"time": [0], "duration": [], "value": [1], "confidence": [0]},
            "differ in length",
        ),
    ],
)
def test_what_cannot_be_read(path: Path, namespace: str, data: Any, fault: str) -> None:
    jams(path, (namespace, data))
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the text is looked at)
        read_local("jams", path)
    assert fault in str(caught.value)
