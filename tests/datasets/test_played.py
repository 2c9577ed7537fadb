"""Exact effects: data sets that render their music play it transposed or at another tempo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.tones import Tones
from helpers.workbench import Workbench

from mirprobe.core.errors import ConfigError
from mirprobe.core.schema import Floats, Track
from mirprobe.data.combined import CrossedDataset
from mirprobe.data.perturbed_tracks import disturbed_tracks
from mirprobe.encoders.spectral import Chroma
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.perturbed_annotations import moved_tracks
from mirprobe.evaluation.symmetry import symmetry
from mirprobe.reporting.perturbed import perturbed_scores
from mirprobe_tasks.datasets import scores
from mirprobe_tasks.datasets.scores import Scores
from mirprobe_tasks.datasets.studio import Studio
from mirprobe_tasks.music.notes import Note, Part
from mirprobe_tasks.music.rendering import UNCHANGED, played

from .test_scores import library


class PlayedTones(Tones):
    """Tones that are rendered with an effect; `_moved` has their annotations, by file."""

    name = "played"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._moved: dict[Path, Track] = {}

    def played(self, track: Track, effect: str, strength: float) -> Path:
        path = track.audio.with_stem(f"{track.audio.stem}-{effect}{strength:g}")
        [self._moved[path]] = moved_tracks([track], (effect, strength), ["chords", "beats", "tags"])
        return path

    def prepare(self, tracks: Sequence[Track]) -> Iterator[str]:
        for track in tracks:
            own = self._moved.get(track.audio, track)
            yield from super().prepare([replace(own, audio=track.audio)])


def profile(path: Path) -> Floats:
    """(12,) power by pitch class, from C, of the lower four octaves."""
    samples, rate = soundfile.read(path)
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)[1:]
    classes = np.rint(12 * np.log2(hertz / 440) + 9).astype(int)
    found = np.zeros(12)
    low = (hertz > 60) & (hertz < 1000)
    np.add.at(found, classes[low] % 12, power[1:][low])
    return np.asarray(found / np.linalg.norm(found))


def test_studio_is_played_transposed_and_faster(tmp_path: Path) -> None:
    studio = Studio(tmp_path, size=72)
    track = studio.splits()["train"][0]
    for own in studio.splits()["test"]:
        assert studio.played(own, *UNCHANGED) == own.audio
    up, fast = (
        replace(track, audio=studio.played(track, *effect))
        for effect in (("transpose", 3.0), ("tempo", 1.25))
    )
    for one in (track, up, fast):
        assert list(studio.prepare([one])) == [track.id]
    likeness = [profile(up.audio) @ np.roll(profile(track.audio), by) for by in range(12)]
    assert int(np.argmax(likeness)) == 3
    assert likeness[3] > 0.9
    assert profile(fast.audio) @ profile(track.audio) > 0.9
    lengths = [soundfile.info(one.audio).duration for one in (track, up, fast)]
    assert lengths[0] == lengths[1]
    assert lengths[2] == pytest.approx(lengths[0] / 1.25, abs=1e-3)


def test_scores_are_played_transposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "read_corpus", lambda: (library(), {}))
    monkeypatch.setattr(scores, "version", lambda: "0")
    data = Scores(tmp_path)
    track = data.splits()["test"][0]
    assert data.played(track, *UNCHANGED) == track.audio
    up = replace(track, audio=data.played(track, "transpose", -2.0))
    assert list(data.prepare([track])) == list(data.prepare([up])) == [track.id]
    likeness = [profile(up.audio) @ np.roll(profile(track.audio), by) for by in range(12)]
    assert int(np.argmax(likeness)) == 10
    with pytest.raises(ConfigError, match="unknown track 'other'"):
        data.played(replace(track, id="other"), "tempo", 2.0)


def test_notes_are_moved_and_drums_keep_their_sound() -> None:
    notes = (Note(1.0, 2.0, 60, 90), Note(2.0, 2.0005, 64, 90))
    parts = [Part("comp", "piano", 0, notes, 0.0), Part("drums", "drums", 0, notes, 0.0)]
    (comp, drums), duration = played(parts, 4.0, "transpose", -5.0)
    assert [note.pitch for note in comp.notes] == [55, 59]
    assert drums == parts[1]
    assert duration == 4
    (comp, drums), duration = played(parts, 4.0, "tempo", 2.0)
    for part in (comp, drums):
        assert [(note.start, note.end) for note in part.notes] == [(0.5, 1.0), (1.0, 1.0005)]
    assert duration == 2
    with pytest.raises(ConfigError, match="note 60 leaves the range of MIDI"):
        played(parts, 4.0, "transpose", -61.0)
    with pytest.raises(ConfigError, match=r"exact-transpose=0.5': give whole semitones"):
        played(parts, 4.0, "transpose", 0.5)


def test_a_run_with_exact_effects(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, PlayedTones(tmp_path / "tones"))
    effects = ["exact-transpose=3,0", "exact-tempo=1.25"]
    result = bench.run(Chroma(), tasks=("chord",), perturb=effects)
    assert (result.failures, result.problems) == ({}, {})
    found = perturbed_scores(result.scores).set_index("perturbation")
    assert found.index.tolist() == ["exact-transpose=3", "exact-transpose=0", "exact-tempo=1.25"]
    assert found.loc["exact-transpose=0", "change"] == 0
    assert found["value"].min() > 0.8


def test_a_data_set_that_cannot_play(tmp_path: Path, tones: Tones) -> None:
    line = "data set 'tones' does not play its music itself, as studio and scores do; give 'tempo'"
    bench = Workbench(tmp_path, tones)
    with pytest.raises(ConfigError, match=line):
        bench.run(Chroma(), perturb=["exact-tempo=2"])
    config = RunConfig(encoders=("chroma",), cache_dir=str(tmp_path), perturb=("exact-tempo=2",))
    with pytest.raises(ConfigError, match=line):
        symmetry(config, dataset=tones)


def test_tracks_of_combined_data_sets_are_played(tmp_path: Path, tones: Tones) -> None:
    own = PlayedTones(tmp_path / "tones")
    both = CrossedDataset(tones, own)
    tracks = both.splits()["test"][:1]
    [moved] = disturbed_tracks(both, tracks, ("exact-transpose", 2.0))
    assert moved.audio != tracks[0].audio
    assert list(both.prepare([moved])) == [tracks[0].id]
    assert moved.audio.exists()
    with pytest.raises(ConfigError, match="data set 'tones' does not play its music itself"):
        disturbed_tracks(
            CrossedDataset(own, tones), both.splits()["train"][:1], ("exact-tempo", 2.0)
        )
