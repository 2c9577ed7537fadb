"""Mel spectrogram, MFCC and resampling: the only module that imports torchaudio.

torchaudio 2.11 is its last release; these parts of it are pure PyTorch. `VERSION` is part of the
fingerprints of encoders.
"""

from __future__ import annotations

from mirprobe.core.errors import ConfigError

try:
    from torchaudio import __version__ as VERSION
    from torchaudio.functional import resample
    from torchaudio.transforms import MFCC, MelSpectrogram
except (ImportError, OSError, RuntimeError) as error:  # missing, or built for another torch
    raise ConfigError(
        f"torchaudio cannot be imported ({error}); install it for the torch that is here: "
        "pip install --force-reinstall --no-deps torchaudio"
    ) from error

__all__ = ["MFCC", "VERSION", "MelSpectrogram", "resample"]
