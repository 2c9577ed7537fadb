from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from helpers.tones import Tones

from mirprobe.core.annotations import TOLERANCE, check_annotation, from_json, to_json
from mirprobe.core.errors import TrackError
from mirprobe.core.schema import Annotations, Beats, Segments

FULL = Annotations(
    key="F# minor",
    chords=Segments(np.array([[0.0, 1.5], [1.5, 4.0]]), ("C:maj", "F#:min7/b3")),
    beats=Beats(np.array([0.25, 1.25, 2.25]), np.array([3, 4, 1])),
    tempo=60.0,
    tags={"piano": 1.0, "dark": 0.25},
    pitch="A#4",
    instrument="flute",
    genre="jazz",
    emotion=(5.25, -0.5),
    onsets=np.array([0.25, 0.5]),
    keys=Segments(np.array([[0.0, 2.5], [2.5, 4.0]]), ("C major", "A minor")),
    sections=Segments(np.array([[0.0, 4.0]]), ("verse",)),
    extra={
        "metre": "6/8",
        "swing": 1 / 3,
        "bars": 12,
        "live": True,
        "curve": np.array([[0.5], [1e-7]], dtype=np.float32),
        "counts": np.array([1, 2]),
        "phrases": Segments(np.array([[0.0, 2.0]]), ("a",)),
        "taps": Beats(np.array([0.5]), np.array([1])),
        "lists": [1, "x", [Beats(np.array([0.5]))], {"a": np.zeros(0)}],
        "type": {"type": "mapping", "b": {"c": [2.5]}},
    },
)


def same(one: Any, other: Any) -> bool:
    """Dataclasses of arrays have no equality of their own."""
    if isinstance(one, Annotations | Segments | Beats):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, dict | list):
        keys = range(len(one)) if isinstance(one, list) else one
        alike = type(one) is type(other) and len(one) == len(other)
        return alike and all(same(one[key], other[key]) for key in keys)
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and (
            one.dtype == other.dtype and np.array_equal(one, other)
        )
    return type(one) is type(other) and bool(one == other)


def through_json(annotations: Annotations) -> Annotations:
    return from_json(json.loads(json.dumps(to_json(annotations), allow_nan=False)))


def test_every_field_survives_json() -> None:
    assert all(getattr(FULL, field.name) is not None for field in fields(FULL))
    assert same(through_json(FULL), FULL)
    assert not same(FULL, Annotations(key="F# minor"))


@pytest.mark.parametrize("name", [field.name for field in fields(Annotations)])
def test_each_field_alone_survives_json(name: str) -> None:
    alone = Annotations(**{name: getattr(FULL, name)})
    assert set(to_json(alone)) == {name}
    assert same(through_json(alone), alone)


def test_what_is_empty_is_not_what_is_missing() -> None:
    empty = Annotations(
        chords=Segments(np.zeros((0, 2)), ()),
        beats=Beats(np.zeros(0), None),
        tags={},
        onsets=np.zeros(0),
    )
    assert set(to_json(empty)) == {"chords", "beats", "tags", "onsets"}
    assert same(through_json(empty), empty)
    assert same(through_json(Annotations()), Annotations())
    assert to_json(Annotations()) == {}


def test_numbers_are_exact() -> None:
    third: Any = np.float32(1 / 3)
    annotations = Annotations(tags={"a": third}, tempo=third, onsets=np.array([1 / 3]))
    read = json.loads(json.dumps(to_json(annotations)))
    assert read == {"tags": {"a": float(third)}, "tempo": float(third), "onsets": [1 / 3]}


def test_the_known_truth_of_the_tests_survives_json(tones: Tones) -> None:
    for tracks in tones.splits().values():
        for track in tracks:
            read = through_json(track.annotations)
            assert to_json(read) == to_json(track.annotations)
            for field in ("key", "chords", "beats", "tags"):
                check_annotation(read, field, tones.seconds)


@pytest.mark.parametrize("field", [field.name for field in fields(Annotations)])
def test_what_is_in_order_passes(field: str) -> None:
    check_annotation(FULL, field, 4.0)


@pytest.mark.parametrize("field", [field.name for field in fields(Annotations)])
def test_a_missing_annotation(field: str) -> None:
    with pytest.raises(TrackError) as caught:
        check_annotation(Annotations(), field, 4.0)
    assert str(caught.value) == f"has no annotation '{field}'; add it or leave the track out"


def chords(*intervals: tuple[float, float]) -> Annotations:
    return Annotations(chords=Segments(np.array(intervals), ("C:maj",) * len(intervals)))


def beats(*times: float) -> Annotations:
    return Annotations(beats=Beats(np.array(times)))


def onsets(*times: float) -> Annotations:
    return Annotations(onsets=np.array(times))


