"""Errors of plug-ins end in one line; an interruption stays one."""

from __future__ import annotations

import pytest

from mirprobe.core.errors import ConfigError, PluginError, plugin_errors
from mirprobe.evaluation.failures import noted


class PanicException(BaseException):
    """As pyo3 derives its own."""


@pytest.mark.parametrize(
    "error", [RuntimeError("two\nlines"), SystemExit(0), PanicException("index out of bounds")]
)
def test_whatever_a_plug_in_raises_names_it(error: BaseException) -> None:
    with pytest.raises(PluginError) as caught, plugin_errors("task 't' cannot be built", "mend it"):
        raise error
    said = " ".join(f"({type(error).__name__}: {error})".split())
    assert str(caught.value) == f"task 't' cannot be built {said}; mend it"
    failures: dict[str, str] = {}
    with noted(failures, "e x t", "encoder 'e'"):
        raise error
    assert failures == {"e x t": f"encoder 'e' raised {said[1:-1]}"}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ConfigError("as it is")])
def test_interruptions_and_own_errors_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, plugin_errors("task 't'", "mend it"):
        raise error
    assert caught.value is error


def test_an_interruption_is_not_noted() -> None:
    failures: dict[str, str] = {}
    with pytest.raises(KeyboardInterrupt), noted(failures, "e", "encoder 'e'"):
        raise KeyboardInterrupt
    assert not failures
