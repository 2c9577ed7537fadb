"""What every reader of a user's own files keeps to, whatever the files hold."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from hypothesis import Phase, settings
from hypothesis import strategies as st

from mirprobe.core.errors import MirprobeError

T = TypeVar("T")

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.dates(), st.text(max_size=8)
)
"""The plain values of YAML."""


def examples(count: int) -> settings:
    """So many examples, the same each time; `EXAMPLES=20` tries 20 times as many others."""
    times = int(os.environ.get("EXAMPLES", "0"))
    return settings(
        max_examples=count * max(1, times),
        deadline=None,
        derandomize=not times,
        database=None,
        phases=[Phase.explicit, Phase.generate],  # a case with files is slow to shrink
    )


def read_or_refused(action: Callable[[], T], *named: str) -> T | str:
    """What an action returns, or the one line with which it refuses; any other error goes on.

    Args:
        action: reads something.
        named: of which the line must have one, such as the name of the file.
    """
    try:
        return action()
    except MirprobeError as error:
        line = str(error)
        assert line
        assert "\n" not in line
        assert not named or any(name in line for name in named), line
        return line
