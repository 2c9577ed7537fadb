"""The report of `mirprobe emergence`: the five claims with verdicts, tables and figures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mirprobe.core.confidence_intervals import FEW
from mirprobe.core.markdown import escaped, markdown_table
from mirprobe.emergence.checks import Check, Claim, Kind
from mirprobe.emergence.claims import ResultTables
from mirprobe.emergence.models import CONCAT, EQUAL, RANDOM, TRAINED
from mirprobe.emergence.onset_detector import SHIFTS, SMOOTHING, THRESHOLDS
from mirprobe.emergence.onset_scores import CHANCE_KINDS
from mirprobe.emergence.probing import PLAIN
from mirprobe.emergence.rows import ScoredRow, best_of_each, by_seed, format_value, values_of
from mirprobe.emergence.similarity_pairs import (
    APART,
    FRAMES,
    OTHER_PHASE,
    SAME_PHASE,
    SHARED,
    TRACKS,
)
from mirprobe.emergence.similarity_scores import SEQUENCE, SOURCES

MODELS = (TRAINED, RANDOM, PLAIN, "chroma")

_QUESTIONS: Mapping[Kind, str] = {
    "present": "trained above control",
    "training": "trained above random weights",
    "untrained": "random weights above control",
    "reference": "trained above reference",
}

_RULE = """\
A check is a difference on the test tracks, with its 95 % interval over groups of test tracks. A
difference to random weights is one to the mean over their seeds, and its interval also contains the
seeds. A check passes if its one-sided p is below .05 after Holm's correction over all checks of
this page.

*Trained above random weights* needs two small p values, and the table shows the larger one: that of
the difference, and that of the trained model as one more seed (Student's t of a single case against
a sample; Crawford & Howell 1998). The rank of the trained model among the seeds stands beside it
with its own p, (1 + seeds at least as good) / (seeds + 1). This p depends on no distribution, but
it cannot fall below 1 / (seeds + 1), so it is not corrected and decides nothing.

Verdicts: a claim *holds* if the trained model is above the control, above random weights and, where
there is one, above the reference. It is *present without training* if the trained model and random
weights are both above the control, and the trained model is not above random weights. It *does not
hold* if no check of the trained model passes, and *holds partly* otherwise. A claim about several
tasks has the verdict that all of them share. *Present without training* in some and *does not hold*
in the others is *present without training*; any other mixture *holds partly*. "Does not hold" means
that these data do not show the claim; it does not mean that they show the opposite.

Layers, heads, readings of attention, poolings and settings of the onset detector are chosen on the
validation split, for each seed of random weights in the same way as for the trained model. The test
split is scored once. Remarks below the tables are not corrected.
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
            ["claim of Kong et al. (ISMIR 2025)", "verdict", "by subject"],
            [
                [
                    f"{number}. {claim.statement}",
                    f"**{claim.verdict}**",
                    "; ".join(f"{one.subject}: {one.verdict}" for one in claim.effects)
                    if claim.testable
                    else "",
                ]
                for number, claim in enumerate(claims, start=1)
            ],
            markup=True,
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
    groups = provenance["test_groups"]
    few = f" (**fewer than {FEW}: intervals and p are rough**)" if groups < FEW else ""
    fit = json.loads(notes.get("fit", "{}"))
    trained = _OBJECTIVES.get(fit.get("objective"), "an objective that the file does not name")
    return (
        f"Weights `{provenance['checkpoint']['name']}` "
        f"(SHA-256 `{provenance['checkpoint']['sha256'][:16]}`) on the data set "
        f"`{provenance['dataset']}`: {tracks['valid']} validation tracks, {tracks['test']} test "
        f"tracks in {_count(groups, 'group')}{few}. Random weights of the same architecture: "
        f"{provenance['seeds']} seeds in claims 4 and 5, {provenance['probe_seeds']} in claims 1 "
        f"to 3. Trained with {trained}.\n"
    )


def _claim(number: int, claim: Claim) -> str:
    lines = [f"## Claim {number}: {claim.verdict}\n", f"{claim.statement}\n"]
    if not claim.testable:
        return "\n".join([*lines, "The data set lacks the annotations that this claim needs.\n"])
    lines.append(f"Rule: {claim.rule}.\n")
    if claim.checks:
        several = len(claim.effects) > 1
        rows = [
            [f"{effect.subject}: " * several + _QUESTIONS[check.kind], *_row(check)]
            for effect in claim.effects
            for check in effect.checks
        ]
        headers = ["check", "difference", "value (95 %)", "rank of trained", "p (Holm)", "result"]
        lines.append(markdown_table(headers, rows))
    else:
        lines.append(
            "No two relations above chance have different best layers, so there is nothing to "
            "compare.\n"
        )
    return "\n".join([*lines, *(f"- {remark}" for remark in claim.remarks), ""])


