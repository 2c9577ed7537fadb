"""The public names: all of them shown, none imported before it is used."""

from __future__ import annotations

import subprocess
import sys

import mirprobe

NAMES = """
About Annotations Beats Dataset DatasetInfo Encoder EncoderInfo MirprobeError Run Segments
Statistic Task Tokens Track TrackError digest evaluate file_digest hear leaderboard load_dataset
open_run plot register_dataset register_encoder register_task weighted_mean
"""


def test_dir_shows_every_public_name() -> None:
    assert sorted(dir(mirprobe)) == NAMES.split()
    assert all(hasattr(mirprobe, name) for name in dir(mirprobe))
    assert not hasattr(mirprobe, "encoders_")


def test_names_are_imported_when_they_are_used() -> None:
    code = (
        "import sys, mirprobe; dir(mirprobe)\n"
        "assert not {'torch', 'numpy', 'pandas'} & set(sys.modules)\n"
        "from mirprobe import *\n"
        "assert issubclass(MirprobeError, Exception) and 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
