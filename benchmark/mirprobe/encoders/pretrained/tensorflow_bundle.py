"""Reads checkpoints of TensorFlow ("tensor bundles") without TensorFlow.

A bundle has two files. The index is a sorted string table in the format of LevelDB: blocks of
entries with prefix-compressed keys; the last block lists the positions of the others. Its keys are
names of variables, its values `BundleEntryProto` messages. The data file contains the bytes of all
variables in sequence. Checksums are not verified: the fingerprint of an encoder covers both files.

Sources: LevelDB, doc/table_format.md; TensorFlow, core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mirprobe.core.errors import EncoderError

_FOOTER = 48
_MAGIC = bytes.fromhex("57fb808b247547db")
_FLOAT32 = 1  # TensorFlow's DataType


@dataclass(frozen=True)
class Variable:
    """The type, shape and position of a variable in the data file.

    Attributes:
        dtype: number of the TensorFlow type; 1 for float32.
        shape: shape of the tensor.
        shard: index of the data file.
        offset: position of the first byte.
        size: in bytes.
    """

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int


def read_index(path: Path) -> dict[str, Variable]:
    """The variables of a bundle, by name.

    Args:
        path: the file `*.index`.

    Raises:
        EncoderError: the file is not an index, or is damaged or compressed.
    """
    table = path.read_bytes()
    if len(table) < _FOOTER or not table.endswith(_MAGIC):
        raise EncoderError(f"cannot read {path}: it is not the index of a TensorFlow checkpoint")
    try:
        position = 0
        handles = table[-_FOOTER:]
        for _ in range(2):  # skip the handle of the metaindex, which is empty
            _, position = _varint(handles, position)
        found = {}
        for _, handle in _entries(_block(table, handles[position:])):
            for key, value in _entries(_block(table, handle)):
                if key:  # an empty key is the header
                    found[key.decode()] = _variable(value)
    except (IndexError, ValueError) as error:
        raise EncoderError(f"cannot read {path} ({error}); install its package again") from error
    return found


def read_variables(path: Path, variables: Mapping[str, Variable]) -> dict[str, NDArray[np.float32]]:
    """The values of float32 variables.

    Args:
        path: the only data file, `*.data-00000-of-00001`.
        variables: the variables to read, from `read_index`.

    Raises:
        EncoderError: a variable is not float32, or the file is truncated.
    """
    data = np.memmap(path, np.uint8, mode="r")
    found = {}
    for name, entry in variables.items():
        whole = 4 * prod(entry.shape) == entry.size and entry.offset + entry.size <= len(data)
        if entry.dtype != _FLOAT32 or entry.shard or not whole:
            raise EncoderError(
                f"cannot read '{name}' in {path}: it is truncated or not float32; install its "
                "package again"
            )
        values = data[entry.offset : entry.offset + entry.size]
        found[name] = np.array(values).view("<f4").reshape(entry.shape)
    return found


def _block(table: bytes, handle: bytes) -> bytes:
    """The entries of the block at a handle: offset and size, both varints."""
    offset, position = _varint(handle, 0)
    size, _ = _varint(handle, position)
    if table[offset + size] != 0:
        raise ValueError("it is compressed")
    block = table[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    return block[: -4 * (restarts + 1)]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value); each key is stored as the length of the shared prefix and a suffix."""
    key, position = b"", 0
    while position < len(block):
        shared, position = _varint(block, position)
        own, position = _varint(block, position)
        size, position = _varint(block, position)
        key = key[:shared] + block[position : position + own]
        position += own
        yield key, block[position : position + size]
        position += size


def _variable(message: bytes) -> Variable:
    values: dict[int, int] = {}
    shape: list[int] = []
    for field, value in _fields(message):
        if field == 2 and isinstance(value, bytes):  # TensorShapeProto: its sizes, in order
            for number, dimension in _fields(value):
                if number == 2 and isinstance(dimension, bytes):
                    sizes = dict(_fields(dimension))
                    shape.append(int(sizes.get(1, 0)))
        elif isinstance(value, int):
            values[field] = value
    dtype, shard, offset, size = (values.get(field, 0) for field in (1, 3, 4, 5))
    return Variable(dtype, tuple(shape), shard, offset, size)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of the fields of a protobuf message."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = _varint(message, position)
            yield number, value
            continue
        if kind == 2:
            size, position = _varint(message, position)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field has the unknown type {kind}")
        if position + size > len(message):
            raise ValueError("a field is truncated")
        yield number, message[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """An integer in groups of seven bits, the lowest first, and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
