"""`make test-all`: the tests on several Pythons, with the lowest and the newest dependencies."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True


@nox.session(python="3.10")
def lowest(session: nox.Session) -> None:
    """All tests with the lowest version of each dependency."""
    _test(session, "--resolution=lowest-direct")


@nox.session(python=["3.10", "3.12", "3.13"])
def newest(session: nox.Session) -> None:
    """All tests with the newest version of each dependency."""
    _test(session)


def _test(session: nox.Session, *options: str) -> None:
    session.install(".[dev]", *options)
    session.install("--no-deps", "musicnn", "basic-pitch")
    session.run("pytest", *session.posargs)


@nox.session(python=["3.10", "3.13"])
def lean(session: nox.Session) -> None:
    """The package without extras, with the newest torch, which `models` does not admit yet."""
    session.install(".", "pytest", "hypothesis")
    session.run("pytest", "tests/core", "tests/metrics", "tests/probing", "tests/vit1d")
    folder = session.create_tmp()
    session.chdir(folder)
    session.run("mirprobe", "run", "--encoder", "mfcc", "--task", "key", "--limit", "12")
