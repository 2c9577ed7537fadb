"""The report of `mirprobe emergence`: the five claims with verdicts, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mirprobe.core.markdown import markdown_table
from mirprobe.emergence.claims import (
    MODELS,
    Check,
    Claim,
    Result,
    ResultTables,
    best_of_each,
    format_value,
    values_of,
)
from mirprobe.emergence.models import RANDOM, TRAINED
from mirprobe.emergence.onset_detector import SHIFTS, SMOOTHING, THRESHOLDS
from mirprobe.emergence.onset_scores import CHANCE_KINDS
from mirprobe.emergence.similarity_pairs import (
    APART,
    FRAMES,
    OTHER_PHASE,
    SAME_PHASE,
    SHARED,
    TRACKS,
)
from mirprobe.emergence.similarity_scores import SEQUENCE, SOURCES

_RULE = """\
Checks decide about each claim. A check is a paired difference on the test tracks. It passes if its
95 % interval over tracks lies above zero. A claim *holds* if all its checks pass, *does
not hold* if none passes, and holds *partly* otherwise. "Does not hold" means that these data do not
show the claim; it does not mean that they show the opposite. Layers, heads, readings of attention,
settings of the onset detector and seeds of random weights are chosen on the validation split (chord
and beat are probed only with the first seed). The test split is scored once.
"""


def write_report(
    claims: Sequence[Claim],
    tables: ResultTables,
    provenance: Mapping[str, Any],
    charts: Sequence[str],
) -> str:
    """The report in Markdown.

    Args:
        claims: the claims with their checks.
        tables: all rows.
        provenance: as written to `emergence.json`.
        charts: names of the figures in the folder.
    """
    parts = [
        "# Emergent properties of ViT-1D\n",
        _opening(provenance),
        _RULE,
        markdown_table(
            ["claim of Kong et al. (ISMIR 2025)", "verdict", "checks passed"],
            [
                [
                    f"{number}. {claim.statement}",
                    f"**{claim.verdict}**",
                    f"{sum(check.passes for check in claim.checks)} of {len(claim.checks)}",
                ]
                for number, claim in enumerate(claims, start=1)
            ],
        ),
    ]
    parts += [_claim(number, claim) for number, claim in enumerate(claims, start=1)]
    parts += [_onsets(tables, charts), _similarities(tables, charts)]
    parts += [_sources(tables, charts), _provenance(provenance)]
    return "\n".join(part for part in parts if part)


_OBJECTIVES = {
    "ntxent": "NT-Xent on the class token only",
    "cojepa": "CoJEPA: NT-Xent on the class token and a JEPA loss on the sequence tokens. The "
    "claims are about tokens without a loss, which these are not",
}


def _opening(provenance: Mapping[str, Any]) -> str:
    tracks, notes = provenance["tracks"], provenance["checkpoint"]["notes"]
    fit = json.loads(notes.get("fit", "{}"))
    trained = _OBJECTIVES.get(fit.get("objective"), "an objective that the file does not name")
    return (
        f"Weights `{provenance['checkpoint']['name']}` "
        f"(SHA-256 `{provenance['checkpoint']['sha256'][:16]}`) on the data set "
        f"`{provenance['dataset']}`: {tracks['valid']} validation tracks, {tracks['test']} test "
        f"tracks. Random weights: {_count(provenance['controls'], 'seed')} of the same "
        f"architecture. Trained with {trained}.\n"
    )


def _claim(number: int, claim: Claim) -> str:
    lines = [f"## Claim {number}: {claim.verdict}\n", f"{claim.statement}\n"]
    if not claim.testable:
        return "\n".join([*lines, "The data set lacks the annotations that this claim needs.\n"])
    lines.append(f"Rule: {claim.rule}.\n")
    if claim.checks:
        rows = [_row(check) for check in claim.checks]
        lines.append(markdown_table(["difference", "value (95 %)", "check"], rows))
    else:
        lines.append(
            "No two relations above chance have different best layers, so there is nothing to "
            "compare.\n"
        )
    return "\n".join([*lines, *(f"- {remark}" for remark in claim.remarks), ""])


def _row(check: Check) -> list[str]:
    gain = check.gain
    reason = "below zero" if gain.high < 0 else "the interval contains zero"
    value = f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    return [check.text, value, "passes" if check.passes else f"fails: {reason}"]


def _onsets(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.onsets:
        return _skipped("Onsets", "onsets")
    found = best_of_each(tables.onsets, model=[TRAINED, RANDOM, "flux", *CHANCE_KINDS])
    columns = ("model", "place", "reading", "score", "precision", "recall", "validation")
    return "\n".join(
        [
            "## Onsets\n",
            "F-measure with a tolerance of 50 ms (`mir_eval.onset`), averaged over test tracks, of "
            "the best detector of each model on validation. A detector is a layer, a head (or the "
            "mean map of all heads) and a reading of its map. Onsets are peaks of the reading "
            "above its moving average. Chosen on validation for each layer and head: the reading, "
            f"smoothing over {' or '.join(map(str, SMOOTHING))} frames, one of {len(THRESHOLDS)} "
            f"thresholds from {THRESHOLDS[0]:g} to {THRESHOLDS[-1]:g} standard deviations, and a "
            f"shift of at most {1000 * SHIFTS[-1]:.0f} ms. Spectral flux is the mean rise of the "
            "same log-mel bands, with settings chosen in the same way. `even` and `uniform` are "
            "chance onsets at equal distances and at random times; they depend on the number of "
            "onsets of each track. All rows: `onsets.csv`.\n",
            markdown_table(
                ["model", "layer, head", "reading", "F-measure (95 %)", *columns[-3:]],
                _cells(found, *columns),
            ),
            _image("onsets", charts),
        ]
    )  # fmt: skip


def _similarities(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.similarities:
        return _skipped("Similarity of tokens", "chords, beats, keys, tags or sections")
    relations = values_of(tables.similarities, "relation")
    found = best_of_each(tables.similarities, relation=relations, model=MODELS, source=[SEQUENCE])
    rows = _cells(found, "relation", "model", "layer", "score", "n")
    missing = ", ".join(name for name in (*FRAMES, *TRACKS) if name not in relations)
    note = f"Left out because validation or test has no pair of it: {missing}.\n"
    return "\n".join(
        [
            "## Similarity of tokens\n",
            "ROC-AUC with which cosine similarity separates same pairs from other pairs; chance is "
            f"0.5. `chord`, `beat` and `section` compare frames of a track at least {APART:g} s "
            "apart, with equal numbers of same and other pairs at every distance, averaged over "
            "tracks. `chord`: equal major or minor triads. `beat`: phases within the beat that "
            f"differ by at most {SAME_PHASE:g} beats, in other pairs by at least {OTHER_PHASE:g}. "
            "`section`: equal labels. `key` and `tags` compare tracks of different groups by the "
            "mean of their sequence tokens (other poolings: see the table), averaged over query "
            f"tracks. `key`: equal keys. `tags`: at least {SHARED:.0%} of the union of the tags is "
            "shared, in other pairs none; the tags are those of the data set (instruments and "
            "textures in `studio`). The intervals treat query tracks as independent. All rows: "
            "`similarity.csv`.\n",
            note if missing else "",
            markdown_table(["relation", "model", "best layer", "ROC-AUC (95 %)", "tracks"], rows),
            _image("similarity", charts),
        ]
    )


def _sources(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.probes:
        return _skipped("Linear probes", "tags, key, chords or beats")
    tasks = values_of(tables.probes, "task")
    found = best_of_each(tables.probes, task=tasks, model=MODELS, source=SOURCES)
    rows = _cells(found, "task", "model", "source", "layer", "metric", "score")
    return "\n".join(
        [
            "## Linear probes by pooling\n",
            "Scores of the harness: for each pooling (`source`) the best layer on validation. "
            "Chord and beat are predicted from single sequence tokens at one third, two thirds and "
            "the end of the layers. All rows: `sources.csv`; the runs: `runs/`.\n",
            markdown_table(["task", "model", "source", "layer", "metric", "score (95 %)"], rows),
            _image("sources", charts),
        ]
    )


def _provenance(provenance: Mapping[str, Any]) -> str:
    left_out = provenance["problems"]
    lines = [
        "## Provenance\n",
        f"Seed {provenance['seed']}; splits `{provenance['splits_hash']}`; checkpoint "
        f"`{provenance['checkpoint']['sha256']}`. Versions and settings: `emergence.json`.\n",
    ]
    if left_out:
        lines.append(f"{_count(len(left_out), 'track')} left out:\n")
        lines += [f"- {name}: {reason}" for name, reason in left_out.items()]
        lines.append("")
    return "\n".join(lines)


def _cells(results: Iterable[Result], *columns: str) -> list[list[str]]:
    """Rows of a Markdown table: `score` is the value with its interval, `place` layer and head."""
    found = []
    for one in results:
        place = f"{one.row['layer']} {one.row.get('head', '')}".strip()
        row = {**one.row, "score": format_value(one), "place": place}
        row["model"] += f" (seed {row['seed']})" if row["model"] == RANDOM else ""
        cells = (row[column] for column in columns)
        found.append([f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells])
    return found


def _skipped(title: str, needed: str) -> str:
    return f"## {title}\n\nSkipped: no validation or no test track has {needed}.\n"


def _image(name: str, charts: Sequence[str]) -> str:
    return f"![{name}]({name}.png)\n" if name in charts else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
