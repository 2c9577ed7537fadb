"""Encoders by specification: a registered name, a class in a file, or a combination of encoders.

A combination is a call: `concat(A,B,...)`, `layers(A,4,8)`, `pool(A,5)`, where A and B are
specifications with options: `concat(pool(vit1d-random:seed=1,config=vit1d,5),chroma)`. Inside a
combination, an item that begins with `key=` belongs to the options before it.

`pca(A,16)` is not a combination but an option of the probe, which `split_pca` reads: a run fits the
components on the embeddings of its training split.
"""

from __future__ import annotations

import re

from mirprobe.api.encoder import Encoder
from mirprobe.api.from_file import source_digest
from mirprobe.api.registry import ENCODERS
from mirprobe.api.specs import QUOTED_OR_LETTER, is_file_spec, nearest
from mirprobe.core.errors import ConfigError
from mirprobe.encoders.declaration import CheckedEncoder
from mirprobe.encoders.process_state import kept_process_state

_COMBINATION = re.compile(r"\s*([A-Za-z_]\w*)\((.*)\)\s*", re.DOTALL)
_OPTION = re.compile(r"\s*[A-Za-z_]\w*\s*=")
_COMBINATORS = ("concat", "layers", "pool")
_BUILT_IN = ("mirprobe.encoders.spectral", "mirprobe.encoders.vit1d")
"""Modules of the encoders whose output depends only on this package, torch and librosa."""


def make_encoder(spec: str) -> Encoder:
    """Build an encoder.

    Args:
        spec: `name:key=value,...`, `path/to/file.py:Class:key=value,...`, or a combination.

    Raises:
        ConfigError: there is no such encoder, it fails to import, it refuses an option, or the
            parts of a combination do not fit.
    """
    found = _COMBINATION.fullmatch(spec)
    if found is not None and found[1] == "pca":
        name, _ = split_pca(spec)
        raise ConfigError(f"encoder '{spec}': pca is an option of the probe; use '{name}'")
    if found is not None:
        return _combined(spec, found[1], arguments(found[2], spec))
    with kept_process_state():
        return ENCODERS.create(spec)


def checked_encoder(spec: str) -> CheckedEncoder:
    """Build an encoder and check what it declares.

    The source of a file, and of the modules beside it that it imports, is part of the fingerprint.

    Args:
        spec: as for `make_encoder`.

    Raises:
        ConfigError: as for `make_encoder`, or the encoder declares what it cannot be.
    """
    encoder = make_encoder(spec)
    source = None if _COMBINATION.fullmatch(spec) else source_digest(spec)
    return CheckedEncoder(spec, encoder, source, type(encoder).__module__ in _BUILT_IN)


def split_pca(spec: str) -> tuple[str, int | None]:
    """Read `pca(ENCODER,DIM)`.

    Args:
        spec: any specification of an encoder.

    Returns:
        The specification of the encoder inside and the number of components; for any other
        specification itself and None.

    Raises:
        ConfigError: DIM is missing or not a number.
    """
    found = _COMBINATION.fullmatch(spec)
    if found is None or found[1] != "pca":
        return spec, None
    items = arguments(found[2], spec)
    return items[0], _number(spec, "pca", items[1:], "DIM), DIM a number of components")


def file_specs(spec: str) -> list[str]:
    """The specifications of classes in files within the one of an encoder."""
    found = _COMBINATION.fullmatch(spec)
    if found is None:
        return [spec] if is_file_spec(spec) else []
    return [one for item in arguments(found[2], spec) for one in file_specs(item)]


def arguments(text: str, spec: str) -> list[str]:
    """Split the text between the parentheses of a combination at its commas.

    Args:
        text: between the parentheses.
        spec: the whole specification, for messages.

    Raises:
        ConfigError: parentheses do not match, or an item is empty.
    """
    items, depth = [""], 0
    for letter in QUOTED_OR_LETTER.findall(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0:
            break
        if letter == "," and depth == 0:
            items.append("")
        else:
            items[-1] += letter
    if depth != 0:
        raise ConfigError(f"encoder '{spec}': its parentheses do not match")
    joined: list[str] = []
    for item in items:
        if _OPTION.match(item) and joined and ":" in joined[-1]:
            joined[-1] += f",{item}"
        else:
            joined.append(item.strip())
    if not all(joined):
        raise ConfigError(f"encoder '{spec}': an item is empty; write something between the commas")
    return joined


def _combined(spec: str, kind: str, items: list[str]) -> Encoder:
    from mirprobe.encoders.combined import Concat, Layers, Pool

    if kind not in _COMBINATORS:
        known = nearest(kind, (*_COMBINATORS, "pca"))
        raise ConfigError(f"encoder '{spec}': unknown combination '{kind}'; {known}")
    if kind == "concat":
        if len(set(items)) < len(items):
            raise ConfigError(f"encoder '{spec}': names one encoder twice; name each once")
        return Concat({item: _part(spec, item) for item in items})
    first, *rest = items
    if kind == "layers":
        return Layers(first, _part(spec, first), rest)
    hop = _number(spec, "pool", rest, "HOP), HOP a number of frames")
    return Pool(first, _part(spec, first), hop)


def _number(spec: str, kind: str, items: list[str], meant: str) -> int:
    if len(items) != 1 or not items[0].isdecimal():
        raise ConfigError(f"encoder '{spec}': write {kind}(ENCODER,{meant}")
    return int(items[0])


def _part(spec: str, item: str) -> Encoder:
    """An encoder within a combination.

    Raises:
        ConfigError: it cannot be built, or is a `pca`.
    """
    if split_pca(item)[1] is not None:
        raise ConfigError(
            f"encoder '{spec}': '{item}' must be outermost; write pca around the rest"
        )
    return checked_encoder(item)
