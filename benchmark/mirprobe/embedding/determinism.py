"""Whether an encoder gives at a run's end what it gave at its beginning for the same window.

An encoder whose weights change from call to call, or that drops units at random, would fill the
cache with embeddings that no second run could make again. One more call shows it: the run's first
window is encoded again after the last. To stay within 1 % of the cost this waits until a hundred
windows, and a hundred times the audio of the first one, have been encoded; `mirprobe
validate-encoder` asks the same of any encoder, and more strictly.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mirprobe.core.errors import ChangedEncoderError
from mirprobe.core.schema import Tokens
from mirprobe.encoders.encode import difference, select_row

SHARE = 100  # windows encoded for each that is encoded again
TOLERANCE = 0.05
"""Above what the size of the batch can do to half-precision arithmetic, below what dropout does."""


@dataclass
class RepeatCheck:
    """The first window that was encoded, and what came of it.

    Attributes:
        window: (1, samples).
        tokens: of that window.
        windows: encoded so far, or since the last second encoding.
        samples: of all these windows.
    """

    window: Tensor | None = None
    tokens: Tokens | None = None
    windows: int = 0
    samples: int = 0

    def see(self, windows: Tensor, tokens: Tokens) -> None:
        """Count a batch (batch, samples), and keep the first window of the first."""
        if self.window is None:
            self.window = windows[:1].clone()
            self.tokens = select_row(tokens, 0)
        self.windows += len(windows)
        self.samples += windows.numel()

    def due(self) -> Tensor | None:
        """The window to encode once more, where enough others have been encoded."""
        if self.window is None or self.windows < SHARE:
            return None
        return self.window if self.samples >= SHARE * self.window.numel() else None

    def confirm(self, again: Tokens) -> None:
        """Hold the second encoding of the window against the first, and begin to count anew.

        Raises:
            ChangedEncoderError: they differ.
        """
        assert self.tokens is not None
        apart = difference(self.tokens, again)
        if apart > TOLERANCE:
            raise ChangedEncoderError(
                f"gave two embeddings of the same window, {100 * apart:.0f} % apart, at the "
                f"beginning and the end of {self.windows} windows; put it into evaluation mode "
                "(dropout, batch norm) and keep its weights as they are (nothing of it was cached)"
            )
        self.windows = self.samples = 0
