"""Scores of music21's corpus with a Roman-numeral analysis, read into `Work`s.

The only module of `scores` that imports music21 (the extra `mirprobe[scores]`); it does not use the
network. The analyses are by Dmitri Tymoczko, Andrew Jones and others, of the chorales
(Riemenschneider 1 to 20) and of Monteverdi's madrigals, books 3 to 5; each file names its analyst.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mirprobe.core.errors import ConfigError, MissingDataError
from mirprobe.core.parallel import parallel_map
from mirprobe_tasks.datasets.scores.align import Bar, Numeral, align
from mirprobe_tasks.datasets.scores.harte import harte_label
from mirprobe_tasks.datasets.scores.repeats import play_beats, play_notes, play_spans, stretches
from mirprobe_tasks.datasets.scores.works import ScoreNote, Work

FIT = 0.75
"""Least share of the note weight of a work in the labelled chords."""

CYCLES = ((3, 8, 10), (3, 15, 17), (3, 19, 20), (4, 6, 7), (5, 4, 8))
"""Madrigals in several parts: book, first and last number."""

_SUFFIXES = (".mxl", ".krn")


def version() -> str:
    """The version of music21; does not import it.

    Raises:
        ConfigError: music21 is not installed.
    """
    corpus_root()
    return importlib.metadata.version("music21")


def corpus_root(extra: str = "scores") -> Path:
    """The folder of music21's corpus; does not import music21.

    Args:
        extra: of mirprobe that installs music21, for the message.

    Raises:
        ConfigError: music21 is not installed.
    """
    spec = importlib.util.find_spec("music21")
    if spec is None or spec.origin is None:
        raise MissingDataError(f"music21 is not installed; pip install 'mirprobe[{extra}]'")
    return Path(spec.origin).parent / "corpus"


def analyses() -> list[tuple[Path, list[Path]]]:
    """Every analysis of the corpus with a score, and the editions of the score.

    Raises:
        ConfigError: music21 or its corpus is not installed.
    """
    root = corpus_root()
    pairs = [
        (path, editions)
        for folder in ("bach", "monteverdi")
        for path in sorted((root / folder).rglob("*.rntxt"))
        if (editions := _editions(path, root / folder))
    ]
    if not pairs:
        raise ConfigError(f"scores: {root} holds no analyses; reinstall music21 with its corpus")
    return pairs


def read_corpus() -> tuple[list[Work], dict[str, str]]:
    """Read all works on all cores; takes two minutes on one core.

    Returns:
        The works whose analysis fits, in the order of the corpus, and for every other analysis the
        reason why it is left out.

    Raises:
        ConfigError: music21 or its corpus is missing.
    """
    pairs = analyses()
    found = parallel_map(_read, pairs, 0, "reading scores", unit="score")
    kept, left_out = [], {}
    for (path, _), work in zip(pairs, found, strict=True):
        if isinstance(work, str):
            left_out[path.name] = work
        elif work.fit < FIT:
            left_out[path.name] = f"{work.fit:.2f} of the notes are in the chords"
        else:
            kept.append(work)
    return kept, left_out


def _read(analysis: Path, editions: Sequence[Path]) -> Work | str:
    try:
        return read_work(analysis, editions)
    except ConfigError as error:
        return str(error)


def read_work(analysis: Path, editions: Sequence[Path]) -> Work:
    """Read one work, regardless of its fit; may run in any process.

    Args:
        analysis: a `.rntxt` file.
        editions: of its score, at least one; the one with the best fit is used.

    Raises:
        ConfigError: music21 cannot read a file, or analysis and score cannot be aligned.
    """
    from music21 import converter
    from music21.exceptions21 import Music21Exception

    works = []
    for path in (analysis, *editions):
        try:
            stream = converter.parse(path, forceSource=True, storePickle=False)
            if path is analysis:
                numerals = stream
                continue
            works.append(work_of(path.stem, numerals, stream, f"{path.parent.name}/{path.name}"))
        except (Music21Exception, ValueError) as error:
            raise ConfigError(f"scores: {path.name}: {error}") from error
    return max(works, key=lambda work: work.fit)


def work_of(id: str, analysis: Any, score: Any, source: str) -> Work:
    """A work from the music21 streams of an analysis and of a score.

    Raises:
        ValueError: the score has no notes, its parts disagree about the starts of measures, or no
            chord has a position in the score.
    """
    drop_doubled_rests(score)
    bars = bars_of(score.parts[0])
    voices = [notes_of(part) for part in score.parts]
    aligned = align(bars, list(numerals_of(analysis)), [note for notes in voices for note in notes])
    way = stretches(bars)
    played = tuple(
        tuple((start, length, pitch + aligned.shift) for start, length, pitch in line)
        for line in (play_notes(notes, way) for notes in voices)
        if line
    )
    end = max(start + length for line in played for start, length, _ in line)
    return Work(
        id=id,
        title=str(analysis.metadata.title if analysis.metadata else "") or id,
        group=group_of(id),
        source=source,
        fit=aligned.fit,
        shift=aligned.shift,
        unplaced=aligned.unplaced,
        length=end,
        voices=played,
        chords=play_spans(aligned.chords, way),
        keys=play_spans(aligned.keys, way),
        beats=tuple(beat for beat in play_beats(bars) if beat[0] < end),
    )


def drop_doubled_rests(score: Any) -> None:
    """Remove the second of two whole rests in one measure, in place.

    Many editions of the madrigals have two whole rests where a voice is silent for one measure. The
    voice is then late by a measure for the rest of the piece.

    Raises:
        ValueError: the parts still disagree about the starts of measures.
    """
    begins: list[float] = []
    for part in score.parts:
        now, starts = 0.0, []
        for measure in part.getElementsByClass("Measure"):
            sounds = [e for e in measure.recurse().notesAndRests if e.duration.quarterLength > 0]
            whole = measure.barDuration.quarterLength
            if all(event.isRest for event in sounds):
                for rest in sounds:
                    if rest.getOffsetInHierarchy(measure) >= whole:
                        measure.remove(rest, recurse=True)
                for event in measure:  # clefs and bar lines at the end also extend the measure
                    measure.setElementOffset(event, min(event.offset, whole))
            part.setElementOffset(measure, now)
            starts.append(now)
            now += float(measure.duration.quarterLength)
        begins = begins or starts
        if starts != begins:
            raise ValueError("its parts disagree about the starts of measures")
    score.coreElementsChanged()


def bars_of(part: Any) -> list[Bar]:
    """The measures of a part with their time signatures and repeat signs.

    If a repeat sign divides a measure, the second part gets the number of the first part instead of
    its number in the edition.
    """
    from music21.bar import Repeat

    bars: list[Bar] = []
    lacking = 0.0  # missing quarter notes of the previous bar, which started on its downbeat
    for measure in part.getElementsByClass("Measure"):
        lines = (measure.leftBarline, measure.rightBarline)
        signs = [line.direction for line in lines if isinstance(line, Repeat)]
        metre = measure.timeSignature or measure.getContextByClass("TimeSignature")
        length, whole = (
            float(span.quarterLength) for span in (measure.duration, measure.barDuration)
        )
        rest = bars and lacking > 0 and length == lacking
        bars.append(
            Bar(
                number=bars[-1].number if rest else measure.number,
                start=float(measure.offset),
                length=length,
                padding=whole - length if rest else float(measure.paddingLeft),
                beat=float(metre.beatDuration.quarterLength),
                beats=metre.beatCount,
                opens="start" in signs,
                closes="end" in signs,
            )
        )
        lacking = whole - length if not bars[-1].padding else 0.0
    return bars


def notes_of(part: Any) -> list[ScoreNote]:
    """The notes of a part, tied notes joined, without grace notes and chord symbols."""
    return sorted(
        (float(note.offset), float(note.duration.quarterLength), int(pitch.midi))
        for note in part.stripTies().flatten().notes
        if note.duration.quarterLength > 0 and "Harmony" not in note.classes
        for pitch in note.pitches
    )


def numerals_of(analysis: Any) -> Iterator[Numeral]:
    """The Roman numerals of an analysis, without variants, which music21 does not read."""
    for measure in analysis.parts[0].getElementsByClass("Measure"):
        for numeral in measure.getElementsByClass("RomanNumeral"):
            tonic = numeral.key.tonic.name.replace("-", "b")
            yield Numeral(
                number=measure.number,
                place=float(numeral.offset) + float(measure.paddingLeft),
                label=harte_label(numeral),
                key=f"{tonic} {numeral.key.mode}",
                tones=frozenset(int(pitch.pitchClass) for pitch in numeral.pitches),
            )


def group_of(id: str) -> str:
    """The group of a work: the work, or its cycle."""
    if match := re.fullmatch(r"madrigal\.(\d+)\.(\d+)", id):
        book, number = int(match[1]), int(match[2])
        for cycle, first, last in CYCLES:
            if book == cycle and first <= number <= last:
                return f"madrigal.{book}.{first}"
    return id


def _editions(analysis: Path, folder: Path) -> list[Path]:
    """The scores of the analysed work."""
    if folder.name == "monteverdi":
        stems = [analysis.stem]
    else:
        named = re.search(r"^BWV: *(\d+)(?:\(\d+\))?(\.\d+)?", analysis.read_text("utf-8"), re.M)
        stems = [f"bwv{named[1]}{named[2] or ''}", f"bwv{named[1]}{named[2]}-2"] if named else []
    paths = [folder / (stem + suffix) for stem in stems for suffix in _SUFFIXES]
    return [path for path in paths if path.exists()]
