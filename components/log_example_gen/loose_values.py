"""Values of records one by one, for those that Arrow's parsers cannot take together.

Arrow's JSON parser wants one type for a column, and tf.Examples may change theirs from
record to record. A record that breaks this, and some around it, come here: each value
becomes the text that it spells, so that what it means does not depend on its
neighbours. It is Python for each record, some 5 microseconds; whole files of mixed
types are read at that speed.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from components.log_example_gen.values import EXACT_FLOAT
from components.log_example_gen.values import of_lengths
from components.log_example_gen.wanted import Wanted
from components.log_example_gen.wanted import WantedColumns


class NumberText(str):
    """A number, as the record spells it."""

    __slots__ = ()


class LooseValueError(ValueError):
    """A record has a value that its column cannot hold."""


def loose_record(
    record: Mapping[str, Any], wanted: WantedColumns
) -> dict[str, bytes | list[bytes] | None]:
    """Returns the wanted values of one record as text.

    Args:
        record: Values by name: None, texts (`str`, lone surrogates standing for bytes
            that are not UTF-8; or `bytes`), `NumberText`, booleans, lists of these.
        wanted: What the columns are read for.

    Raises:
        LooseValueError: A value has the wrong shape, such as an object.
    """
    found: dict[str, bytes | list[bytes] | None] = {}
    for name, column in wanted.items():
        value = record.get(name)
        if value is None:
            found[name] = None
        elif column.is_list:
            found[name] = _list(name, value, column)
        else:
            if isinstance(value, list):
                value = _only(name, value)
            found[name] = None if value is None else _text(name, value, column)
    return found


def loose_table(
    records: Sequence[Mapping[str, Any]], wanted: WantedColumns
) -> pa.Table:
    """Returns records of `loose_record` as a table of texts and lists of texts."""
    columns = {}
    for name, column in wanted.items():
        values = [record[name] for record in records]
        if column.is_list:
            lengths = [len(value or ()) for value in values]
            flat = [entry for value in values for entry in value or ()]
            columns[name] = of_lengths(lengths, _texts(flat))
        else:
            columns[name] = _texts(values)
    return pa.table(columns)


def _texts(values: list[Any]) -> pa.Array:
    """Returns bytes as text, so that what is not UTF-8 is found later."""
    return pa.array(values, pa.binary()).view(pa.string())


def _list(name: str, value: Any, column: Wanted) -> list[bytes]:
    one, separator = Wanted(is_id=not column.is_vector), column.separator
    if isinstance(value, list):
        return [_text(name, entry, one) for entry in value if entry is not None]
    text = _text(name, value, one)
    if separator is None:
        raise LooseValueError(
            f"{name} is a single value, not a list; give `separator` if it holds "
            "several values"
        )
    return text.split(separator.encode())


def _only(name: str, values: list[Any]) -> Any:
    """Returns the value of a list of at most one."""
    if len(values) > 1:
        raise LooseValueError(f"{name} is a list of {len(values):,} values, not one")
    return values[0] if values else None


def _text(name: str, value: Any, column: Wanted) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, NumberText):
        return _number(name, value, column)
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    kind = "a list" if isinstance(value, list) else "an object"
    raise LooseValueError(f"{name} is {kind}, not a single value")


def _number(name: str, token: NumberText, column: Wanted) -> bytes:
    """Returns the text of a number: that of a whole one is its digits."""
    if token.lstrip("-").isdigit():
        return b"0" if token == "-0" else token.encode()
    number = float(token)
    if number.is_integer() and abs(number) <= EXACT_FLOAT:
        return str(int(number)).encode()
    if column.is_id:
        raise LooseValueError(f"{name} is not a whole number, as an id has to be")
    return token.encode()
