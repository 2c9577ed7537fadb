"""Encoders named by their file: found, kept apart, and each fault in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.core.errors import ConfigError
from mirprobe.encoders.from_file import is_file_spec
from mirprobe.encoders.specs import make_encoder
from mirprobe.evaluation.runner import run
from mirprobe.probing import probes

ENCODER = """
    import torch
    from mirprobe import Tokens, digest


    class Level:
        sample_rate, window, frame_rate = 16_000, None, 20.0
        layers, dim, sources = ("level",), 2, ("sequence",)

        def __init__(self, gain=GAIN):
            self.gain = gain
            self.fingerprint = digest("level", gain)

        def __call__(self, audio):
            padded = torch.nn.functional.pad(audio, (400, 400))
            level = padded.unfold(1, 800, 800).std(-1) * self.gain
            return Tokens(torch.stack([level, level.add(1e-3).log()], -1)[:, :, None])


    def loud():
        return Level(gain=9)


    SIZE = 7
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "own.py", ENCODER.replace("GAIN", "1"))


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("mirprobe_file_"):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("own.py:Level", True),
        ("a/b.c/own.py:Level:gain=2", True),
        ("own.py", True),
        ("logmel", False),
        ("vit1d:checkpoint=a.py:b", False),
        ("own.pyc:Level", False),
        ("py:a=1", False),
    ],
)
def test_what_is_a_file_and_what_a_name(spec: str, expected: bool) -> None:
    assert is_file_spec(spec) is expected


def test_a_class_with_and_without_options(file: Path) -> None:
    assert vars(make_encoder(f"{file}:Level"))["gain"] == 1
    assert vars(make_encoder(f"{file}:Level:"))["gain"] == 1
    assert vars(make_encoder(f"{file}:Level:gain=2.5"))["gain"] == 2.5
    assert vars(make_encoder(f"{file}:loud"))["gain"] == 9


def test_paths_may_be_relative(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent.parent)
    assert make_encoder(f"{file.parent.name}/own.py:Level").dim == 2
    monkeypatch.setenv("HOME", str(file.parent))
    assert make_encoder("~/own.py:Level").dim == 2


def test_an_edited_file_is_read_again(file: Path) -> None:
    first = make_encoder(f"{file}:Level")
    write(file, ENCODER.replace("GAIN", "30"))
    assert vars(make_encoder(f"{file}:Level"))["gain"] == 30
    assert vars(first)["gain"] == 1


def test_files_and_their_neighbours_do_not_clash(tmp_path: Path) -> None:
    path = list(sys.path)
    for gain in (1, 2):
        folder = tmp_path / f"version{gain}"
        write(folder / "gains.py", f"from parts.deep import GAIN as DEEP\nGAIN = {gain}\n")
        write(folder / "parts/deep.py", f"GAIN = {gain}\n")
        code = "from gains import DEEP, GAIN\nassert DEEP == GAIN\n" + dedent(ENCODER)
        write(folder / "own.py", code)
    encoders = [make_encoder(f"{tmp_path}/version{gain}/own.py:Level") for gain in (1, 2, 1)]
    assert [vars(encoder)["gain"] for encoder in encoders] == [1, 2, 1]
    assert len({type(encoder).__module__ for encoder in encoders}) == 2
    assert sys.path == path
    assert not {"gains", "parts", "parts.deep", "own"} & set(sys.modules)


def test_a_neighbour_wins_over_a_loaded_module_for_the_file_alone(tmp_path: Path) -> None:
    import xml.sax as loaded

    write(tmp_path / "xml.py", "GAIN = 5\n")
    write(tmp_path / "own.py", "from xml import GAIN\n" + dedent(ENCODER))
    assert vars(make_encoder(f"{tmp_path}/own.py:Level"))["gain"] == 5
    assert sys.modules["xml.sax"] is loaded


def test_a_folder_on_the_path_keeps_its_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "gains_on_path.py", "GAIN = 3\n")
    write(tmp_path / "own.py", "from gains_on_path import GAIN\n" + dedent(ENCODER))
    monkeypatch.syspath_prepend(str(tmp_path))
    assert vars(make_encoder(f"{tmp_path}/own.py:Level"))["gain"] == 3
    assert sys.modules.pop("gains_on_path").GAIN == 3
    assert str(tmp_path) in sys.path


@pytest.mark.parametrize(
    ("suffix", "message"),
    [
        ("", "encoder file 'FILE': say which class, as FILE:Class (it has Level, loud)"),
        (":", "encoder file 'FILE': say which class, as FILE:Class (it has Level, loud)"),
        (":Levle", "encoder file 'FILE' has no class 'Levle'; did you mean 'Level'?"),
        (":SIZE", "encoder file 'FILE' has no class 'SIZE'; known: Level, loud"),
        (":Level:2", "'FILE:Level:2': option '2' has no value; write FILE:Level:2=VALUE"),
        (
            ":Level:size=2",
            "encoder 'FILE:Level:size=2' cannot be built (TypeError: Level.__init__() got an "
            "unexpected keyword argument 'size'); check its options",
        ),
    ],
)
def test_what_a_specification_gets_wrong(file: Path, suffix: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_encoder(f"{file}{suffix}")
    assert str(caught.value) == message.replace("FILE", str(file))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^encoder file '.*none\.py': no such file; check the"):
        make_encoder(f"{tmp_path}/none.py:Level")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\nimport no_such_library\n", "line 2: ModuleNotFoundError: No module named 'no_suc"),
        ("x = 1\n\ndef f(:\n", "line 3: SyntaxError: invalid syntax"),
        ("raise ValueError('two\\nlines')\n", "line 1: ValueError: two lines; mend it"),
        ("import sys\nsys.exit('usage')\n", "line 2: SystemExit: usage; mend it"),
        ("import torch\ntorch.zeros(-1)\n", "line 2: RuntimeError: zeros: Dimension size must"),
        ("import beside\n", "line 1 of beside.py: ZeroDivisionError: division by zero; mend it"),
        ("from . import beside\n", "line 1: ImportError: attempted relative import"),
    ],
)
def test_a_file_that_fails_to_import(tmp_path: Path, code: str, reason: str) -> None:
    write(tmp_path / "beside.py", "1 / 0\n")
    path, modules = list(sys.path), set(sys.modules)
    file = write(tmp_path / "bad.py", code)
    with pytest.raises(ConfigError) as caught:
        make_encoder(f"{file}:Level")
    message = str(caught.value)
    assert message.startswith(f"encoder file '{file}' fails to import: {reason}")
    assert "\n" not in message
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if "bad" in name or "beside" in name}


def test_a_run_scores_files_of_one_class_name_beside_each_other(
    tones: Tones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(probes.PRESETS, "standard", QUICK)
    specs = []
    for gain in (1, 100):
        file = write(tmp_path / str(gain) / "own.py", ENCODER.replace("GAIN", str(gain)))
        specs.append(f"{file}:Level")
    bench = Workbench(tmp_path, tones)
    config = bench.config(*specs)
    result = run(config, dataset=tones)
    assert result.failures == {}
    assert list(dict.fromkeys(result.scores["encoder"])) == specs
    assert result.scores["fingerprint"].nunique() == 2
    assert len(list(result.folder.path.glob("predictions/*"))) == 2
    assert run(config, dataset=tones).computed == 0
