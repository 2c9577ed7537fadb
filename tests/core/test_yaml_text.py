"""YAML of users builds plain values alone."""

from __future__ import annotations

import ast

import pytest
import yaml
from helpers.paths import ROOT

from mirprobe.core import yaml_text
from mirprobe.core.yaml_text import load_yaml

TAGS = ("object/apply:os.getcwd []", "name:os.system", "module:os", "object/new:str [a]")


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_of_python_builds_no_object(tag: str) -> None:
    with pytest.raises(ValueError, match="could not determine a constructor for the tag"):
        load_yaml(f"!!python/{tag}")
    assert load_yaml(f"!!python/{tag}", typed=False) in ("", [], ["a"])


def test_the_loaders_are_safe() -> None:
    # BaseLoader builds text, lists and mappings, whatever the tag
    assert issubclass(yaml_text._Typed, yaml.SafeLoader)
    assert issubclass(yaml_text._Text, yaml.BaseLoader)
    for base in (yaml.FullLoader, yaml.UnsafeLoader):
        assert not issubclass(yaml_text._Typed, base)
        assert not issubclass(yaml_text._Text, base)


def test_no_other_module_chooses_a_loader() -> None:
    unsafe = {"load", "load_all", "full_load", "full_load_all", "unsafe_load", "unsafe_load_all"}
    for folder in ("benchmark", "tasks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    used = node.value.id == "yaml" and node.attr in unsafe
                    assert not used or path.name == "yaml_text.py", path
