"""Plug-ins named by their file: found, never confused, and each fault in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from helpers.tones import Tones
from helpers.workbench import QUICK, Workbench

from mirprobe.api import from_file
from mirprobe.api.registry import DATASETS, TASKS
from mirprobe.api.specs import is_file_spec
from mirprobe.core.errors import ConfigError
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
def _tidy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(from_file, "_neighbours", {})
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.startswith(("mirprobe_file_", "gains_", "parts_", "deep_")):
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


def gained(folder: Path, neighbour: str, code: str = "from {} import GAIN\n") -> str:
    """A file that takes its gain from a neighbour; returns the encoder's specification."""
    write(folder / "own.py", code.format(neighbour) + dedent(ENCODER))
    return f"{folder}/own.py:Level"


def test_neighbours_and_their_neighbours_are_imported(tmp_path: Path) -> None:
    write(tmp_path / "gains_a.py", "from parts_a.deep import GAIN\n")
    write(tmp_path / "parts_a/deep.py", "GAIN = 4\n")
    spec = gained(tmp_path, "gains_a")
    assert [vars(make_encoder(spec))["gain"] for _ in range(2)] == [4, 4]
    assert sys.path[0] == str(tmp_path)
    assert sys.path.count(str(tmp_path)) == 1
    assert "own" not in sys.modules


def test_a_neighbour_may_be_imported_when_the_encoder_is_called(tmp_path: Path) -> None:
    write(tmp_path / "gains_late.py", "GAIN = 6\n")
    late = "    from gains_late import GAIN\n    return GAIN\n\n\nGAIN = 1\n"
    spec = gained(tmp_path, "", f"def late():\n{late}")
    assert sys.modules[type(make_encoder(spec)).__module__].late() == 6


def test_the_same_name_beside_two_files_is_refused(tmp_path: Path) -> None:
    specs = []
    for gain in (1, 2):
        write(tmp_path / f"version{gain}/gains_b.py", "from deep_b import GAIN\n")
        write(tmp_path / f"version{gain}/deep_b.py", f"GAIN = {gain}\n")
        specs.append(gained(tmp_path / f"version{gain}", "gains_b"))
    assert vars(make_encoder(specs[0]))["gain"] == 1
    path = list(sys.path)
    with pytest.raises(ConfigError) as caught:
        make_encoder(specs[1])
    assert str(caught.value) == (
        f"encoder file '{tmp_path}/version2/own.py' imports 'gains_b' from beside it, but a module "
        f"'gains_b' of {tmp_path}/version1/gains_b.py is loaded; rename one"
    )
    assert sys.path == path
    assert vars(make_encoder(specs[0]))["gain"] == 1


def test_a_neighbour_of_a_neighbour_is_refused_too(tmp_path: Path) -> None:
    write(tmp_path / "one/deep_c.py", "GAIN = 1\n")
    make_encoder(gained(tmp_path / "one", "deep_c"))
    write(tmp_path / "two/deep_c.py", "GAIN = 2\n")
    write(tmp_path / "two/gains_c.py", "from deep_c import GAIN\n")
    with pytest.raises(ConfigError, match=r"imports 'deep_c' from beside it, but a module"):
        make_encoder(gained(tmp_path / "two", "gains_c"))


def test_folders_without_init_are_refused_when_their_modules_are_loaded(tmp_path: Path) -> None:
    for gain in (1, 2):
        write(tmp_path / f"{gain}/parts_d/deep.py", f"GAIN = {gain}\n")
    assert vars(make_encoder(gained(tmp_path / "1", "parts_d.deep")))["gain"] == 1
    with pytest.raises(ConfigError, match=r"a module 'parts_d' of .*1/parts_d/deep\.py is loaded"):
        make_encoder(gained(tmp_path / "2", "parts_d.deep"))


@pytest.mark.parametrize("code", ["", "def late():\n    import gains_e\n\n\n"])
def test_an_import_that_waits_for_a_call_does_not_find_another_file(
    tmp_path: Path, code: str
) -> None:
    late = "def late():\n    import gains_e\n\n\nGAIN = 1\n"
    for gain in (1, 2):
        write(tmp_path / f"{gain}/gains_e.py", f"GAIN = {gain}\n")
    make_encoder(gained(tmp_path / "1", "", late))
    with pytest.raises(ConfigError, match=r"has 'gains_e' beside it, but another file imports"):
        make_encoder(gained(tmp_path / "2", "", f"{code}GAIN = 1\n"))


