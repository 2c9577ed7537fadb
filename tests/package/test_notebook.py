"""The notebook in `docs/` runs as it stands, on a run of generated tones."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from helpers.paths import ROOT
from helpers.small_encoders import Bands
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.probing import probes


def test_the_notebook_runs(
    tones: Tones,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    folder = Workbench(tmp_path, tones).run(Bands(), tasks=("chord", "key")).folder.path
    monkeypatch.setenv("MIRPROBE_RUN", str(folder))
    with mpl.rc_context({"backend": "agg"}):
        found: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "notebook.py"))
    assert set(found["lines"]) == {"reference", "Bands"}
    assert len(found["axes"].patches) >= 6  # three chords of the reference, those of the encoder
    assert " bootstrap " in capsys.readouterr().out
    assert found["low"] <= found["statistic"].value() <= found["high"]
