"""The band: players, styles and patterns of a piece, and its performance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mirprobe.core.schema import Split
from mirprobe_tasks.datasets.studio.expression import express
from mirprobe_tasks.datasets.studio.instruments import INSTRUMENTS, STRUMMED
from mirprobe_tasks.datasets.studio.melody import play_melody
from mirprobe_tasks.music import bass, comping, drums
from mirprobe_tasks.music.chords import Span
from mirprobe_tasks.music.metre import Grid
from mirprobe_tasks.music.midi import TICK
from mirprobe_tasks.music.notes import Event, Note, Part
from mirprobe_tasks.music.patterns import Pattern, draw_pattern
from mirprobe_tasks.music.pitch import Key
from mirprobe_tasks.music.random_choice import pick


@dataclass(frozen=True)
class Player:
    """A player: role, instrument and program; `centre` is the mean pitch."""

    role: str
    instrument: str
    program: int
    centre: int = 60


@dataclass(frozen=True)
class Lineup:
    """The band of one piece.

    Attributes:
        players: one per role.
        comp: pattern of the chords.
        bass: pattern of the bass.
        drums: pattern of the drums; None without drums.
        style: of the chords, one of `comping.STYLES`.
        staccato: whether chords, bass and melody are played short.
    """

    players: tuple[Player, ...]
    comp: Pattern
    bass: Pattern
    drums: Pattern | None
    style: str
    staccato: bool

    @property
    def roles(self) -> frozenset[str]:
        """The roles of the players."""
        return frozenset(player.role for player in self.players)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        """All patterns."""
        return tuple(p for p in (self.comp, self.bass, self.drums) if p is not None)

    @property
    def textures(self) -> frozenset[str]:
        """The texture tags that follow from the lineup."""
        found = {
            "solo": len({player.instrument for player in self.players}) == 1,
            "arpeggio": self.style == "arpeggio",
            "block chords": self.style in ("block", "offbeat"),
            "sustained pad": self.style == "held" or "pad" in self.roles,
            "walking bass": self.bass.role == "walk",
            "staccato": self.staccato,
        }
        return frozenset(tag for tag, applies in found.items() if applies)


def make_lineup(
    rng: np.random.Generator,
    split: Split,
    grid: Grid,
    players: tuple[Player, ...],
    *,
    style: str,
    bass_style: str,
    staccato: bool,
) -> Lineup:
    """Draw patterns that belong to `split` for the players."""
    metre, grain = grid.metre, 2 if grid.swing != 0.5 else grid.grain
    drummer = any(player.role == "drums" for player in players)
    return Lineup(
        players=players,
        comp=draw_pattern(lambda r: comping.comp_pattern(r, metre, style, grain), rng, split),
        bass=draw_pattern(lambda r: bass.bass_pattern(r, metre, bass_style, grain), rng, split),
        drums=draw_pattern(lambda r: drums.drum_pattern(r, metre, grain), rng, split)
        if drummer
        else None,
        style=style,
        staccato=staccato,
    )


def solo_players(rng: np.random.Generator, name: str) -> tuple[Player, ...]:
    """One instrument for melody, chords and bass."""
    program = pick(rng, INSTRUMENTS[name].comp)
    centres = {"melody": 74, "comp": int(rng.integers(56, 62)), "bass": 0}
    return tuple(Player(role, name, program, centre) for role, centre in centres.items())


# Mean level of each role in dB relative to the melody, and its spread.
_GAINS = {
    "melody": (0.0, 2.0),
    "comp": (-2.0, 2.5),
    "pad": (-5.0, 2.0),
    "bass": (-2.0, 2.0),
    "drums": (-2.0, 3.0),
}


def draw_gain(rng: np.random.Generator, role: str) -> float:
    """Level of a part in dB, relative to the mean melody."""
    mean, spread = _GAINS[role]
    return float(mean + np.clip(rng.normal(0.0, spread), -2 * spread, 2 * spread))


def play(
    rng: np.random.Generator,
    lineup: Lineup,
    key: Key,
    grid: Grid,
    spans: Sequence[Span],
    *,
    expressive: bool = False,
) -> tuple[Part, ...]:
    """The parts of all players.

    Args:
        rng: source of the draws.
        lineup: the players and their patterns.
        key: for the melody's scale.
        grid: beats in seconds.
        spans: the harmony.
        expressive: whether dynamics and articulation follow the phrases (`expression.express`).
    """
    short = 1.0
    if not expressive:
        short = float(rng.uniform(*((0.25, 0.4) if lineup.staccato else (0.8, 1.0))))
    parts = []
    for player in lineup.players:
        velocity = int(rng.integers(72, 100))
        events = _perform(rng, player, lineup, key, grid, spans, velocity, short)
        if expressive:
            events = express(rng, grid, events, player.role, staccato=lineup.staccato)
        strum = player.role == "comp" and player.instrument in STRUMMED
        parts.append(
            Part(
                role=player.role,
                instrument=player.instrument,
                program=player.program,
                notes=_humanise(rng, grid, events, strum=strum),
                gain=draw_gain(rng, player.role),
            )
        )
    return tuple(part for part in parts if part.notes)


def _perform(
    rng: np.random.Generator,
    player: Player,
    lineup: Lineup,
    key: Key,
    grid: Grid,
    spans: Sequence[Span],
    velocity: int,
    short: float,
) -> list[Event]:
    if player.role == "melody":
        return play_melody(rng, key, grid, spans, player.centre, velocity, short)
    if player.role == "bass":
        return bass.play_bass(rng, grid, spans, lineup.bass, velocity, short)
    if player.role == "drums" and lineup.drums is not None:
        return drums.play_drums(rng, grid, lineup.drums, velocity)
    voicings = comping.lead_voices(rng, spans, int(rng.integers(3, 5)), player.centre)
    if player.role == "pad":
        return comping.hold_chords(spans, voicings, velocity)
    return comping.play_chords(grid, spans, voicings, lineup.comp, velocity, short)


def _humanise(
    rng: np.random.Generator, grid: Grid, events: Iterable[Event], *, strum: bool
) -> tuple[Note, ...]:
    """Convert beats to seconds with random deviations in time and velocity.

    Each player has a constant deviation; the notes scatter around it by a few milliseconds. In a
    strummed chord, each note is up to 12 ms later than the next lower one. Times are rounded to
    MIDI ticks, so that annotation and audio agree.
    """
    lean, scatter = float(rng.normal(0.0, 0.004)), float(rng.uniform(0.002, 0.009))
    spread = float(rng.uniform(0.004, 0.012)) if strum else 0.0
    score = sorted(events, key=lambda event: (event.start, event.pitch))
    delays = np.clip(rng.normal(lean, scatter, size=len(score)), -0.03, 0.03).tolist()
    touches = rng.integers(-6, 7, size=len(score)).tolist()
    notes: dict[tuple[float, int], Note] = {}
    order, last = 0, -1.0
    for event, delay, touch in zip(score, delays, touches, strict=True):
        order = order + 1 if event.start == last else 0
        last = event.start
        start = max(0.0, grid.seconds(event.start) + delay + order * spread)
        end = max(grid.seconds(event.start + event.length) + lean, start + 0.04)
        # two voices with the same pitch and start are one note
        notes[(event.start, event.pitch)] = Note(
            round(start / TICK) * TICK,
            round(end / TICK) * TICK,
            event.pitch,
            max(20, min(127, event.velocity + touch)),
            event.ornament,
        )
    return released(sorted(notes.values(), key=lambda note: (note.start, note.pitch)))


def released(notes: Sequence[Note]) -> tuple[Note, ...]:
    """End each note where the next note of the same pitch starts."""
    following: dict[int, float] = {}
    result = []
    for note in reversed(notes):
        end = min(note.end, following.get(note.pitch, note.end))
        following[note.pitch] = note.start
        result.append(replace(note, end=end))
    return tuple(reversed(result))