def _row(check: Check) -> list[str]:
    gain = check.gain
    value = f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
    if np.isnan(check.p):
        p, result = "", "fails: too few groups or seeds for a p"
    else:
        p = f"{check.corrected:.3f}" if check.corrected >= 0.001 else "< 0.001"
        result = "passes" if check.passes else "fails"
    return [check.text, value, str(check.rank or ""), p, result]


def _onsets(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.onsets:
        return _skipped("Onsets", "onsets")
    found = _best(tables.onsets, model=[TRAINED, RANDOM, "flux", *CHANCE_KINDS])
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
            f"onsets of each track. {_SPREAD} All rows: `onsets.csv`.\n",
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
    found = _best(tables.similarities, relation=relations, model=MODELS, source=[SEQUENCE])
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
            "textures in `studio`). Intervals resample the groups of query tracks, not the tracks "
            f"that these are compared with. {_SPREAD} All rows: `similarity.csv`.\n",
            note if missing else "",
            markdown_table(["relation", "model", "best layer", "ROC-AUC (95 %)", "tracks"], rows),
            _image("similarity", charts),
        ]
    )


def _sources(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.probes:
        return _skipped("Linear probes", "tags, key, chords or beats")
    tasks = values_of(tables.probes, "task")
    found = _best(tables.probes, task=tasks, model=MODELS, source=[*SOURCES, EQUAL, CONCAT])
    rows = _cells(found, "task", "model", "source", "layer", "metric", "score")
    return "\n".join(
        [
            "## Linear probes by pooling\n",
            "Scores of the harness: for each pooling (`source`) the best layer on validation. "
            "`class` is the class token, `sequence` the mean of the sequence tokens, `both` the "
            f"mean of all tokens, `{EQUAL}` the mean of `class` and `sequence`, `{CONCAT}` their "
            "concatenation. "
            f"Chord and beat are predicted from single sequence tokens. {_SPREAD} "
            "All rows: `sources.csv`; the runs: `runs/`.\n",
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
        lines += [escaped(f"- {name}: {reason}") for name, reason in left_out.items()]
        lines.append("")
    return "\n".join(lines)


_SPREAD = (
    "Random weights: mean, lowest and highest value of the seeds, each at its own best on "
    "validation."
)


def _best(rows: Sequence[ScoredRow], **choices: Iterable[Any]) -> list[ScoredRow]:
    """The best row on validation for each combination; of random weights all seeds in one row."""
    found = []
    for one in best_of_each(rows, **choices):
        if one.row["model"] != RANDOM:
            found.append(one)
            continue
        same = {name: [one.row[name]] for name in choices}
        tops = [top for own in by_seed(rows) for top in best_of_each(own, **same)]
        values = [top.row["value"] for top in tops]
        shown = {"model": f"{RANDOM} ({_count(len(tops), 'seed')})", "layer": "", "head": ""}
        shown |= {"reading": ""}
        means: dict[str, Any] = {
            name: float(np.mean([top.row[name] for top in tops]))
            for name in ("validation", "precision", "recall")
            if name in one.row
        }
        spread = {"value": float(np.mean(values)), "low": min(values), "high": max(values)}
        found.append(replace(one, row={**one.row, **shown, **means, **spread}))
    return found


def _cells(results: Iterable[ScoredRow], *columns: str) -> list[list[str]]:
    """Rows of a Markdown table: `score` is the value with its interval, `place` layer and head."""
    found = []
    for one in results:
        place = f"{one.row['layer']} {one.row.get('head', '')}".strip()
        row = {**one.row, "score": format_value(one), "place": place}
        cells = (row[column] for column in columns)
        found.append([f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells])
    return found


def _skipped(title: str, needed: str) -> str:
    return f"## {title}\n\nSkipped: no validation or no test track has {needed}.\n"


def _image(name: str, charts: Sequence[str]) -> str:
    return f"![{name}]({name}.png)\n" if name in charts else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
