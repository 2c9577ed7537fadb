"""The data types that all packages share: tracks, annotations, tokens, embeddings, scores.

Units are those of mir_eval: seconds, Harte chord labels, `"C# minor"` keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Floating = NDArray[np.floating]
Level = Literal["clip", "frame"]
Loss = Literal["multiclass", "multilabel", "regression"]
Split = Literal["train", "valid", "test"]

SPLITS: tuple[Split, ...] = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Segments:
    """Labelled time intervals: chords (Harte labels), local keys or sections.

    Attributes:
        intervals: (n, 2), start and end of each segment in seconds, sorted and not overlapping.
        labels: n labels.
    """

    intervals: Floats
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Beats:
    """Beat times and their positions in the bar.

    Attributes:
        times: (n,) in seconds, increasing.
        positions: (n,) position of each beat in its bar, 1 for the downbeat; None if unknown.
    """

    times: Floats
    positions: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class Annotations:
    """The reference annotations of a track, or the estimates of a task. Every field is optional.

    Attributes:
        key: `"C major"`, `"F# minor"`: tonic and mode as mir_eval.key reads them.
        keys: local keys over the track, spelled as `key`.
        chords: Harte labels over the track.
        beats: beat times in seconds, with bar positions.
        tempo: beats per minute.
        tags: tag -> relevance. A reference has 1.0 for each tag that applies and omits the others.
            An estimate has a score for every tag of the vocabulary.
        pitch: note name such as `"A#4"`.
        instrument: name of the one instrument that plays.
        genre: name of the one genre.
        emotion: valence and arousal, on the scale of the data set.
        onsets: (n,) note onset times in seconds, increasing.
        sections: structural segments.
        extra: fields of other plug-ins, under names that are not among the above. Values are
            numbers, strings, arrays, `Segments`, `Beats`, and lists and string-keyed mappings of
            them. A task reads its own with `get`.
    """

    key: str | None = None
    keys: Segments | None = None
    chords: Segments | None = None
    beats: Beats | None = None
    tempo: float | None = None
    tags: Mapping[str, float] | None = None
    pitch: str | None = None
    instrument: str | None = None
    genre: str | None = None
    emotion: tuple[float, float] | None = None
    onsets: Floats | None = None
    sections: Segments | None = None
    extra: Mapping[str, Any] | None = None

    def get(self, name: str) -> Any:
        """The value of a field, or of a key of `extra`; None if it is not given."""
        return self.given().get(name)

    def given(self) -> dict[str, Any]:
        """Every field and every key of `extra` that is not None, with its value."""
        values = {**(self.extra or {}), **{k: v for k, v in vars(self).items() if k != "extra"}}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, eq=False)
class Track:
    """A recording, or part of one.

    Attributes:
        id: unique within its data set.
        audio: the audio file.
        group: artist, album or work. All tracks of a group are in the same split.
        annotations: the ground truth, in seconds from `start`.
        start: of the track in the file, in seconds.
        stop: end of the track in the file, in seconds; None for the end of the file.
        perturbation: effect on its audio, `NAME=STRENGTH`; empty for none. The annotations are
            those of the disturbed audio. See `mirprobe.data.perturb`.
    """

    id: str
    audio: Path
    group: str
    annotations: Annotations
    start: float = 0.0
    stop: float | None = None
    perturbation: str = ""


@dataclass(frozen=True, eq=False)
class Tokens:
    """The output of an encoder for a batch of windows; at least one field is given.

    Attributes:
        sequence: (batch, time, layers, dim), frame i centred at i / frame_rate seconds.
        class_token: (batch, layers, dim).
    """

    sequence: Tensor | None = None
    class_token: Tensor | None = None

    def given(self) -> dict[str, Tensor]:
        """The fields that are given, as messages name them."""
        fields = {"sequence": self.sequence, "class token": self.class_token}
        return {name: value for name, value in fields.items() if value is not None}


class Frames(Protocol):
    """Frame embeddings of one track, read from disk in slices.

    Attributes:
        shape: (time, layers, dim). Frame i is centred at i / frame_rate seconds from the start of
            the track, for any window length of the encoder.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    def read(self, start: int = 0, stop: int | None = None) -> Floating:
        """Frames `start` to `stop`, (stop - start, layers, dim)."""
        ...


@dataclass(frozen=True, eq=False)
class Embedding:
    """The embeddings of one track by one encoder.

    Attributes:
        clip: (windows, sources, layers, dim), or None if only frames were requested.
        frames: its frames, or None if only clip vectors were requested.
        duration: of the track, in seconds.
    """

    clip: Floating | None
    frames: Frames | None
    duration: float


