"""Errors of plug-ins, noted where others have work to go on with."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mirprobe.core.errors import MirprobeError, StorageError, described

log = logging.getLogger(__name__)


@contextmanager
def noted(
    failures: dict[str, str],
    name: str,
    plugin: str,
    beside: str = "",
    fatal: tuple[type[MirprobeError], ...] = (StorageError,),
) -> Iterator[None]:
    """Note an error in the block in `failures`, in one line, instead of raising it.

    Args:
        failures: gets `name` -> reason.
        name: of what fails.
        plugin: whose code runs in the block; begins the reason of an error that is not ours.
        beside: ends that reason.
        fatal: errors that are raised all the same, such as those of a full disk.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise
    except fatal:
        raise
    except MirprobeError as error:
        reason = str(error)
    except BaseException as error:  # as in `plugin_errors`
        log.debug("%s", plugin, exc_info=True)
        reason = f"{plugin} raised {described(error)}{beside}"
        if plugin.startswith("task "):
            reason += "; check it with `mirprobe validate-task`"
    else:
        return
    failures[name] = " ".join(reason.split())