def test_a_neighbour_named_as_a_loaded_module_is_refused(tmp_path: Path) -> None:
    import xml.sax as loaded

    write(tmp_path / "xml.py", "GAIN = 5\n")
    with pytest.raises(ConfigError, match=r"imports 'xml' from beside it, but a module 'xml' of "):
        make_encoder(gained(tmp_path, "xml"))
    write(tmp_path / "time.py", "GAIN = 5\n")
    with pytest.raises(ConfigError, match=r"a module 'time' of Python itself is loaded; rename"):
        make_encoder(gained(tmp_path, "time"))
    assert sys.modules["xml.sax"] is loaded


def test_a_file_beside_others_that_it_does_not_import_is_no_clash(tmp_path: Path) -> None:
    write(tmp_path / "xml.py", "GAIN = 5\n")
    assert vars(make_encoder(gained(tmp_path, "", "GAIN = 3\n")))["gain"] == 3


def test_a_folder_on_the_path_is_moved_to_its_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "gains_on_path.py", "GAIN = 3\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert vars(make_encoder(gained(tmp_path, "gains_on_path")))["gain"] == 3
    assert sys.path[0] == str(tmp_path)
    assert str(tmp_path) not in sys.path[1:]


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
            "encoder 'FILE:Level:size=2' cannot be built (it has no option "
            "'size', only gain); check its options",
        ),
    ],
)
def test_what_a_specification_gets_wrong(file: Path, suffix: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_encoder(f"{file}{suffix}")
    assert str(caught.value) == message.replace("FILE", str(file))


def test_an_option_near_to_one_that_there_is(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"no option 'gian', only gain; nearest: 'gain'\); check"):
        make_encoder(f"{file}:Level:gian=2")


@pytest.mark.parametrize(("registry", "given"), [(TASKS, "dataset"), (DATASETS, "root")])
def test_a_class_without_a_constructor(registry: Any, given: str, tmp_path: Path) -> None:
    (tmp_path / "bare.py").write_text("class Bare:\n    pass\n")
    arguments: Any = ((), {"root": tmp_path}) if given == "root" else ((None,), {})
    with pytest.raises(ConfigError, match=rf"add __init__\(self, {given}\) to the"):
        registry.create(f"{tmp_path}/bare.py:Bare", *arguments[0], **arguments[1])


def test_an_error_has_the_deepest_line_of_the_file(tmp_path: Path) -> None:
    code = "import json\nclass Odd:\n    def __init__(self):\n        json.loads('{')\n"
    (tmp_path / "odd.py").write_text(code)
    with pytest.raises(ConfigError, match=r"\(JSONDecodeError: .* at odd\.py line 4\); check"):
        make_encoder(f"{tmp_path}/odd.py:Odd")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^encoder file '.*none\.py': no such file; check the"):
        make_encoder(f"{tmp_path}/none.py:Level")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("x = 1\nimport no_such_library\n", "line 2: ModuleNotFoundError: No module named 'no_suc"),
        ("x = 1\n\ndef f(:\n", "line 3: SyntaxError: invalid syntax"),
        ("raise ValueError('two\\nlines')\n", "line 1: ValueError: two lines; fix it"),
        ("import sys\nsys.exit('usage')\n", "line 2: SystemExit: usage; fix it"),
        ("import torch\ntorch.zeros(-1)\n", "line 2: RuntimeError: zeros: Dimension size must"),
        ("import beside\n", "line 1 of beside.py: ZeroDivisionError: division by zero; fix it"),
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


@pytest.mark.parametrize("path", ["x" * 300, "~nobody-of-this-name/own", "a\0"])
def test_a_path_that_cannot_be_is_named(path: str) -> None:
    with pytest.raises(ConfigError, match="no such file; check the path"):
        make_encoder(f"{path}.py:Own")