@dataclass(frozen=True)
class Score:
    """One value of one metric: a row of `scores.csv`.

    Attributes:
        encoder: its specification, `name:option=value,...`.
        task: name.
        dataset: specification.
        kind: `probe`; its controls `shuffled` (trained on shuffled labels) and `chance` (the
            label frequencies of the training split, ties broken at random); `ceiling` (the
            reference itself on the encoder's token grid); `pca` (the last layer reduced to 64
            principal components; see `fixed`); or `few` (the selected probe of a subset of the
            training split; see `subset`) and its control `few-shuffled`; or `perturbed` (the
            selected probe on disturbed test audio; see `perturbation`) and `perturbed-change` (its
            difference to the undisturbed test audio, with a paired interval), or `retrained` and
            `retrained-change` (probes that were trained on disturbed audio too); or
            `retrieval` and `code` (see `probing.readings`) and their controls with `-shuffled`.
        layer: of the encoder, or `weighted` for a weighted sum of all; empty for `chance` and
            `ceiling`.
        source: pooling of the clip vector (`attention` for a learned one), or `sequence` for frame
            tasks; empty as for `layer`.
        probe: `linear`, `mlp`, `knn`, `weighted` or `attentive`; with other poolings than `mean`
            these follow, as in `linear mean,max`.
        preset: of the training.
        decoding: the method that turns logits into an annotation.
        parameters: of the decoding, chosen on validation (JSON).
        learning_rate: chosen on validation; NaN for a probe without one, `chance` and `ceiling`.
        seed: of the initial weights.
        selected: whether this is the reported row: the layer, source and decoding that validation
            chose. It is true once for each encoder, task, metric and seed, never for a control.
        validation: the task's main metric on the validation split.
        metric: name.
        main: whether it is the task's main metric.
        value: on the test split.
        low: lower end of the 95 % interval.
        high: upper end.
        n: test tracks that the metric scores; it may leave some out.
        conditions: what else the value depends on, such as `trim=5.0`.
        fingerprint: of the encoder.
        splits: hash of the track ids of every split.
        cell: hash of everything that the scores of the cell depend on.
        data: hash of ids, audio and the annotation of the task, of every split.
        groups: number of groups (artists, works) of the `n` tracks; the interval resamples these.
        interval: its method, and what it contains: `wilson over test tracks of these fitted
            probes`; see `core.confidence_intervals`.
        draw: of the encoder's random weights.
        resample: of the training and validation tracks; 0 for those of the data set, or the number
            of the fold that validates; of kind `few` the number of the order of the training
            tracks.
        weight_decay: of the probe; NaN for `chance` and `ceiling`.
        steps: of the training.
        converged: whether the training ended at the optimum or by early stopping.
        edge: choices of validation that are an end of their grid, separated by commas: `training`
            (weight decay or learning rate), or parameters of the decoding. A wider grid might give
            a better value.
        fixed: `first`, `middle` and `last`, separated by commas, in the row of this probed layer
            with the mean over the sequence (the first source, if there is none) and the decoding
            that validation chose for it. `last` of the kinds `probe` and `pca` compares encoders
            at equal terms: nothing but weight decay and decoding is chosen.
        wins: share of bootstrap draws of the validation groups in which validation chooses layer,
            source and decoding of this row; NaN for other kinds than `probe`.
        subset: of the training split: its number of tracks as it was asked for, such as `30`, or
            `5 shots`; empty for the whole split.
        train_tracks: number of tracks that the probe was trained on; 0 if unknown.
        setting: what else the probe has chosen on validation or learned: `k=5` for the number of
            neighbours, `layers 0.10 0.90` for the weights of the layers.
        perturbation: of the test audio, `NAME=STRENGTH`; empty for none.

    Runs of earlier versions lack the last columns: they are read as empty or 0.
    """

    encoder: str
    task: str
    dataset: str
    kind: str
    layer: str
    source: str
    probe: str
    preset: str
    decoding: str
    parameters: str
    learning_rate: float
    seed: int
    selected: bool
    validation: float
    metric: str
    main: bool
    value: float
    low: float
    high: float
    n: int
    conditions: str
    fingerprint: str
    splits: str
    cell: str
    data: str = ""
    groups: int | None = None
    interval: str = ""
    draw: int = 0
    resample: int = 0
    weight_decay: float = nan
    steps: int = 0
    converged: bool = False
    edge: str = ""
    fixed: str = ""
    wins: float = nan
    subset: str = ""
    train_tracks: int = 0
    setting: str = ""
    perturbation: str = ""
