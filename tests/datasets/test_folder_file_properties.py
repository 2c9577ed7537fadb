"""Annotation files with anything in them: read as written, or refused in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from helpers.folder_laws import LABEL, folder
from helpers.laws import examples
from hypothesis import given
from hypothesis import strategies as st

from mirprobe_tasks.datasets.folder.description import LOCAL
from mirprobe_tasks.datasets.folder.local import read_local

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


NAMESPACES = [
    *("chord", "chord_harte", "beat", "beat_position", "key_mode", "tempo", "onset"),
    *("mood_thayer", "segment_open", "segment_salami_upper", "tag_open", "tag_gtzan", "other"),
]


OBSERVATION = st.fixed_dictionaries(
    {},
    optional={
        "time": st.one_of(st.floats(0, 9), JSON),
        "duration": st.one_of(st.floats(0, 9), JSON),
        "value": st.one_of(st.sampled_from(["C:maj", 1, 2.0, "G:minor", [0.5, 1], 120]), JSON),
        "confidence": st.one_of(st.none(), st.floats(), JSON),
    },
)


@examples(150)
@given(
    annotations=st.lists(
        st.fixed_dictionaries(
            {"namespace": st.sampled_from(NAMESPACES), "data": st.lists(OBSERVATION, max_size=3)}
        ),
        max_size=3,
    ),
    chosen=st.dictionaries(
        st.sampled_from(["chords", "tags", "sections"]),
        st.tuples(st.sampled_from(NAMESPACES), st.integers(1, 3)),
        max_size=1,
    ),
)
def test_jams_of_anything(annotations: Any, chosen: Mapping[str, tuple[str, int]]) -> None:
    with folder() as here:
        (here / "a.jams").write_text(json.dumps({"annotations": annotations}))
        try:
            read = read_local("jams", here / "a.jams", chosen)
        except ValueError:
            return
        for value in read.values():
            assert "None" not in getattr(value, "labels", value if isinstance(value, dict) else ())


@examples(60)
@given(
    tags=st.lists(
        st.tuples(LABEL, st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))), max_size=4
    ),
    beats=st.lists(st.integers(0, 90), unique=True, min_size=1, max_size=6).map(sorted),
    copies=st.integers(1, 3),
)
def test_jams_are_read_as_they_were_written(
    tags: list[tuple[str, float | None]], beats: list[int], copies: int
) -> None:
    def data(rows: list[tuple[float, Any, float | None]]) -> list[dict[str, Any]]:
        return [
            {"time": time, "duration": 0.0, "value": value, "confidence": confidence}
            for time, value, confidence in rows
        ]

    listed = [
        {"namespace": "tag_open", "data": data([(0.0, tag, sure) for tag, sure in tags])},
        *copies
        * [
            {
                "namespace": "beat",
                "data": data([(t / 10, n % 4 + 1, 1) for n, t in enumerate(beats)]),
            }
        ],
    ]
    with folder() as here:
        (here / "a.jams").write_text(json.dumps({"annotations": listed}))
        read = read_local("jams", here / "a.jams")
    np.testing.assert_array_equal(read["beats"].times, np.array(beats) / 10)
    np.testing.assert_array_equal(read["beats"].positions, np.arange(len(beats)) % 4 + 1)
    applies = {tag for tag, sure in tags if sure is None or sure >= 0.5}
    assert set(read.get("tags", {})) == applies


LINE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *("0 1 C:maj", "1 2 N", "0\t1\tA", "0.5 1", "1.0 2", "nan 1 N", "0 inf N", "1e999 1"),
            *("0 1 G:major", f"3 {'9' * 30}", "3 " + "9" * 5000, "1_0 1_1 N", "# x", "", "-1"),
        ]
    ),
)


@examples(150)
@given(kind=st.sampled_from(LOCAL), lines=st.lists(LINE, max_size=4))
def test_annotation_files_of_anything(kind: str, lines: list[str]) -> None:
    with folder() as here:
        path = here / "a.lab"
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
        try:
            read = read_local(kind, path)
        except ValueError:
            return
        for value in read.values():
            times = getattr(value, "intervals", getattr(value, "times", None))
            assert times is None or np.isfinite(times).all()
