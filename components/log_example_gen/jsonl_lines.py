"""Lines of a JSON Lines file that hold one object each, found on the raw bytes.

Arrow's parser reads on where an object ends, stops without a word at a NUL byte or a
comma after an object, and recurses with the depth of the nesting. So every line is
looked at before: it is one object from its first to its last character, and not nested
too deep. What is between the braces is for the parser to judge.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.log_example_gen.text_lines import NEWLINE
from components.log_example_gen.text_lines import Positions
from components.log_example_gen.text_lines import escaped_by
from components.log_example_gen.text_lines import positions

# An impression is flat but for lists; the parser's stack ends at some 10,000.
MAX_DEPTH = 64

_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_OPENING, _CLOSING = ord("{"), ord("}")
_BLANKS = b" \t\r\n"
# +1 for what opens an object or a list, -1 for what closes one.
_STEP = np.zeros(256, np.int8)
_STEP[[ord("{"), ord("[")]] = 1
_STEP[[ord("}"), ord("]")]] = -1

NO_OBJECT = "not a JSON object"


def whole_lines(text: bytes) -> tuple[Positions, Positions]:
    """Returns where the lines that are not blank begin and end, newlines included.

    Args:
        text: Whole lines.
    """
    ends = positions(np.frombuffer(text, np.uint8), NEWLINE) + 1
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    buffer = np.frombuffer(text, np.uint8)
    # Nearly all lines begin with a brace; only of the others it is asked.
    maybe = np.flatnonzero(np.isin(buffer[starts], list(_BLANKS)))
    blank = [i for i in maybe if not text[starts[i] : ends[i]].strip(_BLANKS)]
    return np.delete(starts, blank), np.delete(ends, blank)


def malformed_lines(text: bytes, starts: Positions, ends: Positions) -> dict[int, str]:
    """Returns the reason by line, for lines that are not one object each.

    Args:
        text: Whole lines.
        starts: Where the lines begin that are not blank.
        ends: Where they end.
    """
    bad: dict[int, str] = {}
    buffer = np.frombuffer(text, np.uint8)
    if b"\0" in text:
        lines = np.searchsorted(ends, positions(buffer, 0), side="right")
        bad |= {int(i): f"{NO_OBJECT} (a NUL byte)" for i in np.unique(lines)}
    stops = ends - 1
    stops -= (stops - 1 > starts) & (buffer[stops - 1] == ord("\r"))
    bare = (buffer[starts] == _OPENING) & (buffer[stops - 1] == _CLOSING)
    for i in np.flatnonzero(~bare).tolist():
        content = text[starts[i] : ends[i]].rstrip(_BLANKS)
        stops[i] = starts[i] + len(content)
        if not content.lstrip(_BLANKS).startswith(b"{"):
            bad.setdefault(i, f"{NO_OBJECT} (it does not begin with '{{')")
        elif not content.endswith(b"}"):
            bad.setdefault(i, f"{NO_OBJECT} (it does not end with '}}')")
    if _may_be_nested(text, ends, len(starts) - len(bad)):
        for line, reason in _unbalanced(buffer, starts, stops).items():
            bad.setdefault(line, f"{NO_OBJECT} ({reason})")
    return bad


def _may_be_nested(text: bytes, ends: Positions, candidates: int) -> bool:
    """Whether a line may be more than one flat object, or be nested too deep.

    Args:
        text: The lines.
        ends: Where they end.
        candidates: How many have a brace at both ends.
    """
    if text.count(b"{") > candidates or text.count(b"}") > candidates:
        return True
    if text.count(b"[") < MAX_DEPTH:
        return False
    brackets = positions(np.frombuffer(text, np.uint8), ord("["))
    by_line = np.diff(np.searchsorted(brackets, ends), prepend=0)
    return bool(by_line.max() >= MAX_DEPTH)


def _unbalanced(
    buffer: npt.NDArray[np.uint8], starts: Positions, stops: Positions
) -> dict[int, str]:
    """Returns what is wrong with the structure of lines, by line.

    Args:
        buffer: The text.
        starts: Where the lines begin.
        stops: Where they end, blanks at the end left out.
    """
    quotes = positions(buffer, _QUOTE)
    escaped, _ = escaped_by(buffer, quotes, _BACKSLASH)
    quotes = quotes[~escaped]
    marks = np.flatnonzero(
        (buffer == _OPENING)
        | (buffer == _CLOSING)
        | (buffer == ord("["))
        | (buffer == ord("]"))
    )
    line = np.searchsorted(starts, marks, side="right") - 1
    quotes_before = np.searchsorted(quotes, starts)
    outside = (np.searchsorted(quotes, marks) - quotes_before[line]) % 2 == 0
    marks, line = marks[outside], line[outside]
    if not len(marks):
        return {}
    first = np.flatnonzero(np.diff(line, prepend=-1))
    steps = _STEP[buffer[marks]].astype(np.int64)
    depth = np.cumsum(steps)
    before = depth[first] - steps[first]
    depth -= np.repeat(before, np.diff(first, append=len(depth)))
    deepest = np.maximum.reduceat(depth, first)
    closed = np.where(depth <= 0, marks, len(buffer))
    first_closed = np.minimum.reduceat(closed, first)
    lines = line[first]
    reasons = {
        int(i): "something follows the object"
        for i in lines[first_closed < stops[lines] - 1]
    }
    reasons |= {
        int(i): "an object or a list in it is not closed"
        for i in lines[first_closed == len(buffer)]
    }
    too_deep = deepest > MAX_DEPTH
    reasons |= {
        int(i): f"nested {depth:,} deep, more than {MAX_DEPTH}"
        for i, depth in zip(lines[too_deep], deepest[too_deep], strict=True)
    }
    return reasons
