"""Suites and specifications with anything in them: read as written, or refused in one line."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.laws import SCALARS, examples, read_or_refused
from hypothesis import given
from hypothesis import strategies as st

from mirprobe.api.specs import parse_options, split_unquoted
from mirprobe.encoders.specs import arguments, make_encoder, split_pca
from mirprobe.evaluation.config import RunConfig
from mirprobe.evaluation.setup import make_dataset, make_encoders
from mirprobe.evaluation.suites import load_suite

VALUE = st.recursive(
    st.one_of(
        SCALARS,
        st.sampled_from(["logmel", "key", "studio", "thirds", "all", "paper", "s3://x", "~", "\0"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=5,
)
FIELDS = st.one_of(
    st.sampled_from([field.name for field in fields(RunConfig)]), st.text(max_size=5)
)
SUITE = st.one_of(
    st.dictionaries(FIELDS, VALUE, max_size=4),
    st.fixed_dictionaries(
        {"runs": st.one_of(VALUE, st.lists(st.dictionaries(FIELDS, VALUE, max_size=3), max_size=3))}
    ),
    VALUE,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("suites")


@examples(60)
@given(values=SUITE)
def test_a_suite_of_anything(values: Any, folder: Path) -> None:
    path = folder / "s.yaml"
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    read_or_refused(lambda: load_suite(str(path), {}), "s.yaml")


@examples(40)
@given(
    content=st.one_of(
        st.binary(max_size=40),
        st.text("{}[]:,-#&*!|>'\"%@`?<=~ \nab01.", max_size=40).map(str.encode),
        st.sampled_from(
            [b"limit: 2001-13-45", b"[" * 5000, b"limit: 0b_", b"limit: " + b"9" * 5000]
        ),
    )
)
def test_a_suite_of_any_text(content: bytes, folder: Path) -> None:
    path = folder / "t.yaml"
    path.write_bytes(content)
    read_or_refused(lambda: load_suite(str(path), {}), "t.yaml")


def test_a_field_that_is_given_twice(folder: Path) -> None:
    path = folder / "u.yaml"
    path.write_text("limit: 3\ntasks: [key]\nlimit: 4\n")
    refused = read_or_refused(lambda: load_suite(str(path), {}))
    assert refused == f"{path}: not readable as YAML: line 1: 'limit' is given twice"


QUOTED = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=12)


@examples(80)
@given(values=st.dictionaries(st.sampled_from(["a", "b_c", "D2"]), QUOTED), quote=st.booleans())
def test_a_quoted_option_is_read_as_it_was_written(values: dict[str, str], quote: bool) -> None:
    mark = '"' if quote else "'"
    text = ",".join(f"{name}={mark}{value}{mark}" for name, value in values.items())
    if any(mark in value or (quote and "\\" in value) for value in values.values()):
        read_or_refused(lambda: parse_options(text, text, "x"), text[:1])
        return
    assert parse_options(text, text, "x") == values


SPEC = st.one_of(
    st.text(max_size=20),
    st.text("ab:=,()'\"#[]{}\\ \n+1.py/->", max_size=24),
    st.lists(
        st.sampled_from(
            [
                *("concat(", "layers(", "pool(", "pca(", ")", ",", "logmel", "mfcc", "chroma"),
                *(":", "=", "n=", "1", "4", "'", '"', "vit1d-random", "seed=", "2001-13-45"),
                *("x.py", ":A", "0b_", "9" * 5000, "-1", "²"),
            ]
        ),
        max_size=8,
    ).map("".join),
)


@examples(80)
@given(spec=SPEC)
def test_a_specification_of_anything(spec: str, folder: Path) -> None:
    read_or_refused(lambda: parse_options(spec, spec, spec))
    read_or_refused(lambda: arguments(spec, spec))
    read_or_refused(lambda: split_pca(spec))
    assert ",".join(split_unquoted(spec, ",")) == spec
    read_or_refused(lambda: make_encoder(spec))
    config = {"cache_dir": folder, "data_home": folder}
    read_or_refused(lambda: make_encoders(RunConfig(encoders=(spec,))))
    read_or_refused(lambda: make_dataset(RunConfig(dataset=spec, **config)))  # type: ignore[arg-type]
