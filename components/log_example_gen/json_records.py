"""Lines of JSON one by one, with Python's parser: what the fast way cannot take."""

from __future__ import annotations

import json
import re
from typing import Any
from typing import NamedTuple

from components.log_example_gen.jsonl_lines import NO_OBJECT
from components.log_example_gen.loose_values import LooseValueError
from components.log_example_gen.loose_values import NumberText
from components.log_example_gen.loose_values import loose_record
from components.log_example_gen.wanted import WantedColumns

# Arrow takes more spellings of these than Python, and neither is JSON; half a
# surrogate pair is no text.
_ODD = re.compile(rb"[:,\[]\s*-?(?:NaN|Inf)|\\u[dD][89a-fA-F]")
# Without any of these there is nothing to look for, which is the rule. A single byte is
# found much faster than three, so it is looked for first.
_SIGNS = ((b"N", b"NaN"), (b"I", b"Inf"), (b"\\", rb"\ud"), (b"\\", rb"\uD"))


class _Object(tuple[tuple[str, Any], ...]):
    """Names and values of an object, names that stand twice among them."""

    __slots__ = ()


class Record(NamedTuple):
    """One line: its values, or why there are none."""

    values: dict[str, Any] | None
    problem: str = ""


def odd_places(text: bytes) -> list[int]:
    """Returns where lines have something that only `parse_line` reads right."""
    if not any(byte in text and sign in text for byte, sign in _SIGNS):
        return []
    return [match.start() for match in _ODD.finditer(text)]


def parse_line(line: bytes, wanted: WantedColumns) -> Record:
    """Returns the wanted values of a line, see `loose_record`.

    Args:
        line: One object.
        wanted: What the columns are read for.
    """
    try:
        pairs = _DECODER.decode(line.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        detail = error.msg if isinstance(error, json.JSONDecodeError) else error
        return Record(None, f"{NO_OBJECT} ({detail})")
    if not isinstance(pairs, _Object):
        return Record(None, NO_OBJECT)
    values = {name: value for name, value in pairs if name in wanted}
    if len(values) < len(pairs):
        names = [name for name, _ in pairs if name in wanted]
        if len(names) > len(values):
            twice = next(name for name in values if names.count(name) > 1)
            return Record(None, f"{twice} stands twice in the object")
    try:
        return Record(loose_record(values, wanted))
    except (LooseValueError, UnicodeEncodeError) as error:
        if isinstance(error, UnicodeEncodeError):
            return Record(None, f"{NO_OBJECT} (half a surrogate pair)")
        return Record(None, str(error))


def original(line: bytes) -> Any:
    """Returns a line's values for people; the line itself if it has none."""
    text = line.decode("utf-8", "backslashreplace").strip()
    try:
        return json.loads(text)
    except ValueError:
        return text


def _constant(name: str) -> NumberText | None:
    """Reads NaN, which Python writes for a missing number, and infinities."""
    return (
        None if name == "NaN" else NumberText("1e999" if name[0] != "-" else "-1e999")
    )


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Object,
    parse_int=NumberText,
    parse_float=NumberText,
    parse_constant=_constant,
)
