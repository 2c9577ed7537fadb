from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.paths import GOLDEN as GOLDEN_FOLDER
from helpers.pretrained_audio import arpeggio, needs

from mirprobe.core.errors import EncoderError
from mirprobe.encoders.pretrained.musicnn import MusiCnn
from mirprobe.encoders.pretrained.musicnn_model import from_variables
from mirprobe.encoders.pretrained.tensorflow_bundle import Variable, read_index, read_variables
from mirprobe.encoders.validation import frame_alignment as timing

GOLDEN = np.load(GOLDEN_FOLDER / "musicnn.npz")  # of musicnn in TensorFlow 2.21


@pytest.fixture(autouse=True)
def installed() -> None:
    needs("musicnn")


@pytest.mark.parametrize("model", ["MTT_musicnn", "MSD_musicnn"])
def test_golden(model: str) -> None:
    audio = arpeggio(16_000, 186 * 256, quiet=True)
    late = F.pad(audio, (96, 0))  # the 6 ms that frames are drawn forward
    sequence = MusiCnn(model=model)(late).sequence
    clip = MusiCnn(model=model, embedding="clip")(audio).class_token
    assert sequence is not None
    assert clip is not None
    frames = sequence[:, ::93, 0, ::6].numpy()
    for found, golden in ((frames, f"{model}_frames"), (clip[:, 0].numpy(), f"{model}_clip")):
        wanted = GOLDEN[golden]
        assert found.shape == wanted.shape
        assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_frames_stand_where_they_are_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SECONDS", 60.0)
    reaction = timing.measure(MusiCnn())
    assert reaction.localised
    assert abs(reaction.offset) < 0.5


def index() -> Path:
    return MusiCnn()._index


def test_the_index_of_a_checkpoint() -> None:
    variables = read_index(index())
    assert variables["conv2d_5/kernel"] == Variable(1, (7, 561, 1, 64), 0, 2_022_596, 1_005_312)
    assert variables["beta1_power"].shape == ()
    ends = {entry.offset: entry.offset + entry.size for entry in variables.values()}
    data = index().with_name(".data-00000-of-00001").stat().st_size
    assert [*sorted(ends)[1:], data] == [ends[start] for start in sorted(ends)]  # without gaps


def test_the_values_of_a_checkpoint() -> None:
    variables = read_index(index())
    data = index().with_name(".data-00000-of-00001")
    entry = variables["dense/bias"]
    values = read_variables(data, {"dense/bias": entry})["dense/bias"]
    wanted = np.frombuffer(data.read_bytes()[entry.offset :][: entry.size], "<f4")
    assert np.array_equal(values, wanted)


@pytest.mark.parametrize("kept", [0, 40, 1000, 4900])
def test_a_damaged_index(kept: int, tmp_path: Path) -> None:
    (tmp_path / "cut.index").write_bytes(index().read_bytes()[:kept])
    with pytest.raises(EncoderError, match=r"cannot read .*cut\.index: it is not the index"):
        read_index(tmp_path / "cut.index")
    (tmp_path / "bad.index").write_bytes(b"\xff" * kept + index().read_bytes()[-48:])
    with pytest.raises(EncoderError, match=r"cannot read .*bad\.index"):
        read_index(tmp_path / "bad.index")


def test_data_that_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(100))
    entry = Variable(1, (20,), 0, 60, 80)
    with pytest.raises(EncoderError, match=r"cannot read 'bias' in .*truncated or not float32"):
        read_variables(tmp_path / "data", {"bias": entry})
    with pytest.raises(EncoderError, match="not float32"):
        read_variables(tmp_path / "data", {"bias": Variable(9, (1,), 0, 0, 4)})


def test_a_checkpoint_of_another_network() -> None:
    with pytest.raises(KeyError, match="conv2d/kernel"):
        from_variables({})


def test_loud_music_stays_finite() -> None:
    # the package's float16 would be infinite here
    sequence = MusiCnn()(torch.ones(1, 5000).cumsum(1).mul(0.9).sin()).sequence
    assert sequence is not None
    assert sequence.isfinite().all()
