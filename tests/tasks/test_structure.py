from __future__ import annotations

import numpy as np
import pytest
from helpers.task_checks import as_a_task, ceiling, certain, declared, grid, scored

from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Segments
from mirprobe_tasks.structure import FUNCTIONS, Structure, section_function

STRUCTURE = Structure(declared())


def sections(*rows: tuple[float, float, str]) -> Annotations:
    intervals = np.array([row[:2] for row in rows], dtype=np.float64).reshape(-1, 2)
    return Annotations(sections=Segments(intervals, tuple(row[2] for row in rows)))


SONG = sections(
    (0, 10.2, "intro"),
    (10.2, 30.7, "verse"),
    (30.7, 51.1, "chorus"),
    (51.1, 71.9, "verse"),
    (71.9, 92.4, "chorus"),
    (92.4, 100, "outro"),
)


def test_is_a_task_of_a_boundary_and_seven_functions() -> None:
    as_a_task(STRUCTURE)
    assert STRUCTURE.labels == ("boundary", *FUNCTIONS)
    assert len(STRUCTURE.labels) == 8
    assert STRUCTURE.conditions([]) == "boundaries trimmed"


@pytest.mark.parametrize(
    ("label", "function"),
    [
        ("verse", "verse"),
        ("Verse 2", "verse"),
        ("pre-chorus", "verse"),
        ("Pre_Chorus 1", "verse"),
        ("chorus A", "chorus"),
        ("refrain", "chorus"),
        ("bridge", "bridge"),
        ("intro", "intro"),
        ("Fade-in", "intro"),
        ("ending", "outro"),
        ("guitar solo", "inst"),
        ("instrumental break", "inst"),
        ("Silence", "silence"),
        ("nothing", "silence"),
        ("A", None),
        ("B'", None),
        ("", None),
    ],
)
def test_functions_of_labels(label: str, function: str | None) -> None:
    assert section_function(label) == function


def test_targets() -> None:
    times = grid(31.25, 40.0)
    target = STRUCTURE.targets(sections((0, 10, "intro"), (10, 20, "A"), (25, 40, "verse")), times)
    assert target.shape == (1250, 8)
    assert target.dtype == np.float32
    boundary = target[:, 0]
    assert np.flatnonzero(boundary == 1).tolist() == [312, 625, 781]  # 10, 20 and 25 s
    assert (boundary[times < 9.4] == 0).all()  # the start of the piece is none
    assert boundary[312 + 8] == pytest.approx(1 - 8 / 17)
    named = [STRUCTURE.labels[i] for i in target[[0, 400, 700, 900], 1:].argmax(axis=1) + 1]
    assert (named[0], named[3]) == ("intro", "verse")
    assert not target[400, 1:].any()  # "A" names no function
    assert not target[700, 1:].any()  # nothing is annotated there


@pytest.mark.parametrize("rate", [5.0, 31.25])
def test_the_ceiling_of_named_sections_is_one(rate: float) -> None:
    found = ceiling(STRUCTURE, SONG, rate, 100.0)
    assert found["hr05"] == found["hr3"] == 1
    assert found["pairwise_f"] > 0.98


def test_letters_are_scored_but_not_learned() -> None:
    letters = sections((0, 30, "A"), (30, 60, "B"), (60, 100, "A"))
    found = ceiling(STRUCTURE, letters, 5.0, 100.0)
    assert found["hr05"] == 1
    # whatever function they get, it is one: 300 of 1000 frames are apart in truth
    agree = (700 * 699 + 300 * 299) / 2
    assert found["pairwise_f"] == pytest.approx(2 * agree / (agree + 1000 * 999 / 2), abs=0.01)


def test_decoded_sections_reach_from_the_first_frame_to_the_last() -> None:
    times = grid(5.0, 100.0)
    logits = certain(STRUCTURE.targets(SONG, times))
    found = STRUCTURE.decode(logits, times, "peak", {"threshold": 0.1}).sections
    assert found is not None
    assert found.labels == ("intro", "verse", "chorus", "verse", "chorus", "outro")
    assert found.intervals[0, 0] == 0
    assert found.intervals[-1, 1] == pytest.approx(99.9)
    assert (found.intervals[1:, 0] == found.intervals[:-1, 1]).all()
    assert STRUCTURE.targets(Annotations(sections=found), times)[:, 1:].sum() == len(times)


def test_blind_logits_and_one_frame() -> None:
    for times in (grid(5.0, 60.0), np.zeros(1)):
        logits = np.full((len(times), 8), -4, dtype=np.float32)
        for parameters in STRUCTURE.decodings["peak"]:
            found = STRUCTURE.decode(logits, times, "peak", parameters)
            assert found.sections is not None
            assert (np.diff(found.sections.intervals) > 0).all()
            assert set(scored(STRUCTURE, [SONG], [found])) == {"hr05", "hr3", "pairwise_f"}


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (Annotations(), "no sections"),
        (sections(), "0 section labels .* at least one segment"),
        (
            sections((0, 2, "A"), (1, 3, "B")),
            r"section 1 from 1.000 to 3.000 s must start at 1.999",
        ),
        (sections((1, 1, "A")), "section 0"),
    ],
)
def test_malformed_sections(annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        STRUCTURE.targets(annotations, grid(5.0))
