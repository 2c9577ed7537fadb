"""The page of `mirprobe emergence`: the five claims read against the figures of the study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mirprobe.core.markdown import markdown_table
from mirprobe.emergence.claims import Claim, ResultTables, best, format_value
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
from mirprobe.emergence.similarity_scores import SEQUENCE

_RULE = """\
Each claim is read by checks: a check is a difference on the same test tracks, and passes where its
95 % bootstrap interval over tracks lies above zero. A claim *holds* if all of its checks pass,
*does not hold* if none does, and holds *partly* otherwise; that it does not hold means that these
data do not show it, not that they show the contrary. Layers, heads, readings of attention, the
settings of the onset detector and seeds of random weights are chosen on the validation split (chord
and beat are probed with the first seed alone), and the test split is scored once.
"""


def write_report(
    claims: Sequence[Claim],
    tables: ResultTables,
    provenance: Mapping[str, Any],
    charts: Sequence[str],
) -> str:
    """The whole page, in Markdown; every figure in it comes from the arguments.

    Args:
        claims: as they were judged.
        evidence: all rows.
        provenance: of `mirprobe.emergence.run_emergence`.
        charts: names of the figures beside the page.
    """
    parts = [
        "# What emerges in ViT-1D\n",
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
    "ntxent": "NT-Xent on the class token alone",
    "cojepa": "CoJEPA: NT-Xent on the class token and a JEPA loss on the sequence tokens. Where "
    "the claims speak of tokens that no loss touched, these are others",
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
        rows = [
            [check.text, _signed(check), "passes" if check.passes else _why(check)]
            for check in claim.checks
        ]
        lines.append(markdown_table(["difference", "value (95 %)", "check"], rows))
    else:
        lines.append(
            "No two relations are told above chance by different layers: there is nothing to "
            "compare.\n"
        )
    return "\n".join([*lines, *(f"- {remark}" for remark in claim.remarks), ""])


def _signed(check: Any) -> str:
    gain = check.gain
    return f"{gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


def _why(check: Any) -> str:
    return "fails: below zero" if check.gain.high < 0 else "fails: the interval holds zero"


def _onsets(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.onsets:
        return _skipped("Onsets", "onsets")
    rows = []
    for model in (TRAINED, RANDOM, "flux", *CHANCE_KINDS):
        one = best(tables.onsets, model=model)
        if one:
            row = one.row
            numbers = [f"{row[name]:.3f}" for name in ("precision", "recall", "validation")]
            where = " ".join(filter(None, (str(row["layer"]), str(row["head"]))))
            rows.append([_model(row), where, str(row["reading"]), format_value(one), *numbers])
    return "\n".join(
        [
            "## Onsets\n",
            "F-measure within 50 ms (`mir_eval.onset`), mean over test tracks, of the detector "
            "that validation prefers for each model. A detector is a layer, a head (or the mean "
            "map of all heads) and a reading of its map; peaks of the reading above its moving "
            f"average count. Chosen on validation for each layer and head: the reading, smoothing "
            f"over {' or '.join(map(str, SMOOTHING))} frames, one of {len(THRESHOLDS)} thresholds "
            f"from {THRESHOLDS[0]:g} to {THRESHOLDS[-1]:g} deviations, and a shift within "
            f"{1000 * SHIFTS[-1]:.0f} ms. Spectral flux is the mean rise of the same log-mel "
            "bands, tuned alike. `even` and `uniform` guess at equal distances and at random; "
            "they know each track's number of onsets. All rows: `onsets.csv`.\n",
            markdown_table(
                ["model", "layer, head", "reading", "F-measure (95 %)", "precision", "recall",
                 "validation"],
                rows,
            ),
            _image("onsets", charts),
        ]
    )  # fmt: skip


def _similarities(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.similarities:
        return _skipped("Similarity of tokens", "chords, beats, keys, tags or sections")
    relations = list(dict.fromkeys(one.row["relation"] for one in tables.similarities))
    rows = []
    for relation in relations:
        for model in (TRAINED, RANDOM, "logmel", "chroma"):
            one = best(tables.similarities, relation=relation, model=model, source=SEQUENCE)
            if one:
                row = one.row
                rows.append([relation, _model(row), row["layer"], format_value(one), str(row["n"])])
    missing = [name for name in (*FRAMES, *TRACKS) if name not in relations]
    note = (
        f"Left out, since validation or test has no pair of it: {', '.join(missing)}.\n"
        if missing
        else ""
    )
    return "\n".join(
        [
            "## Similarity of tokens\n",
            "How well cosine similarity tells pairs that share something from pairs that do not: "
            "ROC-AUC, 0.5 is chance. Frames of one track lie at least "
            f"{APART:g} s apart, with as many other pairs as same ones at every distance, "
            "averaged over tracks. `chord`: equal major or minor triads. `beat`: places within "
            f"the beat at most {SAME_PHASE:g} beats apart, other pairs at least {OTHER_PHASE:g}. "
            "`section`: equal labels. Key and tags are known of whole tracks, so tracks are "
            "compared there (the mean of their sequence tokens; other sources in the table), "
            "those of different groups, averaged over the tracks that ask. `key`: "
            f"equal keys. `tags`: at least {SHARED:.0%} of the tags that either has are tags of "
            "both, other pairs share none; the tags are those of the data set, instruments and "
            "textures in `studio`. Its intervals take the asking tracks as independent. All rows: "
            "`similarity.csv`.\n",
            note,
            markdown_table(["relation", "model", "best layer", "ROC-AUC (95 %)", "tracks"], rows),
            _image("similarity", charts),
        ]
    )


def _sources(tables: ResultTables, charts: Sequence[str]) -> str:
    if not tables.probes:
        return _skipped("Linear probes", "tags, key, chords or beats")
    rows = []
    for task in dict.fromkeys(one.row["task"] for one in tables.probes):
        for model in (TRAINED, RANDOM, "logmel"):
            for source in ("class", SEQUENCE, "both"):
                one = best(tables.probes, task=task, model=model, source=source)
                if one:
                    row = one.row
                    rows.append(
                        [task, _model(row), source, row["layer"], row["metric"], format_value(one)]
                    )
    return "\n".join(
        [
            "## Linear probes by source\n",
            "The harness's own scores: for each source the layer that validation prefers. Chord "
            "and beat are read off single sequence tokens at a third, two thirds and the whole of "
            "the way up. All rows: `sources.csv`; the runs: `runs/`.\n",
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


def _model(row: Mapping[str, Any]) -> str:
    return f"{row['model']} (seed {row['seed']})" if row["model"] == RANDOM else str(row["model"])


def _skipped(title: str, needed: str) -> str:
    return f"## {title}\n\nSkipped: no validation or no test track has {needed}.\n"


def _image(name: str, charts: Sequence[str]) -> str:
    return f"![{name}]({name}.png)\n" if name in charts else ""


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
