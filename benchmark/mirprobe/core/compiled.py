"""Loops over arrays, compiled to machine code by numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a function of arrays and numbers when it is first called; it releases the GIL.

    The machine code is kept beside the source file or, where that folder cannot be written, in
    numba's cache folder of the user. Where neither can be written, each process compiles anew.
    numba is imported at the first call, since the import takes longer than the code that needs it.
    The function itself stays available as `__wrapped__`.
    """

    @cache
    def machine_code() -> Callable[..., Any]:
        from numba import njit

        try:
            return cast(Callable[..., Any], njit(function, cache=True, nogil=True))
        except RuntimeError as error:
            if "cannot cache function" not in str(error):
                raise
            return cast(Callable[..., Any], njit(function, nogil=True))

    @wraps(function)
    def call(*args: Any) -> Any:
        return machine_code()(*args)

    return cast(F, call)
