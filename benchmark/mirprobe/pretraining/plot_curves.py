"""The figure of `mirprobe pretrain curves`: loss and retrieval of trainings."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mirprobe.core.errors import StorageError
from mirprobe.core.plotting import BLUE, GREEN, GREY, ORANGE, new_figure, render, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = (BLUE, ORANGE, GREEN, "#7b4fa3", "#b0882b", "#c23b5a")
_CONTROLS = {"logmel": ("mean log-mel", "--"), "random": ("random weights", ":")}
_SHARE = 20  # the loss is smoothed over this fraction (1 / 20) of the rows


def read(run: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the logged losses and retrievals of a training.

    Raises:
        StorageError: the folder has no such logs, or they cannot be read.
    """
    try:
        return pd.read_csv(run / "training.csv"), pd.read_csv(run / "retrieval.csv")
    except (OSError, ValueError) as error:
        raise StorageError(f"{run}: no logs of a training that validated ({error})") from error


def draw(runs: Sequence[Path], ending: str) -> bytes:
    """Draw loss and retrieval against the step, with one line per training.

    Args:
        runs: output folders of `mirprobe pretrain fit`.
        ending: `.png` or `.svg`.

    Raises:
        StorageError: a folder has no logs.
    """
    logs = [(run.name, *read(run)) for run in runs]
    with style():
        figure = new_figure(9.0, 3.2)
        axes: Any = figure.subplots(1, 2)
        for (name, training, retrieval), colour in zip(logs, cycle(_COLOURS), strict=False):
            _loss(axes[0], name, training, colour)
            model = retrieval[retrieval["embedding"] == "model"]
            axes[1].plot(model["step"], model["mrr"], "o-", ms=3, lw=1.2, color=colour, label=name)
            _controls(axes[1], retrieval, colour)
        for name, dash in _CONTROLS.values():
            axes[1].plot([], [], lw=0.8, ls=dash, color=GREY, label=name)
        axes[0].set_title("NT-Xent of the training batches")
        axes[1].set_title("retrieval among held-out tracks: mean reciprocal rank")
        for panel in axes:
            panel.set_xlabel("step")
            panel.xaxis.get_major_locator().set_params(integer=True)
        axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
        return render(figure, ending)


def _loss(axes: Axes, name: str, training: pd.DataFrame, colour: str) -> None:
    loss = training["ntxent" if "ntxent" in training else "loss"]
    axes.plot(training["step"], loss, lw=0.4, alpha=0.4, color=colour)
    smooth = loss.rolling(max(1, len(loss) // _SHARE), min_periods=1, center=True).mean()
    marker = "o" if len(training) == 1 else None
    axes.plot(training["step"], smooth, marker=marker, ms=3, lw=1.4, color=colour, label=name)


def _controls(axes: Axes, retrieval: pd.DataFrame, colour: str) -> None:
    """Draw the results of mean log-mel frames and random weights."""
    for name, (_, dash) in _CONTROLS.items():
        for mrr in retrieval.loc[retrieval["embedding"] == name, "mrr"]:
            axes.axhline(mrr, color=colour, lw=0.8, ls=dash)
