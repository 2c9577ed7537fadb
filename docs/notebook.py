# %% [markdown]
# # A finished run in a notebook
#
# This page is a notebook in the percent format: Jupyter with jupytext, VS Code and PyCharm open it.
# It reads a finished run, shows its scores, draws the chords of one track beside the reference, and
# computes metrics again. The folder of a run is all that it needs: neither audio nor the data set.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import mirprobe

RUN = os.environ.get("MIRPROBE_RUN", "results/my-run")  # the folder that `mirprobe run` names
run = mirprobe.open_run(RUN)
run

# %% [markdown]
# ## Scores
#
# `run.scores` is `scores.csv`: one row for each metric of each probe. `selected` marks the layer,
# pooling and decoding that the validation split chose.

# %%
chosen = run.scores[run.scores["selected"] & run.scores["main"]]
chosen[["encoder", "task", "layer", "source", "metric", "value", "low", "high", "n"]].round(3)

# %% [markdown]
# ## One track
#
# `run.per_track` gives a metric of each track alone. The track with the median score is drawn here.

# %%
encoder = run.encoders[0]
scores = run.per_track("majmin", "chord")
own = scores[scores["encoder"] == encoder].sort_values("value", ignore_index=True)
track = own["track"][len(own) // 2]

# %%
from mirprobe.metrics.chord import LABELS, chord_class

lines = {
    "reference": run.references("chord")[track].chords,
    encoder: run.predictions(encoder, "chord")[track].chords,
}
figure, axes = plt.subplots(figsize=(8, 1.8), layout="constrained")
colours = plt.get_cmap("hsv")
for row, chords in enumerate(lines.values()):
    for (start, stop), label in zip(chords.intervals, chords.labels, strict=True):
        number = chord_class(label)
        fifth = (number % 12) * 7 % 12 / 12  # neighbours on the circle of fifths have close colours
        colour = "lightgrey" if LABELS[number] == "N" or number < 0 else colours(fifth)
        axes.barh(row, stop - start, left=start, color=colour, edgecolor="white", alpha=0.6)
        axes.text((start + stop) / 2, row, label, ha="center", va="center", size=7, clip_on=True)
axes.set(yticks=range(len(lines)), yticklabels=lines, xlabel="time (s)")
axes.invert_yaxis()
axes.set_title(f"chords of {track}: majmin {own['value'][len(own) // 2]:.2f}", loc="left")

# %% [markdown]
# ## A metric, computed again
#
# `run.rescore` computes every metric of a task from predictions and references. The values are
# those of `scores.csv`.

# %%
again = run.rescore("chord")
again.pivot(index="encoder", columns="metric", values="value").round(3)

# %%
stored = run.scores[run.scores["selected"] & (run.scores["task"] == "chord")]
means = stored.groupby(["encoder", "metric"])["value"].mean()
assert np.allclose(again.set_index(["encoder", "metric"])["value"].sort_index(), means.sort_index())

# %% [markdown]
# `run.statistics` gives metrics as functions of how often each track counts. A bootstrap needs
# this: 1,000 samples of tracks, and the percentiles of their scores beside the interval of the run.
# (`resample` takes counts. Indices of tracks must be counted first, as here.)

# %%
statistic = run.statistics(encoder, "chord")[0]["majmin"]
samples = np.random.default_rng(0).integers(0, statistic.n, (1000, statistic.n))
counts = np.stack([np.bincount(sample, minlength=statistic.n) for sample in samples])
low, high = np.percentile(statistic.resample(counts), [2.5, 97.5])
row = again[(again["encoder"] == encoder) & (again["metric"] == "majmin")].iloc[0]
ends = f"run {row.low:.3f} to {row.high:.3f}"
print(f"{statistic.value():.3f}: bootstrap {low:.3f} to {high:.3f}, {ends}")
