"""Number types of embeddings; imports nothing, so that the command line starts without torch."""

from typing import Literal

Dtype = Literal["float16", "float32"]
"""Type of the cached embeddings."""

Precision = Literal["32", "bf16", "fp16"]
"""Type of the encoders' arithmetic: float32, or autocast to bfloat16 or float16."""
