"""JSON of a REST request to arrays, and back, typed as TensorFlow Serving types them.

A number is no text, true is no number, 3.0 is no integer, and null is nothing at all; a
string is valid UTF-8, other bytes are sent as `{"b64": "..."}`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import reprlib
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.model_server.errors import BadRequestError

# Lists in rows in `instances` are five levels.
_MAX_DEPTH = 32
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60

Array = npt.NDArray[Any]


def parse(text: bytes) -> Any:
    """Returns the JSON value of some bytes.

    Raises:
        BadRequestError: They are not JSON in UTF-8, are nested deeper than any request
            is, name a key twice, or hold a number that no float has room for.
    """
    _check_depth(text)
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_float=_finite,
        )
    except UnicodeDecodeError as error:
        raise BadRequestError(
            f"JSON must be UTF-8; byte {error.start:,} is not. Other bytes are sent "
            'as {"b64": "..."}'
        ) from error
    except json.JSONDecodeError as error:
        raise BadRequestError(f"this is not JSON: {error}") from error
    except ValueError as error:  # Python converts no more than 4,300 digits
        raise BadRequestError("an integer has more digits than any type") from error


def _check_depth(text: bytes) -> None:
    """Refuses deep nesting before a recursive parser meets it."""
    bare = np.frombuffer(_STRING.sub(b"", text), np.uint8)
    opens = (bare == ord("[")) | (bare == ord("{"))
    closes = (bare == ord("]")) | (bare == ord("}"))
    depth = np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32)
    if depth.size and depth.max() > _MAX_DEPTH:
        raise BadRequestError(f"JSON is nested deeper than {_MAX_DEPTH} levels")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRequestError(f"an object names {short(twice)} twice")
    return made


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise BadRequestError(f"the number {short(text)} is too large")
    return value


def short(value: Any) -> str:
    """Returns a client's value for a message, cut if it is long."""
    return _SHORT.repr(value)


def array_of(name: str, value: Any, dtype: npt.DTypeLike) -> Array:
    """Returns the array of a value or of nested lists of values.

    Args:
        name: The input that it is for.
        value: What JSON has for it.
        dtype: The input's; `object` for strings, whose values become bytes.

    Raises:
        BadRequestError: Lists differ in length, or a value is of another type.
    """
    wanted = np.dtype(dtype)
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    values: list[Any] = []
    _collect(name, value, shape, _converter(name, wanted), values)
    array = np.empty(len(values), wanted)
    array[:] = values
    return array.reshape(shape)


def _collect(
    name: str,
    value: Any,
    shape: Sequence[int],
    convert: Callable[[Any], Any],
    into: list[Any],
) -> None:
    """Appends the values of nested lists that have the shape of their first ones."""
    if isinstance(value, list) != bool(shape) or (shape and len(value) != shape[0]):
        raise BadRequestError(
            f"input {name} must be lists of equal length; received {short(value)}"
        )
    if not shape:
        into.append(convert(value))
        return
    for item in value:
        _collect(name, item, shape[1:], convert, into)


def _converter(name: str, wanted: np.dtype[Any]) -> Callable[[Any], Any]:
    """Returns what makes a JSON value one of the type, or refuses it."""
    convert = {"O": _bytes, "b": _boolean, "i": _integer, "u": _integer, "f": _number}
    kind = "string" if wanted.kind == "O" else str(wanted)
    if wanted.kind not in convert:
        raise BadRequestError(f"input {name} of type {kind} cannot be sent as JSON")

    def converted(value: Any) -> Any:
        try:
            return convert[wanted.kind](value, wanted)
        except (TypeError, ValueError) as error:
            reason = f": {error}" if str(error) else ""
            raise BadRequestError(
                f"input {name} must be {kind}; received {short(value)}{reason}"
            ) from error

    return converted


def _bytes(value: Any, _: np.dtype[Any]) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("half a character (a lone surrogate)") from error
    if not isinstance(value, dict) or set(value) != {"b64"}:
        raise TypeError
    encoded = value["b64"]
    if not isinstance(encoded, str):
        raise TypeError("b64 must be a string")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"b64 {short(encoded)} is not base64") from error


def _boolean(value: Any, _: np.dtype[Any]) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _integer(value: Any, wanted: np.dtype[Any]) -> int:
    if type(value) is not int:
        raise TypeError
    limits = np.iinfo(wanted)
    if not limits.min <= value <= limits.max:
        raise ValueError("out of range")
    return value


def _number(value: Any, wanted: np.dtype[Any]) -> float:
    limits = np.finfo(wanted)
    if type(value) is int:
        # Above it not every integer has a float of its own.
        if abs(value) >= 2 ** (limits.nmant + 1):
            raise ValueError("too large for an integer; send it with a decimal point")
        return float(value)
    if type(value) is not float:
        raise TypeError
    if math.isfinite(value) and abs(value) > float(limits.max):
        raise ValueError("out of range")
    return value


def jsonable(outputs: Mapping[str, Array]) -> dict[str, Any]:
    """Returns a model's outputs as JSON has them."""
    return {name: _jsonable(value.tolist()) for name, value in outputs.items()}


def _jsonable(value: Any) -> Any:
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    return value
