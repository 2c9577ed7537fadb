"""The tasks of one label or number a track: pitch, instrument, genre, tempo, emotion."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.task_checks import NOTHING, as_a_task, declared, scored

from mirprobe.api.task import Task
from mirprobe.core.errors import ConfigError, TrackError
from mirprobe.core.schema import Annotations
from mirprobe.metrics.tempo import CLASSES
from mirprobe_tasks.emotion import Emotion
from mirprobe_tasks.genre import Genre
from mirprobe_tasks.instrument import Instrument
from mirprobe_tasks.pitch import Pitch
from mirprobe_tasks.tempo import Tempo

WORDS = {"instrument": ("flute", "oboe", "tuba"), "genre": ("blues", "jazz")}
DATASET = declared(vocabularies=WORDS)
PITCH, TEMPO, EMOTION = Pitch(DATASET), Tempo(DATASET), Emotion(DATASET)
INSTRUMENT, GENRE = Instrument(DATASET), Genre(DATASET)
CLASSIFIERS: list[Task] = [PITCH, TEMPO, INSTRUMENT, GENRE]


@pytest.mark.parametrize("task", [*CLASSIFIERS, EMOTION], ids=lambda task: task.name)
def test_is_a_task(task: Task) -> None:
    as_a_task(task)
    assert task.level == "clip"


def test_label_spaces() -> None:
    assert len(PITCH.labels) == 128
    assert len(TEMPO.labels) == 72
    assert (TEMPO.labels[0], TEMPO.labels[-1]) == ("30.4", "236.6")
    assert INSTRUMENT.labels == WORDS["instrument"]
    assert GENRE.labels == WORDS["genre"]


@pytest.mark.parametrize("task", CLASSIFIERS, ids=lambda task: task.name)
def test_every_class_comes_back_and_scores_one(task: Task) -> None:
    eye = np.eye(len(task.labels), dtype=np.float32)
    references = [task.decode(row, None, "argmax", NOTHING) for row in eye]
    targets = [task.targets(reference, None) for reference in references]
    assert [target.shape for target in targets] == [()] * len(targets)
    assert np.array(targets).dtype == np.int64
    assert np.array(targets).tolist() == list(range(len(task.labels)))
    assert set(scored(task, references, references).values()) == {1.0}


def test_enharmonic_notes_are_one_class() -> None:
    sharp, flat = (PITCH.targets(Annotations(pitch=note), None) for note in ("A#4", "Bb4"))
    assert sharp == flat == 70


@pytest.mark.parametrize("task", [INSTRUMENT, GENRE], ids=lambda task: task.name)
def test_a_data_set_that_declares_no_vocabulary(task: Task) -> None:
    for dataset in (declared(), declared(vocabularies={}), declared(vocabularies={task.name: ()})):
        with pytest.raises(ConfigError) as caught:
            type(task)(dataset)  # type: ignore[call-arg]
        assert str(caught.value) == (
            f"data set stub declares no vocabulary of '{task.name}': choose another data set for "
            "this task, or list the labels in its `vocabularies`"
        )


def test_classes_without_tracks_are_named() -> None:
    tracks = [Annotations(instrument="oboe"), Annotations(instrument="oboe")]
    assert INSTRUMENT.conditions(tracks) == "classes without tracks: flute, tuba"
    assert INSTRUMENT.conditions([Annotations(instrument=one) for one in INSTRUMENT.labels]) == ""
    assert GENRE.conditions([Annotations(genre="jazz")]) == "classes without tracks: blues"


@pytest.mark.parametrize("tempo", [30.0, 60.0, 71.3, 119.7, 180.0, 239.9])
def test_the_grid_of_tempi_leaves_a_ceiling_of_one(tempo: float) -> None:
    reference = Annotations(tempo=tempo)
    logits = np.eye(72, dtype=np.float32)[int(TEMPO.targets(reference, None))]
    estimate = TEMPO.decode(logits, None, "argmax", NOTHING)
    assert scored(TEMPO, [reference], [estimate]) == {"acc1": 1, "acc2": 1}
    assert TEMPO.conditions([reference]) == ""


def test_a_tempo_outside_the_grid_is_scored_but_not_learned() -> None:
    fast = Annotations(tempo=300.0)
    assert TEMPO.targets(fast, None) == -1
    estimates = [Annotations(tempo=float(tempo)) for tempo in CLASSES]
    scores = [scored(TEMPO, [fast], [estimate]) for estimate in estimates]
    assert {score["acc1"] for score in scores} == {0}
    assert {score["acc2"] for score in scores} == {0, 1}  # 150 is half of it
    assert TEMPO.conditions([fast, Annotations(tempo=100.0)]) == "tracks outside 30 to 240 bpm: 1"


def test_emotion_is_two_numbers_as_they_are() -> None:
    tracks = [Annotations(emotion=pair) for pair in ((1.0, 9.0), (3.0, 5.0), (5.0, 4.0))]
    targets = [EMOTION.targets(track, None) for track in tracks]
    assert [target.tolist() for target in targets] == [[1, 9], [3, 5], [5, 4]]
    assert targets[0].dtype == np.float32
    estimates = [EMOTION.decode(target, None, "numbers", NOTHING) for target in targets]
    assert scored(EMOTION, tracks, estimates) == {"r2": 1, "r2_valence": 1, "r2_arousal": 1}
    means = [Annotations(emotion=(3.0, 6.0))] * 3
    assert list(scored(EMOTION, tracks, means).values()) == pytest.approx([0, 0, 0])
    half = [Annotations(emotion=(pair[0], 6.0)) for pair in ((1.0, 9.0), (3.0, 5.0), (5.0, 4.0))]
    assert scored(EMOTION, tracks, half)["r2"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("task", "annotations", "message"),
    [
        (PITCH, Annotations(), "no pitch"),
        (PITCH, Annotations(pitch="H4"), 'cannot read pitch "H4": write letter'),
        (PITCH, Annotations(pitch="A12"), 'cannot read pitch "A12": write letter'),
        (TEMPO, Annotations(), "no tempo"),
        (TEMPO, Annotations(tempo=0.0), "tempo 0.0: give beats per minute"),
        (TEMPO, Annotations(tempo=-90.0), "tempo -90.0"),
        (TEMPO, Annotations(tempo=float("nan")), "tempo nan"),
        (TEMPO, Annotations(tempo=float("inf")), "tempo inf"),
        (INSTRUMENT, Annotations(), "no instrument"),
        (INSTRUMENT, Annotations(instrument="harp"), 'instrument "harp" is not in the data set'),
        (GENRE, Annotations(), "no genre"),
        (GENRE, Annotations(genre="Jazz"), 'genre "Jazz" is not in the data set\'s vocabulary'),
        (EMOTION, Annotations(), "no emotion"),
        (EMOTION, Annotations(emotion=(1.0, float("nan"))), r"emotion \(1.0, nan\): give valence"),
        (EMOTION, Annotations(emotion=(1.0,)), r"emotion \(1.0,\): give"),  # type: ignore[arg-type]
    ],
)
def test_malformed_annotations(task: Task, annotations: Annotations, message: str) -> None:
    with pytest.raises(TrackError, match=message):
        task.targets(annotations, None)