@pytest.mark.parametrize(
    ("annotations", "field"),
    [
        (chords((-0.1, 1.0)), "chords"),
        (chords((0.0, np.nan)), "chords"),
        (chords((0.0, np.inf)), "chords"),
        (beats(0.5, -1.0), "beats"),
        (beats(np.nan), "beats"),
        (onsets(0.1, np.inf), "onsets"),
    ],
)
def test_times_that_cannot_be(annotations: Annotations, field: str) -> None:
    with pytest.raises(TrackError) as caught:
        check_annotation(annotations, field, 4.0)
    assert str(caught.value) == (
        f"'{field}' has a time that is negative or not a number; correct it"
    )


@pytest.mark.parametrize(
    ("annotations", "field"),
    [(chords((0, 1), (1, 5.5)), "chords"), (beats(1, 5.5), "beats"), (onsets(5.5), "onsets")],
)
def test_an_annotation_that_outlasts_its_audio(annotations: Annotations, field: str) -> None:
    check_annotation(annotations, field, 5.5 - TOLERANCE)
    with pytest.raises(TrackError) as caught:
        check_annotation(annotations, field, 5.4 - TOLERANCE)
    assert str(caught.value) == (
        f"'{field}' ends at 5.50 s but the audio at 4.40 s; check that they belong together"
    )


@pytest.mark.parametrize("shape", [(2, 2), (1, 3), (2,), (0, 2)])
def test_labels_and_intervals_that_do_not_match(shape: tuple[int, ...]) -> None:
    with pytest.raises(TrackError) as caught:
        check_annotation(Annotations(chords=Segments(np.zeros(shape), ("C:maj",))), "chords", 4.0)
    message = str(caught.value)
    assert message.startswith(f"'chords' has 1 labels for intervals of shape {shape}; ")


def test_positions_and_beats_that_do_not_match() -> None:
    wrong = Annotations(beats=Beats(np.array([0.5, 1.0]), np.array([1])))
    with pytest.raises(TrackError, match=r"^'beats' has 1 positions for 2 beats; give one a beat"):
        check_annotation(wrong, "beats", 4.0)


def test_fields_and_extra_are_read_alike() -> None:
    track = Annotations(tempo=60.0, extra={"metre": "6/8", "tempo": 3.0, "none": None})
    assert track.given() == {"tempo": 60.0, "metre": "6/8"}
    assert (track.get("metre"), track.get("tempo"), track.get("key")) == ("6/8", 60.0, None)


def test_what_extra_holds_is_checked_by_its_type() -> None:
    for name in FULL.extra or {}:
        check_annotation(FULL, name, 4.0)
    with pytest.raises(TrackError, match=r"^'phrases' ends at 2\.00 s but the audio at 0\.50 s"):
        check_annotation(FULL, "phrases", 0.5)
    with pytest.raises(TrackError, match="has no annotation 'metre'"):
        check_annotation(Annotations(), "metre", 4.0)


@pytest.mark.parametrize(
    ("field", "value", "given", "form"),
    [
        *(
            ("tags", words, type(words).__name__, "such as {'calm': 1.0, 'piano': 1.0}")
            for words in (("calm",), ["calm"], {"calm"}, frozenset({"calm"}), "calm", {"calm": "1"})
        ),
        ("key", 3, "int", "a string"),
        ("tempo", "120", "str", "a number"),
        ("emotion", "12", "str", "valence and arousal such as (6.1, 4.2)"),
        ("onsets", [0.5], "list", "such as numpy.array([0.5, 1.0])"),
        ("beats", np.array([0.5]), "ndarray", "such as Beats(numpy.array([0.5, 1.0]))"),
        ("beats", Beats([0.5]), "Beats", "such as Beats(numpy.array([0.5, 1.0]))"),  # type: ignore[arg-type]
        ("chords", [(0, 1, "C:maj")], "list", "mirprobe.Segments such as"),
        ("chords", Segments([[0, 1]], ("N",)), "Segments", "mirprobe.Segments such as"),  # type: ignore[arg-type]
        ("sections", Segments(np.zeros((1, 2)), (1,)), "Segments", "mirprobe.Segments such as"),  # type: ignore[arg-type]
        *(
            ("own", value, type(value).__name__, "a list or string-keyed mapping of them")
            for value in ({"a"}, [{"a"}], {1: "a"}, 1j, np.array([1j]), np.array([None]), object())
        ),
    ],
)
def test_a_field_of_another_form(field: str, value: Any, given: str, form: str) -> None:
    known = {one.name for one in fields(Annotations)}
    wrong = Annotations(**{field: value} if field in known else {"extra": {field: value}})
    for refuse in (lambda: check_annotation(wrong, field, 4.0), lambda: to_json(wrong)):
        with pytest.raises(TrackError) as caught:
            refuse()
        message = str(caught.value)
        assert message.startswith(f"'{field}' ({given}) has a wrong form; give ")
        assert form in message
