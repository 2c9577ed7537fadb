"""The model of an encoder, loaded at the first call."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class LazyModel:
    """Base of encoders with a model; a subclass loads it."""

    _model: Any = None

    def _load(self) -> nn.Module:
        """The model with its weights, on the CPU."""
        raise NotImplementedError

    def _on(self, device: torch.device | str) -> Any:
        """The model on a device, in evaluation mode and without gradients.

        Loading leaves torch's random state as it is: initial weights are drawn and overwritten.
        """
        if self._model is None:
            # tensors created in inference mode cannot be used outside of it
            with torch.inference_mode(False), torch.random.fork_rng(devices=[]):
                self._model = self._load().eval().requires_grad_(False)
        return self._model.to(device)
