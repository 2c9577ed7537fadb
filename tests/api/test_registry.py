from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mirprobe.api.registry import DATASETS, ENCODERS, TASKS, Registry
from mirprobe.api.specs import nearest, parse_options
from mirprobe.core.errors import ConfigError, MirprobeError

GROUP = "mirprobe.things"


class Thing:
    def __init__(self, size: int = 1, **extra: Any) -> None:
        if size < 0:
            raise ConfigError(f"size is {size}; it must not be negative")
        if size == 0:
            raise ValueError("no size\nat all")
        self.size = size
        self.extra = extra


@pytest.fixture
def things() -> Registry[Thing]:
    return Registry("thing", GROUP)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on `sys.path` that packages can be installed into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def install(site: Path, package: str, points: str, code: str | None = None) -> None:
    """What pip would leave of a package whose entry points in `GROUP` are `points`."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
    if code is not None:
        (site / f"{package}.py").write_text(code)


def test_nearest_names_the_nearest_or_all() -> None:
    assert nearest("chroms", ["mfcc", "chroma"]) == "did you mean 'chroma'?"
    assert nearest("zzzz", ["mfcc", "chroma"]) == "known: chroma, mfcc"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("coefficients=13", {"coefficients": 13}),
        ("b=1.5,c=true,d=text,e=", {"b": 1.5, "c": True, "d": "text", "e": None}),
        (" b =2", {"b": 2}),
        ("path=/x=y:z", {"path": "/x=y:z"}),
    ],
)
def test_parse_options(text: str, options: dict[str, Any]) -> None:
    assert parse_options(text, f"a:{text}", "a") == options


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("13", "'mfcc:13': option '13' has no value; write mfcc:13=VALUE"),
        ("a=1,a=2", "'mfcc:a=1,a=2': option 'a' is given twice; keep one of them"),
        ("a=[", "'mfcc:a=[': '[' is not a YAML scalar; quote it"),
    ],
)
def test_parse_options_refuses(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options(text, f"mfcc:{text}", "mfcc")
    assert str(caught.value) == message


def test_what_was_registered_is_created(things: Registry[Thing]) -> None:
    assert things.names() == []
    assert things.register("small")(Thing) is Thing
    assert things.names() == ["small"]
    assert things.get("small") is Thing
    thing = things.create("small:size=3", colour="red")
    assert (thing.size, thing.extra) == (3, {"colour": "red"})
    assert things.create("small", 5).size == 5


def test_an_unknown_name_suggests_the_nearest(things: Registry[Thing]) -> None:
    things.register("small")(Thing)
    with pytest.raises(ConfigError, match=r"^unknown thing 'smal'; did you mean 'small'\?$"):
        things.get("smal")
    with pytest.raises(ConfigError, match=r"^unknown encoder 'chromaa'; did you mean 'chroma'\?$"):
        ENCODERS.create("chromaa:x=1")


def test_a_name_is_taken_once_but_a_class_may_be_defined_again(things: Registry[Thing]) -> None:
    things.register("small")(Thing)

    class Other(Thing):
        pass

    with pytest.raises(ConfigError, match="thing 'small' is registered already; choose another"):
        things.register("small")(Other)
    assert things.get("small") is Thing

    again = type("Thing", (), {"__module__": Thing.__module__, "__qualname__": "Thing"})
    things.register("small")(again)  # as when a notebook's cell runs twice
    assert things.get("small") is again


@pytest.mark.parametrize(
    ("registry", "name"), [(ENCODERS, "mfcc"), (TASKS, "key"), (DATASETS, "studio")]
)
def test_a_built_in_name_is_taken(registry: Registry[Any], name: str) -> None:
    assert name in registry.names()
    with pytest.raises(ConfigError, match=f"'{name}' is registered already"):
        registry.register(name)(Thing)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("small:colour=1,depth=2", None),
        ("small:size=-1", "size is -1; it must not be negative"),
        ("small:size=0", "thing 'small:size=0' cannot be built (ValueError: no size at all); "),
        ("strict:colour=1", "thing 'strict:colour=1' cannot be built (it has no option 'colour', "),
        (
            "needy",
            "thing 'needy' cannot be built (it lacks the option 'field'); write needy:field=NAME",
        ),
        (
            "needy:field=a",
            "thing 'needy:field=a' cannot be built (it lacks the option 'size'); write "
            "needy:field=a,size=VALUE",
        ),
        (
            "strict:a=1, b=c",
            "thing 'strict:a=1, b=c' cannot be built (it has no option 'a', it has none); check "
            "its options, and quote a value that holds a comma",
        ),
    ],
)
def test_options_that_a_factory_refuses(
    things: Registry[Any], spec: str, message: str | None
) -> None:
    class Strict:
        pass

    class Needy:
        def __init__(self, *, field: str, size: int) -> None: ...

    things.register("needy")(Needy)
    things.register("small")(Thing)
    things.register("strict")(Strict)
    if message is None:
        assert things.create(spec).extra == {"colour": 1, "depth": 2}
        return
    with pytest.raises(ConfigError) as caught:
        things.create(spec)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_plug_in_arrives_by_its_entry_point_alone(site: Path, things: Registry[Thing]) -> None:
    code = "class Big:\n    def __init__(self, size):\n        self.size = size\n"
    install(site, "thirdparty_big", "big = thirdparty_big:Big", code)
    assert things.names() == ["big"]
    assert "thirdparty_big" not in sys.modules  # listed, not imported
    assert things.create("big:size=7").size == 7
    with pytest.raises(ConfigError, match="thing 'big' is registered already"):
        things.register("big")(Thing)


def test_two_plug_ins_with_one_name_are_both_named(site: Path, things: Registry[Thing]) -> None:
    install(site, "thirdparty_one", "big = thirdparty_one:Big", "Big = dict\n")
    install(site, "thirdparty_two", "big = thirdparty_two:Huge", "Huge = dict\n")
    for ask in (things.names, lambda: things.get("big"), lambda: things.register("new")(Thing)):
        with pytest.raises(ConfigError) as caught:
            ask()
        message = str(caught.value)
        assert message.startswith("two plug-ins register the thing 'big': ")
        assert "thirdparty_one:Big of thirdparty_one" in message
        assert "thirdparty_two:Huge of thirdparty_two" in message
        assert message.endswith("; uninstall one of them")


@pytest.mark.parametrize(
    ("points", "code", "reason"),
    [
        ("bad = thirdparty_bad:X", "raise RuntimeError('no licence')", "no licence"),
        ("bad = thirdparty_bad:X", "import thirdparty_absent", "thirdparty_absent"),
        ("bad = thirdparty_bad:X", "def broken(:\n", "SyntaxError"),
        ("bad = thirdparty_bad:Y", "X = 1", "no attribute 'Y'"),
        ("bad = thirdparty_bad:X", None, "thirdparty_bad"),
    ],
)
def test_a_plug_in_that_fails_to_import_is_named(
    site: Path, things: Registry[Thing], points: str, code: str | None, reason: str
) -> None:
    install(site, "thirdparty_bad", points, code)
    things.register("good")(Thing)
    assert things.names() == ["bad", "good"]
    assert things.get("good") is Thing
    with pytest.raises(ConfigError) as caught:
        things.create("bad")
    message = str(caught.value)
    assert message.startswith("thing plug-in 'bad' (thirdparty_bad:")
    assert "of thirdparty_bad) fails to import" in message
    assert reason in message
    assert message.endswith("mend or uninstall it")
    assert "\n" not in message


def test_listing_names_imports_nothing_heavy() -> None:
    code = """
