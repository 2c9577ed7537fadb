"""The five claims of Kong et al. (ISMIR 2025), and the rows that their checks compare.

Layers, heads and poolings that a check compares are chosen on the validation split: for the trained
model, and for each seed of random weights in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mirprobe.core.confidence_intervals import Estimate, jackknife
from mirprobe.emergence.checks import (
    Check,
    Claim,
    Effect,
    above,
    above_random,
    correct,
    family,
    rank_among,
)
from mirprobe.emergence.crossing import Pair, crossing_gain, find_crossing
from mirprobe.emergence.models import CONCAT, EQUAL, TRAINED
from mirprobe.emergence.onset_scores import CHANCE_KINDS
from mirprobe.emergence.probing import GLOBAL, LOCAL, PLAIN
from mirprobe.emergence.rows import (
    ScoredRow,
    best,
    best_of_each,
    by_seed,
    format_value,
    interval_of,
    over_layers,
    row_label,
    select,
    values_of,
)
from mirprobe.emergence.similarity_scores import SEQUENCE


@dataclass
class ResultTables:
    """All rows of the tables."""

    onsets: list[ScoredRow] = field(default_factory=list)
    similarities: list[ScoredRow] = field(default_factory=list)
    probes: list[ScoredRow] = field(default_factory=list)


def _best_by_seed(rows: Sequence[ScoredRow]) -> list[ScoredRow]:
    """The best row on validation of each seed of random weights."""
    return [one for own in by_seed(rows) if (one := best(own))]


def _random(seeds: int) -> str:
    return f"random weights (mean of {seeds} seeds)"


def _spread(values: Sequence[float]) -> str:
    return f"random weights {np.mean(values):.3f}, {min(values):.3f} to {max(values):.3f}"


def _checks(
    mine: ScoredRow, draws: Sequence[ScoredRow], controls: Mapping[str, ScoredRow]
) -> list[Check]:
    """The trained model and random weights above each control, and the one above the other."""
    name, label = row_label(mine), _random(len(draws))
    estimates = [one.estimate for one in draws]
    return [
        *(
            above("present", f"{name} - {control}", mine.estimate - other.estimate)
            for control, other in controls.items()
        ),
        above_random(f"{name} - {label}", mine.estimate, estimates),
        *(
            above("untrained", f"{label} - {control}", family(estimates) - other.estimate)
            for control, other in controls.items()
        ),
    ]


def _layer_remark(subject: str, mine: float, draws: Sequence[float]) -> str:
    """The mean over layers, for which nothing is chosen among the layers."""
    return (
        f"{subject}mean over layers: trained {mine:.3f}; {_spread(draws)}; rank of trained "
        f"{rank_among(mine, np.array(draws))}"
    )


def _score_remarks(
    subject: str, rows: Sequence[ScoredRow], mine: ScoredRow, draws: Sequence[ScoredRow]
) -> list[str]:
    """The scores behind the checks, and the mean over layers."""
    layers = [over_layers(own) for own in by_seed(rows)]
    return [
        f"{subject}{row_label(mine)} {format_value(mine)}; "
        f"{_spread([one.row['value'] for one in draws])} (mean and range of {len(draws)} seeds)",
        _layer_remark(subject, over_layers(select(rows, model=TRAINED)), layers),
    ]


def _probed(
    tables: ResultTables, tasks: Sequence[str], **where: str
) -> tuple[tuple[Effect, ...], tuple[str, ...]]:
    """Effects and remarks: linear probes against log-mel and against random weights."""
    effects, remarks = [], list[str]()
    for task in tasks:
        rows = select(tables.probes, task=task, **where)
        mine, plain, draws = best(rows, model=TRAINED), best(rows, model=PLAIN), _best_by_seed(rows)
        if mine and plain and draws:
            effects.append(Effect(task, tuple(_checks(mine, draws, {PLAIN: plain}))))
            remarks += _score_remarks(f"{task} ({mine.row['metric']}): ", rows, mine, draws)
    return tuple(effects), tuple(remarks)


def sequence_tokens(tables: ResultTables) -> Claim:
    """Claim 1: sequence tokens become useful."""
    effects, remarks = _probed(tables, GLOBAL, source=SEQUENCE)
    return Claim(
        "NT-Xent acts only on the class token, but the sequence tokens become useful.",
        "linear probes on the mean of the sequence tokens: above the mean of the log-mel frames "
        "that the model reads (control), and above random weights, in every global task",
        effects,
        remarks,
        bool(effects),
    )


def mean_of_both(tables: ResultTables) -> Claim:
    """Claim 2: the mean of all tokens is better than the class token."""
    effects, remarks = [], list[str]()
    for task in GLOBAL:
        rows = select(tables.probes, task=task)
        own = select(rows, model=TRAINED)
        mine = _mean_and_class(own)
        draws = [pair for each in by_seed(rows) if (pair := _mean_and_class(each))]
        if mine is None or not draws:
            continue
        gain, others = _gain(mine), [_gain(pair) for pair in draws]
        text = f"{mine[0].row['source']}, {row_label(mine[0])} - class, {row_label(mine[1])}"
        label = f"of {_random(len(draws))}"
        checks = (
            above("present", text, gain),
            above_random(f"this difference - that {label}", gain, others),
            above("untrained", f"the same difference {label}", family(others)),
        )
        effects.append(Effect(task, checks))
        subject = f"{task} ({mine[0].row['metric']}): "
        remarks.append(f"{subject}class {format_value(mine[1])} at layer {mine[1].row['layer']}")
        for one in best_of_each(own, source=[SEQUENCE, "both", EQUAL, CONCAT]):
            difference = interval_of(one.estimate - mine[1].estimate)
            remarks.append(
                f"{subject}{one.row['source']} {format_value(one)} at layer {one.row['layer']}; "
                f"minus class {difference}, not corrected"
            )
        layers = [_mean_gain(each) for each in by_seed(rows)]
        subject = f"{subject}{EQUAL} minus class, "
        remarks.append(_layer_remark(subject, _mean_gain(own), layers))
    return Claim(
        "Global tasks: the mean of class and sequence tokens over time is better than the class "
        "token.",
        "linear probes on a mean of all tokens above those on the class token (difference above "
        "zero, control), and this difference above that of random weights, in every global task. "
        "Validation chooses the layer of each pooling, and between the mean of all tokens "
        "(`both`, in which the class token weighs as much as one frame) and the mean with equal "
        f"weights (`{EQUAL}`: half class token, half mean of the sequence). The concatenation "
        f"(`{CONCAT}`) stands beside them, because it is no mean",
        tuple(effects),
        tuple(remarks),
        bool(effects),
    )


def _mean_and_class(rows: Sequence[ScoredRow]) -> Pair | None:
    """One model's best mean of all tokens and best class token, on validation."""
    means = [one for source in ("both", EQUAL) if (one := best(rows, source=source))]
    mean, alone = best(means), best(rows, source="class")
    return (mean, alone) if mean and alone else None


