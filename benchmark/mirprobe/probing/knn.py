"""Nearest neighbours by cosine: a reading of the embeddings without training.

The estimate of an example is the share of each label among its k nearest examples of the training
split (in a regression the mean of their targets). Inputs are not standardised. The loss on
validation chooses k for each variant. Of a larger training split `MOST` random examples are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mirprobe.core.schema import Loss
from mirprobe.probing.adamw import losses
from mirprobe.probing.batches import Examples
from mirprobe.probing.lbfgs import usable_rows
from mirprobe.probing.probes import Fit, KnnConfig, at_edge

MOST = 16_384
ROWS = 256  # examples whose neighbours are searched at once
_NEARER = 1e-4  # a vote counts this much less than that of the next nearer neighbour: breaks ties


@dataclass(eq=False)
class Neighbours:
    """The examples among which neighbours are searched, of every variant.

    Attributes:
        examples: (variants, n, dim), of unit length.
        targets: (n, labels), one-hot for classes.
        prior: (labels,) mean of the targets.
        loss: of the task.
        fits: of each variant, one each; with k.
    """

    examples: Tensor
    targets: Tensor
    prior: Tensor
    loss: Loss
    fits: list[list[Fit]]

    @property
    def shape(self) -> tuple[int, int]:
        """(variants, 1)."""
        return len(self.examples), 1

    def outputs(self, x: Tensor) -> Tensor:
        """(n, variants, dim) to logits or estimates, (variants, n, 1, labels)."""
        return torch.stack(
            [
                self.votes(variant, x[:, variant], (fit.neighbours,))
                for variant, [fit] in enumerate(self.fits)
            ]
        )

    def votes(self, variant: int, x: Tensor, counts: Sequence[int]) -> Tensor:
        """Outputs of one variant with several numbers of neighbours, (n, counts, labels).

        The prior counts as one neighbour of a classification, so that no logit is infinite.
        """
        most = min(counts[-1], self.targets.shape[0])
        places = torch.tensor([min(count, most) for count in counts])
        weight = 1 - _NEARER * torch.arange(most)
        if self.loss == "regression":
            weight = torch.ones(most)
        found = []
        for rows in torch.split(F.normalize(x, dim=1), ROWS):
            nearest = (rows @ self.examples[variant].T).topk(most, dim=1).indices
            votes = (self.targets[nearest] * weight[:, None]).cumsum(1)[:, places - 1]
            total = weight.cumsum(0)[places - 1, None]
            found.append(
                votes / total if self.loss == "regression" else (votes + self.prior) / (total + 1)
            )
        shares = torch.cat(found)
        if self.loss == "multiclass":
            return shares.clamp_min(1e-6).log()
        return shares.logit(1e-6) if self.loss == "multilabel" else shares


def train_knn(
    examples: Examples, valid: Examples, config: KnnConfig, *, loss: Loss, classes: int
) -> Neighbours:
    """Keep the examples of the training split, and choose k.

    Args:
        examples: of the training split.
        valid: of the validation split.
        config: the numbers of neighbours.
        loss: of the task.
        classes: number of outputs.

    Raises:
        ConfigError: no target of a split counts in the loss.
    """
    rows = usable_rows(examples, loss)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST])
    inputs, first = [], 0
    for x, y in examples.in_order():
        low, high = np.searchsorted(rows, [first, first + len(y)])
        inputs.append(x[torch.from_numpy(rows[low:high] - first)])
        first += len(y)
    kept = F.normalize(torch.cat(inputs).transpose(0, 1), dim=2).contiguous()
    known = torch.from_numpy(np.concatenate(list(examples.targets))[rows])
    targets = F.one_hot(known, classes).float() if loss == "multiclass" else known.float()
    found = Neighbours(kept, targets, targets.mean(0), loss, [])
    count = len(usable_rows(valid, loss))
    total = torch.zeros(len(kept), len(config.neighbours))
    for x, y in valid.in_order():
        for variant, own in enumerate(total):
            outputs = found.votes(variant, x[:, variant], config.neighbours)
            own += losses(outputs[None], y, loss)[0]
    for own in (total / count).tolist():
        best = int(np.argmin(own))
        k = config.neighbours[best]
        edge = at_edge(k, config.neighbours) and k > 1  # 1 is a bound and no end
        found.fits.append([Fit(float("nan"), own[best], 0, True, edge, neighbours=k)])
    return found
