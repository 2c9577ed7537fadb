"""The five claims of Kong et al. (ISMIR 2025) and the checks that decide about them.

A check is a paired difference on the test tracks. It passes if the 95 % interval of the difference
lies above zero. A claim holds if all its checks pass, does not hold if none passes, and
holds partly otherwise. The layers, heads and seeds of random weights that a check compares are
chosen on the validation split; local tasks are probed with `probing.LOCAL_CONTROLS` seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any, TypeVar

from mirprobe.core.intervals import jackknife
from mirprobe.emergence.intervals import Interval, ScoredRow, interval_of
from mirprobe.emergence.models import RANDOM, TRAINED
from mirprobe.emergence.onset_scores import CHANCE_KINDS
from mirprobe.emergence.probing import GLOBAL, LOCAL, PLAIN, ProbeResult
from mirprobe.emergence.similarity_scores import SEQUENCE, SOURCES
from mirprobe.probing.selection import nan_is_worst

HOLDS, PARTLY, FAILS, NOT_TESTED = "holds", "partly", "does not hold", "not testable"
MODELS = (TRAINED, RANDOM, PLAIN, "chroma")


Result = ScoredRow | ProbeResult
"""What a check compares: a row of a table and its statistic over test tracks."""

R = TypeVar("R", bound=Result)


@dataclass(frozen=True)
class Check:
    """A difference that a claim predicts to lie above zero.

    Attributes:
        text: describes what is compared.
        gain: the difference with its interval.
    """

    text: str
    gain: Interval

    @property
    def passes(self) -> bool:
        """Whether its interval lies above zero."""
        return self.gain.low > 0


@dataclass(frozen=True)
class Claim:
    """A claim with its checks.

    Attributes:
        statement: the claim.
        rule: describes the comparisons.
        checks: the comparisons.
        remarks: further results, which do not affect the verdict.
        testable: whether the data set has the annotations that the claim needs.
    """

    statement: str
    rule: str
    checks: tuple[Check, ...]
    remarks: tuple[str, ...] = ()
    testable: bool = True

    @property
    def verdict(self) -> str:
        """`holds`, `partly`, `does not hold` or `not testable`."""
        if not self.testable:
            return NOT_TESTED
        passed = sum(check.passes for check in self.checks)
        if not passed:
            return FAILS
        return HOLDS if passed == len(self.checks) else PARTLY


@dataclass
class ResultTables:
    """All rows of the tables."""

    onsets: list[ScoredRow] = field(default_factory=list)
    similarities: list[ScoredRow] = field(default_factory=list)
    probes: list[ProbeResult] = field(default_factory=list)

    def difference(self, first: Result, second: Result) -> Interval:
        """The paired difference of two results, first minus second."""
        one, other = (jackknife(own.statistic, range(first.count)) for own in (first, second))
        return interval_of(one - other)

    def check(self, first: Result, second: Result, subject: str = "") -> Check:
        """The check that the first result is above the second."""
        text = f"{subject}{row_label(first)} - {row_label(second)}"
        return Check(text, self.difference(first, second))


def select(results: Iterable[R], **where: Any) -> list[R]:
    """The rows with these values."""
    return [one for one in results if all(one.row[name] == v for name, v in where.items())]


def best(results: Iterable[R], **where: Any) -> R | None:
    """The best row on validation among the rows with these values; the first of ties."""
    found = select(results, **where)
    return max(found, key=lambda one: nan_is_worst(one.row["validation"]), default=None)


def best_of_each(results: Sequence[R], **choices: Iterable[Any]) -> list[R]:
    """The best row on validation for each combination of values that has a row."""
    found = (
        best(results, **dict(zip(choices, values, strict=True)))
        for values in product(*choices.values())
    )
    return [one for one in found if one]


def values_of(results: Iterable[Result], column: str) -> list[Any]:
    """The different values of a column, in the order of the rows."""
    return list(dict.fromkeys(one.row[column] for one in results))


def row_label(result: Result) -> str:
    """Model, layer, head and seed of a row: `trained layer 7`, `random layer 2 (seed 1)`."""
    row = result.row
    layer = f" layer {row['layer']}" if row["layer"] and row["layer"] != row["model"] else ""
    head = f" head {row['head']}" if row.get("head") else ""
    seed = f" (seed {row['seed']})" if row["model"] == RANDOM else ""
    return f"{row['model']}{layer}{head}{seed}"


def format_value(result: Result) -> str:
    """The value of a row with its interval."""
    return str(Interval(*(result.row[name] for name in Interval._fields)))


def _described(results: Iterable[Result]) -> str:
    return ", ".join(f"{row_label(one)} {format_value(one)}" for one in results)


def _probed(
    tables: ResultTables, tasks: Sequence[str], controls: Sequence[str], note: str, **where: str
) -> tuple[list[Check], list[str]]:
    """Checks and remarks: the trained model above each control in each task."""
    checks, remarks = [], []
    for task, model in product(tasks, controls):
        mine, other = (best(tables.probes, task=task, model=m, **where) for m in (TRAINED, model))
        if mine and other:
            checks.append(tables.check(mine, other, f"{task}: "))
            remarks.append(f"{task} ({mine.row['metric']}){note}: {_described([mine, other])}")
    return checks, remarks


def sequence_tokens(tables: ResultTables) -> Claim:
    """Claim 1: sequence tokens become useful."""
    note = " from the mean of the sequence tokens"
    checks, remarks = _probed(tables, GLOBAL, [RANDOM], note, source=SEQUENCE)
    return Claim(
        "NT-Xent acts only on the class token, but the sequence tokens become useful.",
        "linear probes on the mean of the sequence tokens: trained above random weights, in every "
        "global task",
        tuple(checks),
        tuple(remarks),
        bool(checks),
    )


def mean_of_both(tables: ResultTables) -> Claim:
    """Claim 2: the mean of all tokens is better than the class token."""
    checks, remarks = [], []
    for task in GLOBAL:
        rows = best_of_each(tables.probes, task=[task], model=[TRAINED], source=SOURCES)
        by_source = {one.row["source"]: one for one in rows}
        if {"both", "class"} <= by_source.keys():
            both, alone = by_source["both"], by_source["class"]
            text = f"{task}: both, {row_label(both)} - class, {row_label(alone)}"
            checks.append(Check(text, tables.difference(both, alone)))
            values = ", ".join(
                f"{source} {format_value(one)} at layer {one.row['layer']}"
                for source, one in by_source.items()
            )
            remarks.append(f"{task} ({both.row['metric']}): {values}")
    return Claim(
        "Global tasks: the mean of class and sequence tokens over time is better than the class "
        "token.",
        "linear probes on the mean of all tokens (`both`) above those on the class token, each at "
        "the layer with the best validation score, in every global task",
        tuple(checks),
        tuple(remarks),
        bool(checks),
    )


def local_tasks(tables: ResultTables) -> Claim:
    """Claim 3: single tokens solve local tasks."""
    checks, remarks = _probed(tables, LOCAL, [RANDOM, PLAIN], "")
    return Claim(
        "Local tasks (chord, beat): linear probes on single sequence tokens do unexpectedly well.",
        "linear probes on single tokens: trained above random weights, and above the log-mel "
        "frames that the model reads, in every local task",
        tuple(checks),
        tuple(remarks),
        bool(checks),
    )


def attention_onsets(tables: ResultTables) -> Claim:
    """Claim 4: attention shows onsets."""
    mine, flux = (best(tables.onsets, model=model) for model in (TRAINED, "flux"))
    checks, remarks = [], []
    if mine and flux:
        remarks.append(f"{row_label(mine)}, reading `{mine.row['reading']}`: {format_value(mine)}")
        for other in best_of_each(tables.onsets, model=[*CHANCE_KINDS, RANDOM]):
            checks.append(tables.check(mine, other))
            how = f", {other.row['reading']}" if other.row["model"] in CHANCE_KINDS else ""
            remarks.append(f"{row_label(other)}{how}: {format_value(other)}")
        gain = tables.difference(mine, flux)
        remarks.append(f"spectral flux: {format_value(flux)}; attention minus flux: {gain}")
    return Claim(
        "Attention maps of single layers show note onsets, without training for onsets.",
        "F-measure of onsets detected in the attention of the head with the best validation score: "
        "above chance onsets with the known number of onsets, and above random weights",
        tuple(checks),
        tuple(remarks),
        mine is not None,
    )


def layers_differ(tables: ResultTables) -> Claim:
    """Claim 5: layers show different musical dimensions."""
    rows = select(tables.similarities, source=SEQUENCE)
    relations = values_of(rows, "relation")
    checks = _crossing_checks(tables, select(rows, model=TRAINED))
    remarks = [
        f"{relation}: {_described(best_of_each(rows, relation=[relation], model=MODELS))}"
        for relation in relations
    ]
    untrained = select(rows, model=RANDOM)
    by_seed = [
        _crossing_checks(tables, select(untrained, seed=seed))
        for seed in values_of(untrained, "seed")
    ]
    crossed = sum(bool(own) and all(one.passes for one in own) for own in by_seed)
    count = f"{crossed} of {len(by_seed)}"
    remarks.append(f"random weights pass the same two checks with {count} seeds")
    return Claim(
        "Self-similarity matrices of the tokens show different musical dimensions at different "
        "layers.",
        "two relations A and B with best layers a and b: the ROC-AUC of A is higher at a than at "
        "b, and that of B higher at b than at a; the pair with the largest crossing on validation",
        tuple(checks),
        tuple(remarks),
        len(relations) > 1,
    )


def _crossing_checks(tables: ResultTables, rows: Sequence[ScoredRow]) -> list[Check]:
    pairs = find_crossing(rows) or ()
    return [tables.check(*pair, f"{pair[0].row['relation']}: ") for pair in pairs]


def find_crossing(rows: Sequence[ScoredRow]) -> list[tuple[ScoredRow, ScoredRow]] | None:
    """The two relations with the largest crossing between their best layers, on validation.

    Args:
        rows: rows of one model and one pooling.

    Returns:
        For each of the two relations, its row at its own best layer and its row at the best layer
        of the other. None if one layer is best for all relations whose validation ROC-AUC is above
        0.5.
    """
    tops = best_of_each(rows, relation=values_of(rows, "relation"))
    found = [top for top in tops if top.row["validation"] > 0.5]
    widest, pair = 0.0, None
    for first, second in combinations(found, 2):
        crossed = []
        for own, other in ((first, second), (second, first)):
            elsewhere = best(rows, relation=own.row["relation"], layer=other.row["layer"])
            assert elsewhere is not None
            crossed.append((own, elsewhere))
        gain = min(own.row["validation"] - away.row["validation"] for own, away in crossed)
        if gain > widest:
            widest, pair = gain, crossed
    return pair


def evaluate_claims(tables: ResultTables) -> list[Claim]:
    """Evaluate the five claims, in the order of the summary in the paper."""
    claims = (sequence_tokens, mean_of_both, local_tasks, attention_onsets, layers_differ)
    return [claim(tables) for claim in claims]
