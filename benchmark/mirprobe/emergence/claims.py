"""The five claims of Kong et al. (ISMIR 2025) and the checks that decide about them.

A check is a paired difference on the test tracks. It passes if the 95 % bootstrap interval of the
difference lies above zero. A claim holds if all its checks pass, does not hold if none passes, and
holds partly otherwise. The layers, heads and seeds of random weights that a check compares are
chosen on the validation split; local tasks are probed with `probing.LOCAL_CONTROLS` seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol, TypeVar

from mirprobe.core.bootstrap import Statistic, resample
from mirprobe.emergence.intervals import Interval, interval_of
from mirprobe.emergence.models import RANDOM, TRAINED
from mirprobe.emergence.onset_scores import CHANCE_KINDS, OnsetResult
from mirprobe.emergence.probing import GLOBAL, LOCAL, PLAIN, ProbeResult
from mirprobe.emergence.similarity_scores import SEQUENCE, SimilarityResult
from mirprobe.probing.selection import nan_is_worst

HOLDS, PARTLY, FAILS, NOT_TESTED = "holds", "partly", "does not hold", "not testable"


class Result(Protocol):
    """What a check compares: a row of a table and its statistic over test tracks."""

    @property
    def row(self) -> Any: ...  # noqa: D102

    @property
    def statistic(self) -> Statistic: ...  # noqa: D102


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
    """All rows of the tables, and the seed of the bootstrap."""

    onsets: list[OnsetResult] = field(default_factory=list)
    similarities: list[SimilarityResult] = field(default_factory=list)
    probes: list[ProbeResult] = field(default_factory=list)
    seed: int = 0

    def check(self, text: str, first: Result, second: Result) -> Check:
        """The paired difference of two results, first minus second."""
        n = _count(first)
        one, other = (resample(result.statistic, n, self.seed) for result in (first, second))
        return Check(text, interval_of(one - other))


def _count(result: Result) -> int:
    """Number of tracks of a statistic, including tracks without a value."""
    if isinstance(result, ProbeResult):
        return len(result.references)
    assert isinstance(result, OnsetResult | SimilarityResult)
    return len(result.tracks)


def best(results: Iterable[R], **where: Any) -> R | None:
    """The best row on validation among the rows with these values; the first of ties."""
    found = [one for one in results if all(one.row[name] == value for name, value in where.items())]
    return max(found, key=lambda one: nan_is_worst(one.row["validation"]), default=None)


def row_label(result: Result) -> str:
    """Model, layer, head and seed of a row: `trained layer 7`, `random layer 2 (seed 1)`."""
    row = result.row
    layer = f" layer {row['layer']}" if row["layer"] and row["layer"] != row["model"] else ""
    head = f" head {row['head']}" if row.get("head") else ""
    seed = f" (seed {row['seed']})" if row["model"] == RANDOM else ""
    return f"{row['model']}{layer}{head}{seed}"


def format_value(result: Result) -> str:
    """The value of a row with its interval."""
    row = result.row
    return str(Interval(row["value"], row["low"], row["high"]))


def sequence_tokens(tables: ResultTables) -> Claim:
    """Claim 1: sequence tokens become useful."""
    checks, remarks = [], []
    for task in GLOBAL:
        mine = best(tables.probes, task=task, model=TRAINED, source=SEQUENCE)
        other = best(tables.probes, task=task, model=RANDOM, source=SEQUENCE)
        if mine and other:
            checks.append(
                tables.check(f"{task}: {row_label(mine)} - {row_label(other)}", mine, other)
            )
            remarks.append(
                f"{task} ({mine.row['metric']}) from the mean of the sequence tokens: "
                f"{row_label(mine)} {format_value(mine)}, {row_label(other)} {format_value(other)}"
            )
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
        rows = {
            source: best(tables.probes, task=task, model=TRAINED, source=source)
            for source in ("class", SEQUENCE, "both")
        }
        both, alone = rows["both"], rows["class"]
        if both and alone:
            text = f"{task}: both, {row_label(both)} - class, {row_label(alone)}"
            checks.append(tables.check(text, both, alone))
            values = ", ".join(
                f"{source} {format_value(row)} at layer {row.row['layer']}"
                for source, row in rows.items()
                if row
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
    checks, remarks = [], []
    for task in LOCAL:
        mine = best(tables.probes, task=task, model=TRAINED)
        for model in (RANDOM, PLAIN):
            other = best(tables.probes, task=task, model=model)
            if mine and other:
                text = f"{task}: {row_label(mine)} - {row_label(other)}"
                checks.append(tables.check(text, mine, other))
                remarks.append(
                    f"{task} ({mine.row['metric']}): {row_label(mine)} {format_value(mine)}, "
                    f"{row_label(other)} {format_value(other)}"
                )
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
    mine = best(tables.onsets, model=TRAINED)
    checks, remarks = [], []
    if mine:
        remarks.append(f"{row_label(mine)}, reading `{mine.row['reading']}`: {format_value(mine)}")
        for model in (*CHANCE_KINDS, RANDOM):
            other = best(tables.onsets, model=model)
            if other:
                checks.append(tables.check(f"{row_label(mine)} - {row_label(other)}", mine, other))
                how = f", {other.row['reading']}" if model in CHANCE_KINDS else ""
                remarks.append(f"{row_label(other)}{how}: {format_value(other)}")
        flux = best(tables.onsets, model="flux")
        assert flux is not None
        gain = tables.check("", mine, flux).gain
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
    rows = [one for one in tables.similarities if one.row["source"] == SEQUENCE]
    crossing = find_crossing([one for one in rows if one.row["model"] == TRAINED])
    checks = []
    if crossing:
        for own, elsewhere in crossing:
            text = f"{own.row['relation']}: {row_label(own)} - {row_label(elsewhere)}"
            checks.append(tables.check(text, own, elsewhere))
    remarks = []
    for relation in dict.fromkeys(one.row["relation"] for one in rows):
        parts = [best(rows, relation=relation, model=m) for m in (TRAINED, RANDOM, PLAIN, "chroma")]
        remarks.append(
            f"{relation}: "
            + ", ".join(f"{row_label(one)} {format_value(one)}" for one in parts if one)
        )
    seeds = sorted({one.row["seed"] for one in rows if one.row["model"] == RANDOM})
    crossed = sum(_crosses(tables, rows, seed) for seed in seeds)
    remarks.append(f"random weights pass the same two checks with {crossed} of {len(seeds)} seeds")
    return Claim(
        "Self-similarity matrices of the tokens show different musical dimensions at different "
        "layers.",
        "two relations A and B with best layers a and b: the ROC-AUC of A is higher at a than at "
        "b, and that of B higher at b than at a; the pair with the largest crossing on validation",
        tuple(checks),
        tuple(remarks),
        len({one.row["relation"] for one in rows}) > 1,
    )


def _crosses(tables: ResultTables, rows: Sequence[SimilarityResult], seed: int) -> bool:
    own = [one for one in rows if one.row["model"] == RANDOM and one.row["seed"] == seed]
    crossing = find_crossing(own)
    return bool(crossing) and all(tables.check("", *pair).passes for pair in crossing or ())


def find_crossing(
    rows: Sequence[SimilarityResult],
) -> list[tuple[SimilarityResult, SimilarityResult]] | None:
    """The two relations with the largest crossing between their best layers, on validation.

    Args:
        rows: rows of one model and one pooling.

    Returns:
        For each of the two relations, its row at its own best layer and its row at the best layer
        of the other. None if one layer is best for all relations whose validation ROC-AUC is above
        0.5.
    """
    tops = [
        best(rows, relation=name) for name in dict.fromkeys(one.row["relation"] for one in rows)
    ]
    found = [top for top in tops if top and top.row["validation"] > 0.5]
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


CLAIMS: tuple[Callable[[ResultTables], Claim], ...] = (
    sequence_tokens,
    mean_of_both,
    local_tasks,
    attention_onsets,
    layers_differ,
)


def evaluate_claims(tables: ResultTables) -> list[Claim]:
    """Evaluate the five claims, in the order of the summary in the paper."""
    return [claim(tables) for claim in CLAIMS]