def _gain(pair: Pair) -> Estimate:
    return pair[0].estimate - pair[1].estimate


def _mean_gain(rows: Sequence[ScoredRow]) -> float:
    """The mean over layers of the equal-weight mean minus the class token."""
    equal, alone = (over_layers(select(rows, source=source)) for source in (EQUAL, "class"))
    return equal - alone


def local_tasks(tables: ResultTables) -> Claim:
    """Claim 3: single tokens solve local tasks."""
    effects, remarks = _probed(tables, LOCAL)
    return Claim(
        "Local tasks (chord, beat): linear probes on single sequence tokens do unexpectedly well.",
        "linear probes on single tokens: above the log-mel frames that the model reads (control), "
        "and above random weights, in every local task",
        effects,
        remarks,
        bool(effects),
    )


def attention_onsets(tables: ResultTables) -> Claim:
    """Claim 4: attention shows onsets."""
    rows = tables.onsets
    mine, flux, draws = best(rows, model=TRAINED), best(rows, model="flux"), _best_by_seed(rows)
    chance = {kind: one for kind in CHANCE_KINDS if (one := best(rows, model=kind))}
    effects, remarks = list[Effect](), list[str]()
    if mine and flux and draws:
        beyond = above("reference", f"{row_label(mine)} - flux", mine.estimate - flux.estimate)
        effects.append(Effect("onsets", (*_checks(mine, draws, chance), beyond)))
        remarks = _score_remarks("", rows, mine, draws)
    return Claim(
        "Attention maps of single layers show note onsets, without training for onsets.",
        "F-measure of onsets detected in the attention of the head with the best validation score: "
        "above chance onsets with the known number of onsets (control), above random weights, and "
        "above spectral flux of the log-mel frames that the model reads (reference)",
        tuple(effects),
        tuple(remarks),
        bool(effects),
    )


def layers_differ(tables: ResultTables) -> Claim:
    """Claim 5: layers show different musical dimensions."""
    rows = select(tables.similarities, source=SEQUENCE)
    own, seeds = select(rows, model=TRAINED), by_seed(rows)
    relations = values_of(own, "relation")
    remarks = []
    for relation in relations:
        here = select(rows, relation=relation)
        mine, draws = best(here, model=TRAINED), _best_by_seed(here)
        if mine and draws:
            remarks += _score_remarks(f"{relation}: ", here, mine, draws)
    pairs = find_crossing(own)
    crossings = [find_crossing(each) for each in seeds]
    crossed = sum(one is not None for one in crossings)
    remarks.append(f"random weights: a crossing on validation with {crossed} of {len(seeds)} seeds")
    checks = list[Check]()
    if pairs and seeds:
        groups = own[0].groups
        others = [jackknife(crossing_gain(one, len(groups)), groups) for one in crossings]
        label = _random(len(seeds))
        checks = [
            above("present", f"{a.row['relation']}: {row_label(a)} - {row_label(b)}", _gain((a, b)))
            for a, b in pairs
        ]
        checks += [
            above_random(
                f"mean of both differences - that of {label}",
                jackknife(crossing_gain(pairs, len(groups)), groups),
                others,
            ),
            above("untrained", f"mean of both differences of {label}", family(others)),
        ]
    return Claim(
        "Self-similarity matrices of the tokens show different musical dimensions at different "
        "layers.",
        "two relations A and B with best layers a and b: the ROC-AUC of A is higher at a than at "
        "b, and that of B higher at b than at a (differences above zero, control); and the mean "
        "of both differences is above that of random weights. The pair is that with the largest "
        "crossing on validation, for each seed of random weights its own; a seed without a "
        "crossing counts as zero",
        (Effect("crossing", tuple(checks)),),
        tuple(remarks),
        len(relations) > 1 and bool(seeds),
    )


def evaluate_claims(tables: ResultTables) -> list[Claim]:
    """Evaluate the five claims, in the order of the summary in the paper."""
    claims = (sequence_tokens, mean_of_both, local_tasks, attention_onsets, layers_differ)
    return correct([claim(tables) for claim in claims])
