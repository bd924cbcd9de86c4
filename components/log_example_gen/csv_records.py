"""Bounds of the records of a CSV file, found on the raw bytes.

This count does not depend on the parser that reads the values. Lines without a
quotation mark are one record each. Elsewhere quotation marks open and close quoted
values in turn: an opening one follows a delimiter or a line break, a closing one stands
before a delimiter or a line break, and a doubled one is a closing one that is followed
by an opening one. Where this does not hold, the record's first line is malformed, and
reading goes on at the line after it. So a stray quotation mark costs its own line, not
the lines up to the next quotation mark.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.text_lines import CARRIAGE_RETURN
from components.log_example_gen.text_lines import NEWLINE
from components.log_example_gen.text_lines import Positions
from components.log_example_gen.text_lines import escaped_by
from components.log_example_gen.text_lines import positions

# A quoted value with line breaks that takes more is taken for a quotation mark that was
# never closed; it also bounds what is kept from block to block.
MAX_RECORD_BYTES = 1 << 20

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Malformed:
    """A line that belongs to no record.

    Attributes:
        line: Position of the line, from 0.
        text: The line.
        reason: What is wrong with it.
    """

    line: int
    text: bytes
    reason: str


@dataclass(frozen=True)
class Records:
    """Records found in some lines of a CSV file.

    Attributes:
        text: The records, one after the other; quotation marks inside quoted values are
            doubled, whatever the file's own way is.
        starts: Position of each record's first line, from 0, ascending.
        malformed: The lines that belong to no record.
        lines: Lines of all of these.
        rest: Lines of a record that goes on in the next block.
    """

    text: bytes
    starts: Positions
    malformed: list[Malformed]
    lines: int
    rest: bytes


def find_records(
    text: bytes, dialect: CsvDialect, columns: int, *, final: bool
) -> Records:
    """Finds the records of some lines.

    Args:
        text: Whole lines, from the beginning of a record on.
        dialect: How values are quoted.
        columns: Columns of a record. A line inside a quoted value that has as many on
            its own is taken for a record that an unclosed quotation mark swallowed.
        final: Whether the file ends here.
    """
    quote = dialect.quote
    quoted = quote is not None and quote.encode() in text
    if not quoted and text.count(b"\r") == text.count(b"\r\n"):
        lines = text.count(b"\n")
        return Records(text, np.arange(lines), [], lines, b"")
    return _Scan(text, dialect, columns, final=final).records()


class _Scan:
    """Looks at all quotation marks of some lines at once.

    Whether a mark opens or closes follows from whether the number of marks before it is
    even, as long as all is well. After a malformed line with an odd number of marks it
    is the other way round, so most things are known for both `parity` 0 (marks with an
    even number of marks before them open) and 1.
    """

    def __init__(
        self, text: bytes, dialect: CsvDialect, columns: int, *, final: bool
    ) -> None:
        self._text = text
        self._columns = columns
        self._comma = ord(dialect.delimiter)
        self._final = final
        self._buffer = np.frombuffer(text, np.uint8)
        self._drop = np.zeros(0, np.int64)
        quote = ord(dialect.quote) if dialect.quote else -1
        if dialect.escape is not None:
            self._double_marks(quote, ord(dialect.escape))
        else:
            self._marks = positions(self._buffer, quote)
            self._doubled = np.zeros(0, np.int64)
        self._quote = quote
        self.ends = positions(self._buffer, NEWLINE)
        self.line_starts = np.concatenate([[0], self.ends[:-1] + 1])
        # Quotation marks before the end of each line.
        self._marks_before = np.searchsorted(self._marks, self.ends)

    def _double_marks(self, quote: int, escape: int) -> None:
        """Writes a doubled quotation mark wherever the file has an escaped one."""
        marks = positions(self._buffer, quote)
        escaped, self._drop = escaped_by(self._buffer, marks, escape)
        self._doubled = marks[escaped] - 1
        if len(self._doubled):
            self._buffer = self._buffer.copy()
            self._buffer[self._doubled] = quote
            marks = positions(self._buffer, quote)
        self._marks = marks

    def records(self) -> Records:
        """Finds the records and the malformed lines."""
        if self._is_plain():
            everything = [(0, len(self.ends), 0)]
            return self._result(everything, [], len(self.ends))
        return self._walk()

    def _is_plain(self) -> bool:
        """Whether each line is one record and all marks are where they should be.

        Says nothing that the rest of this class would not, but at a third of the cost.
        """
        if (self._marks_before % 2).any() or len(self._doubled) or b"\r" in self._text:
            return False
        # The byte "before" the first is the last one, a newline.
        before = self._buffer.take(self._marks[0::2] - 1, mode="wrap")
        opens = (before == self._comma) | (before == NEWLINE) | (before == self._quote)
        if not opens.all():
            return False
        after = self._buffer[1:].take(self._marks[1::2])
        closes = (after == self._comma) | (after == NEWLINE) | (after == self._quote)
        return bool(closes.all())

    def _walk(self) -> Records:
        good: list[tuple[int, int, int]] = []
        malformed: list[Malformed] = []
        line, parity, num_lines = 0, 0, len(self.ends)
        while line < num_lines:
            events = self._events[parity]
            following = np.searchsorted(events, self.line_starts[line])
            if following < len(events):
                event = int(events[following])
                before = int(np.searchsorted(self.ends, event)) - 1
                first = self._last_end(parity, before) + 1
            else:
                event = -1
                first = self._last_end(parity, num_lines - 1) + 1
            if first > line:
                good.append((line, first, parity))
            if event < 0 and (first == num_lines or not self._final):
                return self._result(good, malformed, first)
            reason = self._reason(first, event, parity)
            malformed.append(Malformed(first, self._line(first), reason))
            line = first + 1
            parity = int(self._marks_before[first] % 2)
        return self._result(good, malformed, num_lines)

    @functools.cached_property
    def _places(self) -> tuple[Mask, Mask, Positions]:
        """Which marks may open, which may close, and lone carriage returns."""
        marks, buffer = self._marks, self._buffer
        # The last byte is a newline: there is one after each mark, and the byte
        # "before" the first one is it.
        before, after = buffer[marks - 1], buffer[marks + 1]
        opens = (before == self._comma) | (before == NEWLINE) | (before == self._quote)
        if len(self._doubled):
            opens &= ~np.isin(marks, self._doubled, assume_unique=True)
        closes = (after == self._comma) | (after == NEWLINE) | (after == self._quote)
        returns = np.flatnonzero(after == CARRIAGE_RETURN)
        closes[returns] = buffer[marks[returns] + 2] == NEWLINE
        lone = positions(buffer, CARRIAGE_RETURN)
        return opens, closes, lone[buffer[lone + 1] != NEWLINE]

    def _misplaced_at(self, parity: int) -> Positions:
        """Returns positions of characters that cannot be where they are."""
        opens, closes, lone = self._places
        opening = np.arange(len(opens)) % 2 == parity
        marks = self._marks[~np.where(opening, opens, closes)]
        # A carriage return is a part of a quoted value or of the end of a line.
        outside = np.searchsorted(self._marks, lone) % 2 == parity
        return np.union1d(marks, lone[outside]) if outside.any() else marks

    @functools.cached_property
    def _misplaced(self) -> tuple[Positions, Positions]:
        return self._misplaced_at(0), self._misplaced_at(1)

    @functools.cached_property
    def _events(self) -> tuple[Positions, Positions]:
        """By parity, where it shows that a record is malformed."""
        return tuple(  # type: ignore[return-value]
            np.sort(
                np.concatenate(
                    [self._misplaced[p], self._swallowed(p), self._too_long(p)]
                )
            )
            for p in (0, 1)
        )

    def _swallowed(self, parity: int) -> Positions:
        """Returns starts of lines inside quoted values that are records themselves."""
        if self._columns < 2:
            return np.zeros(0, np.int64)
        inside = self._marks_before % 2 != parity
        between = inside & np.concatenate([[False], inside[:-1]])
        commas = positions(self._buffer, self._comma)
        last = np.searchsorted(commas, self.ends)
        between &= np.diff(last, prepend=0) == self._columns - 1
        lines = np.flatnonzero(between)
        # Read on its own, its marks have the other parity.
        misplaced = self._misplaced[1 - parity]
        first_bad = np.searchsorted(misplaced, self.line_starts[lines])
        last_bad = np.searchsorted(misplaced, self.ends[lines])
        return self.line_starts[lines[first_bad == last_bad]]

    def _too_long(self, parity: int) -> Positions:
        """Returns where records with line breaks pass `MAX_RECORD_BYTES`."""
        ends = np.flatnonzero(self._marks_before % 2 == parity)
        first = np.concatenate([[0], ends + 1])
        last = np.concatenate([ends, [len(self.ends) - 1]])
        several = first < last
        first, last = self.line_starts[first[several]], self.ends[last[several]]
        return first[last - first > MAX_RECORD_BYTES] + MAX_RECORD_BYTES

    @functools.cached_property
    def _last_ends(self) -> tuple[Positions, Positions]:
        """By parity, the last line up to each that ends a record; -1 for none."""
        line = np.arange(len(self.ends))
        odd = self._marks_before % 2
        return (
            np.maximum.accumulate(np.where(odd == 0, line, -1)),
            np.maximum.accumulate(np.where(odd == 1, line, -1)),
        )

    def _last_end(self, parity: int, line: int) -> int:
        return int(self._last_ends[parity][line]) if line >= 0 else -1

    def _line(self, line: int) -> bytes:
        return self._text[self.line_starts[line] : self.ends[line]]

    def _reason(self, line: int, event: int, parity: int) -> str:
        """Says what is wrong with the record that begins in `line`."""
        opens = "a quotation mark opens a value"
        if event < 0:
            return f"{opens} and is never closed"
        later = int(np.searchsorted(self.ends, event)) - line
        misplaced = self._misplaced[parity]
        if event not in misplaced[np.searchsorted(misplaced, event) :][:1]:
            if event - self.line_starts[line] == MAX_RECORD_BYTES:
                return f"{opens} of more than {MAX_RECORD_BYTES:,} bytes"
            return f"{opens} that would hold a whole record {later:,} line(s) below"
        if later:
            return f"{opens} that ends in the middle of a value {later:,} line(s) below"
        if self._buffer[event] == CARRIAGE_RETURN:
            return "a carriage return in the middle of a line"
        if np.searchsorted(self._marks, event) % 2 == parity:
            return "a quotation mark in the middle of an unquoted value"
        return "a quoted value goes on after its closing quotation mark"

    def _result(
        self,
        good: list[tuple[int, int, int]],
        malformed: list[Malformed],
        lines: int,
    ) -> Records:
        starts = [np.zeros(0, np.int64)]
        texts = []
        for first, end, parity in good:
            closed = np.flatnonzero(self._marks_before[first:end] % 2 == parity)
            starts.append(np.concatenate([[0], closed[:-1] + 1]) + first)
            texts.append(self._slice(first, end, parity))
        cut = int(self.line_starts[lines]) if lines < len(self.ends) else None
        rest = b"" if cut is None else self._text[cut:]
        text = texts[0] if len(texts) == 1 else b"".join(texts)
        return Records(text, np.concatenate(starts), malformed, lines, rest)

    def _slice(self, first: int, end: int, parity: int) -> bytes:
        """Returns the lines `first` to `end` in the parser's dialect."""
        begin, stop = int(self.line_starts[first]), int(self.ends[end - 1]) + 1
        low, high = np.searchsorted(self._drop, [begin, stop])
        drop = self._drop[low:high]
        quoted = np.searchsorted(self._marks, drop) % 2 != parity
        if quoted.any():
            return np.delete(self._buffer[begin:stop], drop[quoted] - begin).tobytes()
        if len(self._doubled):
            return self._buffer[begin:stop].tobytes()
        return self._text[begin:stop]
