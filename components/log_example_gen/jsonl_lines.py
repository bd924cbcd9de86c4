"""Which lines of a JSON Lines file are one object each, found on the raw bytes.

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
_BLANKS = b" \t\r\n"
# +1 for what opens an object or a list, -1 for what closes one.
_STEP = np.zeros(256, np.int8)
_STEP[[ord("{"), ord("[")]] = 1
_STEP[[ord("}"), ord("]")]] = -1

NO_OBJECT = "no JSON object"


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
    last = ends - 2
    last -= (last > starts) & (buffer[last] == ord("\r"))
    bare = (buffer[starts] == ord("{")) & (buffer[np.maximum(last, starts)] == ord("}"))
    for i in np.flatnonzero(~bare).tolist():
        content = text[starts[i] : ends[i]].strip(_BLANKS)
        if not content.startswith(b"{"):
            bad.setdefault(i, f"{NO_OBJECT} (it does not begin with '{{')")
        elif not content.endswith(b"}"):
            bad.setdefault(i, f"{NO_OBJECT} (it does not end with '}}')")
    doubtful = [
        i for i in _doubtful(text, ends, len(starts) - len(bad)) if i not in bad
    ]
    if doubtful:
        contents = [text[starts[i] : ends[i]].strip(_BLANKS) for i in doubtful]
        for index, reason in _unbalanced(b"\n".join([*contents, b""])).items():
            bad[doubtful[index]] = f"{NO_OBJECT} ({reason})"
    return bad


def _doubtful(text: bytes, ends: Positions, candidates: int) -> list[int]:
    """Returns the lines with more braces than a flat object, or many brackets.

    Args:
        text: The lines.
        ends: Where they end.
        candidates: How many have a brace at both ends.
    """
    buffer = np.frombuffer(text, np.uint8)
    found = []
    for character, usual, total in (
        (b"{", 1, candidates),
        (b"}", 1, candidates),
        (b"[", MAX_DEPTH - 1, MAX_DEPTH - 1),
    ):
        if text.count(character) > total:
            line = np.searchsorted(ends, positions(buffer, ord(character)), "right")
            found.append(np.flatnonzero(np.bincount(line) > usual))
    return sorted(set(np.concatenate(found).tolist())) if found else []


def _unbalanced(text: bytes) -> dict[int, str]:
    """Returns what is wrong with the structure of lines that begin with a brace."""
    buffer = np.frombuffer(text, np.uint8)
    ends = positions(buffer, NEWLINE)
    starts = np.concatenate([[0], ends[:-1] + 1])
    quotes = positions(buffer, _QUOTE)
    escaped, _ = escaped_by(buffer, quotes, _BACKSLASH)
    quotes = quotes[~escaped]
    steps = _STEP[buffer]
    marks = np.flatnonzero(steps)
    line = np.searchsorted(ends, marks)
    quotes_before = np.searchsorted(quotes, starts)
    outside = (np.searchsorted(quotes, marks) - quotes_before[line]) % 2 == 0
    marks, line = marks[outside], line[outside]
    # Every line has one at least: its first character.
    first = np.searchsorted(line, np.arange(len(ends)))
    depth = np.cumsum(steps[marks].astype(np.int64))
    depth -= (depth[first] - 1)[line]
    deepest = np.maximum.reduceat(depth, first)
    closed: npt.NDArray[np.int64] = np.where(depth <= 0, marks, len(text))
    first_closed = np.minimum.reduceat(closed, first)
    reasons = {
        int(i): "something follows the object"
        for i in np.flatnonzero(first_closed < ends - 1)
    }
    reasons |= {
        int(i): "an object or a list in it is not closed"
        for i in np.flatnonzero(first_closed == len(text))
    }
    reasons |= {
        int(i): f"nested {deepest[i]:,} deep, more than {MAX_DEPTH}"
        for i in np.flatnonzero(deepest > MAX_DEPTH)
    }
    return reasons
