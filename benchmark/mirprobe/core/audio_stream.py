"""Audio files that are read block after block."""

from __future__ import annotations

import soundfile


class ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file, or a pipe, that is read block after block as it would be in one go.

    soundfile seeks after every read of a seekable file, which starts an MP3 decoder anew, without
    the bytes of earlier frames that a frame may need: it then gives wrong samples for up to 0.5 s.
    """

    def seekable(self) -> bool:
        """Not after reads; `seek` itself works."""
        return False
