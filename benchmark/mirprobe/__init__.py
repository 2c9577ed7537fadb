"""mirprobe scores music encoders with cached embeddings, small probes and standard metrics.

The public names are in `__init__.pyi`. Each is imported at its first use, so that
`mirprobe --help` does not import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
