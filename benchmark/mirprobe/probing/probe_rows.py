"""The rows of trained probes: the choices of validation, fixed layers, shuffled labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import nan, prod
from typing import Any

import numpy as np
import torch

from mirprobe.core.schema import Annotations, Floats, Split
from mirprobe.probing.batches import Examples
from mirprobe.probing.logits import Logits, StoredLogits
from mirprobe.probing.probes import Fitted
from mirprobe.probing.scoring import Choice, Scorer
from mirprobe.probing.selection import best_on_validation, draw_groups, shares_of_choice
from mirprobe.probing.split_data import SplitData

Variant = tuple[str, str]
"""Layer and source."""


Inputs = Callable[[SplitData], Examples]
"""The examples of a split that probes read."""


@dataclass(frozen=True, eq=False)
class _Scored:
    """What validation chose for probes, by decoding, variant and seed, and their test logits."""

    probes: Fitted
    chosen: Mapping[tuple[str, int, int], Choice]
    test: Mapping[tuple[int, ...], StoredLogits]

    def of(self, decoding: str, variant: int) -> list[Choice]:
        """The choices for a decoding and a variant, one a seed."""
        return [self.chosen[decoding, variant, seed] for seed in range(self.probes.shape[1])]

    def best(self, candidates: Iterable[tuple[str, int]]) -> tuple[str, int]:
        """The decoding and the variant that are best on validation."""
        return best_on_validation(
            {one: [choice.validation for choice in self.of(*one)] for one in candidates}
        )


WEIGHTED = "weighted"
"""Name of the layer of probes that read a weighted sum of all layers."""


@dataclass(frozen=True, eq=False)
class Selected:
    """The probes of the layer, source and decoding that validation chose."""

    scored: _Scored
    chosen: tuple[str, int]
    variant: Variant


def fixed_variants(variants: Sequence[Variant]) -> dict[int, str]:
    """The variants at the first, middle and last probed layer, with one source.

    The source is the mean of the sequence; an encoder without it has its first source there.

    Returns:
        Index -> `first`, `middle` and `last`, separated by commas where they are one layer; empty
        for probes of all layers.
    """
    if variants[0][0] == WEIGHTED:
        return {}
    sources = [source for _, source in variants]
    source = "sequence" if "sequence" in sources else sources[0]
    layers = [index for index, own in enumerate(sources) if own == source]
    places = {"first": 0, "middle": (len(layers) - 1) // 2, "last": len(layers) - 1}
    names: dict[int, list[str]] = {}
    for name, place in places.items():
        names.setdefault(layers[place], []).append(name)
    return {index: ",".join(own) for index, own in names.items()}


def score_probes(
    scorer: Scorer,
    probes: Fitted,
    on_shuffled: Callable[[int], Fitted],
    variants: Sequence[Variant],
) -> Selected:
    """Score every variant, and probes on shuffled labels of the variant that validation chose.

    Args:
        scorer: of the cell.
        probes: trained ones.
        on_shuffled: trains the probes of a variant, with its weight decay and learning rate, on
            shuffled labels.
        variants: layer and source of each variant.

    Returns:
        The probes, and the decoding and variant that validation chose.
    """
    decodings, indices = scorer.task.decodings, range(len(variants))
    draws = draw_groups(scorer.valid.groups)
    found = _scored(scorer, probes, every_variant, decodings, draws)
    every = list(product(decodings, indices))
    selected = found.best(every)
    wins = shares_of_choice({one: [choice.resampled for choice in found.of(*one)] for one in every})
    fixed = {
        found.best((decoding, variant) for decoding in decodings): place
        for variant, place in fixed_variants(variants).items()
    }
    for one in every:
        marks = {"selected": one == selected, "fixed": fixed.get(one, ""), "wins": wins[one]}
        _add(scorer, "probe", found, one, variants[one[1]], **marks)
    winners: dict[int, list[str]] = {}
    for decoding in decodings:
        _, winner = found.best((decoding, variant) for variant in indices)
        winners.setdefault(winner, []).append(decoding)
    for winner, own in winners.items():
        control = _scored(scorer, on_shuffled(winner), only(winner), own)
        for decoding in own:
            _add(scorer, "shuffled", control, (decoding, 0), variants[winner])
    return Selected(found, selected, variants[selected[1]])


def score_perturbed(scorer: Scorer, selected: Selected, split: SplitData, text: str) -> None:
    """Score the selected probes on disturbed test tracks, and the change of the main metric.

    Args:
        scorer: of the cell.
        selected: the probes.
        split: the usable disturbed test tracks.
        text: the perturbation.
    """
    logits = _predict(scorer, split, selected.scored.probes, every_variant)
    found = replace(selected.scored, test=logits)
    own = replace(scorer, row={**scorer.row, "perturbation": text}, test=split)
    _add_disturbed(own, scorer, "perturbed", replace(selected, scored=found))


def score_retrained(
    scorer: Scorer,
    probes: Fitted,
    variants: Sequence[Variant],
    splits: Mapping[Split, SplitData],
    text: str,
) -> None:
    """Score probes that were trained on disturbed tracks, and the change of the main metric.

    Args:
        scorer: of the cell.
        probes: of every variant.
        variants: layer and source of each variant.
        splits: the usable disturbed tracks of every split; validation chooses among the probes.
        text: the perturbation.
    """
    row = {**scorer.row, "perturbation": text}
    own = replace(scorer, row=row, valid=splits["valid"], test=splits["test"])
    decodings = scorer.task.decodings
    found = _scored(own, probes, every_variant, decodings)
    chosen = found.best(product(decodings, range(len(variants))))
    _add_disturbed(own, scorer, "retrained", Selected(found, chosen, variants[chosen[1]]))


def _add_disturbed(own: Scorer, scorer: Scorer, kind: str, selected: Selected) -> None:
    """Add the rows of probes on disturbed test tracks, which `own` has."""
    found = selected.scored
    after = _add(own, kind, found, selected.chosen, selected.variant, stored=False)
    choices, before = found.of(*selected.chosen), scorer.cell.chosen()  # one a seed
    for seed, (choice, one) in enumerate(zip(choices, before, strict=True)):
        own.add_change(
            after[seed],
            scorer.test,
            one.tracks,
            choice,
            decoding=one.decoding,
            parameters=one.parameters,
            learning_rate=nan,
            kind=f"{kind}-change",
            layer=selected.variant[0],
            source=selected.variant[1],
            seed=scorer.seeds[seed],
            selected=False,
        )


def score_reduced(scorer: Scorer, probes: Fitted, inputs: Inputs, variant: Variant) -> None:
    """Score probes of principal components, with the decoding that validation chose for them.

    Args:
        scorer: of the cell.
        probes: of one variant.
        inputs: its principal components.
        variant: layer and source.
    """
    decodings = scorer.task.decodings
    found = _scored(scorer, probes, inputs, decodings)
    chosen = found.best((decoding, 0) for decoding in decodings)
    _add(scorer, "pca", found, chosen, variant, fixed="last")


def score_subset(
    scorer: Scorer,
    probes: Fitted,
    on_shuffled: Callable[[int], Fitted],
    variants: Sequence[Variant],
    *,
    control: bool,
) -> None:
    """Score the main metric of the probes of a subset that validation chose.

    Args:
        scorer: of the cell, with the validation tracks and the row of the subset.
        probes: of the subset.
        on_shuffled: as for `score_probes`.
        variants: layer and source of each variant.
        control: whether to score probes on shuffled labels too.
    """
    decodings = scorer.task.decodings
    found = _scored(scorer, probes, every_variant, decodings)
    decoding, variant = chosen = found.best(product(decodings, range(len(variants))))
    _add(scorer, "few", found, chosen, variants[variant], main_only=True)
    if control:
        shuffled = _scored(scorer, on_shuffled(variant), only(variant), [decoding])
        _add(scorer, "few-shuffled", shuffled, (decoding, 0), variants[variant], main_only=True)


def every_variant(split: SplitData) -> Examples:
    """The examples of a split with all variants."""
    return Examples(split.frames, split.targets, members=split.members)


def only(variant: int) -> Inputs:
    """The examples of a split with one variant."""
    return lambda split: every_variant(split).only(variant)


def _scored(
    scorer: Scorer,
    probes: Fitted,
    inputs: Inputs,
    decodings: Iterable[str],
    draws: Floats | None = None,
) -> _Scored:
    """Choose the parameters of each decoding, then compute the test logits."""
    valid = _predict(scorer, scorer.valid, probes, inputs)
    chosen = {
        (decoding, variant, seed): scorer.choose(logits, decoding, draws)
        for decoding in decodings
        for (variant, seed), logits in valid.items()
    }
    return _Scored(probes, chosen, _predict(scorer, scorer.test, probes, inputs))


def _predict(
    scorer: Scorer, split: SplitData, probes: Fitted, inputs: Inputs
) -> dict[tuple[int, ...], StoredLogits]:
    """Logits (regression: estimates) of each variant and seed."""

    def outputs() -> Iterator[Logits]:
        for x, _ in inputs(split).in_order():
            with torch.no_grad():
                found = probes.outputs(x)  # (variants, examples, seeds, labels)
            yield found.transpose(1, 2).flatten(0, 1).numpy()

    kept = scorer.keep(split, prod(probes.shape), outputs())
    return dict(zip(np.ndindex(probes.shape), kept, strict=True))


def _add(
    scorer: Scorer,
    kind: str,
    found: _Scored,
    chosen: tuple[str, int],
    variant: Variant,
    **marks: Any,
) -> list[list[Annotations]]:
    """Add the rows of a decoding and a variant, for each seed; returns the predictions."""
    decoding, index = chosen
    fits = found.probes.fits[index]
    return [
        scorer.add(
            found.test[index, seed],
            decoding,
            choice,
            kind=kind,
            layer=variant[0],
            source=variant[1],
            seed=scorer.seeds[seed],
            learning_rate=fits[seed].learning_rate,
            weight_decay=fits[seed].weight_decay,
            steps=fits[seed].steps,
            converged=fits[seed].converged,
            edge=("training",) * fits[seed].edge,
            setting=fits[seed].setting,
            **{"selected": False, **marks},
        )
        for seed, choice in enumerate(found.of(decoding, index))
    ]