import sys
from mirprobe.api.registry import DATASETS, ENCODERS, TASKS
before = set(sys.modules)
assert {"logmel", "mfcc", "chroma", "vit1d-random"} <= set(ENCODERS.names())
assert {"tagging", "key", "chord", "beat"} <= set(TASKS.names())
assert "studio" in DATASETS.names()
new = set(sys.modules) - before
assert not [name for name in new if name.startswith("mirprobe")], new
heavy = {"librosa", "numba", "pretty_midi", "mir_eval", "sklearn", "mirprobe_tasks"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_error_is_one_line() -> None:
    assert str(MirprobeError("one\n   two\r\n\n three")) == "one two three"
    assert str(MirprobeError("a  b")) == "a  b"  # a path keeps its blanks


def test_a_factory_may_let_the_first_keys_be_left_out() -> None:
    class Positional:
        positional = ("model", "weights")

        def __init__(self, **options: Any) -> None:
            self.options = options

    registry: Registry[Positional] = Registry("thing", "mirprobe.nothing")
    registry.register("it")(Positional)
    for spec in ("it:a/b,w.pt,x=1", "it:model=a/b,weights=w.pt,x=1", "it:a/b,weights=w.pt,x=1"):
        assert registry.create(spec).options == {"model": "a/b", "weights": "w.pt", "x": 1}
    for spec, item in (("it:x=1,a/b", "a/b"), ("it:a,b,c", "c"), ("it:weights=w,b", "b")):
        with pytest.raises(ConfigError, match=f"option '{item}' has no value"):
            registry.create(spec)
    with pytest.raises(ConfigError, match="option 'model' is given twice"):
        registry.create("it:a,model=b")


def test_summaries_from_source_are_those_of_the_classes() -> None:
    for name in ENCODERS.names():
        entry: Any = ENCODERS.get(name)
        licence = getattr(getattr(entry, "info", None), "licence", "")
        first = entry.__doc__.strip().partition("\n")[0]
        assert ENCODERS.summary(name) == (f"{first} [{licence}]" if licence else first)


def test_encoders_are_listed_without_torch() -> None:
    code = "import sys; from mirprobe.api.registry import ENCODERS\n"
    code += "print(*map(ENCODERS.summary, ENCODERS.names())); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("registry", "spec", "hint"),
    [
        (DATASETS, "my.yaml", "did you mean 'folder:my.yaml'?"),
        (DATASETS, "labels.csv", "describe the table in a YAML file, and write folder:FILE.yaml"),
        (ENCODERS, "mycnn:MyCNN", "did you mean 'mycnn.py:MyCNN'?"),
        (ENCODERS, "mycnn:MyCNN:width=3", "did you mean 'mycnn.py:MyCNN:width=3'?"),
        (ENCODERS, "mfc", "did you mean 'mfcc'?"),
        (ENCODERS, "hear:MODULE:window=null", "write hear:MODULE,window=null"),
    ],
)
def test_what_was_meant_is_suggested(registry: Registry[Any], spec: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        registry.create(spec)
    assert str(raised.value).endswith(hint)
