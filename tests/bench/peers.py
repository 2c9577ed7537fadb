"""Probes of peers on the same clip vectors: `make bench-peers`. Prints a table.

Trains, on one core: all variants with our search over weight decays; the logistic regression of
scikit-learn with our chosen weight decay; and the probe of XARES (layer norm and one linear layer,
Adam, 10 epochs, batches of 32, best epoch of validation) by XARES's own trainer. Accuracy is that
on validation for all three.
"""

from __future__ import annotations

import contextlib
import io
import platform
import tempfile
import warnings
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np
import torch
from bench.probing import CLASSES, CLIPS, DIM, VARIANTS, accuracy, problem
from sklearn.linear_model import LogisticRegression

from mirprobe.core.parallel import torch_threads
from mirprobe.probing.lbfgs import train_lbfgs
from mirprobe.probing.probes import LbfgsConfig, probe_config

SAMPLE = 3  # variants on which the peers are measured
EPOCHS, BATCH, RATE = 10, 32, 1e-3  # XARES 0.1.3, task.py


def xares(x: np.ndarray, y: np.ndarray, check: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of the best epoch."""
    from xares.models.simple import Mlp
    from xares.trainer import Trainer

    def loader(vectors: np.ndarray, targets: np.ndarray, rng: np.random.Generator) -> list[Any]:
        order = rng.permutation(len(targets))
        return [
            (
                (torch.from_numpy(vectors[own])[..., None], torch.ones(len(own))),
                torch.from_numpy(targets[own]),
                None,
            )
            for own in np.split(order, range(BATCH, len(order), BATCH))
        ]

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Mlp(DIM, CLASSES), "cpu", ckpt_dir=folder, lr=RATE, max_epochs=EPOCHS)
        with contextlib.redirect_stderr(io.StringIO()):
            trainer.run(loader(x, y, rng), loader(check, labels, rng))
        (best,) = Path(folder).iterdir()
        trainer.model.load_state_dict(torch.load(best, weights_only=True))
    return float(trainer.run_inference(loader(check, labels, rng)))


def logistic(
    x: np.ndarray, y: np.ndarray, check: np.ndarray, labels: np.ndarray, decay: float
) -> float:
    """Accuracy of scikit-learn's logistic regression."""
    model = LogisticRegression(C=1 / (decay * len(y)), max_iter=5000).fit(x, y)
    return float(model.score(check, labels))


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore")
    with torch_threads(1):
        train, valid = problem(CLIPS, VARIANTS, CLASSES)
        config = probe_config("standard", "linear")
        assert isinstance(config, LbfgsConfig)
        begun = thread_time()
        probes = train_lbfgs(train, valid, config, loss="multiclass", classes=CLASSES)
        ours = (thread_time() - begun) / VARIANTS
        x, y = train.frames[0].read(), train.targets[0]
        check, labels = valid.frames[0].read(), valid.targets[0]
        with torch.no_grad():
            found = probes.logits(torch.from_numpy(check)).numpy()[:, :, 0]
        scores = {"mirprobe, with its search": [accuracy(own, labels) for own in found[:SAMPLE]]}
        times = {"mirprobe, with its search": ours}
        for variant in range(SAMPLE):
            mean, deviation = x[:, variant].mean(0), x[:, variant].std(0)
            scaled, heard = (
                (x[:, variant] - mean) / deviation,
                (check[:, variant] - mean) / deviation,
            )
            peers = {
                "scikit-learn, our weight decay": (probes.fits[variant][0].weight_decay,),
                "scikit-learn, search": config.weight_decays,
                "XARES": (),
            }
            for name, decays in peers.items():
                begun = thread_time()
                reached = [logistic(scaled, y, heard, labels, decay) for decay in decays]
                reached = reached or [xares(x[:, variant], y, check[:, variant], labels)]
                times[name] = times.get(name, 0) + (thread_time() - begun) / SAMPLE
                scores.setdefault(name, []).append(max(reached))
    print(f"{CLIPS} clips x {DIM}, {CLASSES} classes, one core of {platform.machine()}\n")
    print("| probe | CPU time a probe | accuracy |\n| --- | --- | --- |")
    for name, time in times.items():
        print(f"| {name} | {1e3 * time:.0f} ms | {np.mean(scores[name]):.3f} |")


if __name__ == "__main__":
    main()
