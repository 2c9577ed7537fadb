"""SIGINT and SIGTERM as a request to stop, so that work in progress can be saved first."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopRequest:
    """A context in which the first SIGINT or SIGTERM only sets `signal`; a second one interrupts.

    Handlers are installed in the main thread only, since Python allows no others. A signal that the
    process ignores stays ignored.

    Attributes:
        signal: number of the signal that arrived; 0 if none did.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal:
            raise StoppedError("interrupted before the work was saved", number)
        self.signal = number


class StoppedError(KeyboardInterrupt):
    """A signal ended the work. The message is one line.

    Attributes:
        exit_status: 128 plus the number of the signal: 130 for SIGINT, 143 for SIGTERM.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_status = 128 + number
