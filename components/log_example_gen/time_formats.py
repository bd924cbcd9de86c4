"""Time formats of log columns: strptime's directives, or a count since 1970."""

from __future__ import annotations

from dataclasses import dataclass

# Seconds of one unit, for columns that count from 1970-01-01 00:00 UTC.
EPOCH_UNITS = {
    "epoch_seconds": 1,
    "epoch_milliseconds": 1_000,
    "epoch_microseconds": 1_000_000,
}
# Characters of each directive; those of None vary and stand at the end of a format.
DIRECTIVES = {
    "%Y": 4,
    "%m": 2,
    "%d": 2,
    "%H": 2,
    "%M": 2,
    "%S": 2,
    "%f": None,
    "%z": None,
}
DEFAULT_FORMAT = "%Y%m%d%H%M"
EXPECTED = "a format such as %Y-%m-%d %H:%M:%S, or one of " + ", ".join(EPOCH_UNITS)
# The configuration's former spelling, longest first.
_LETTERS = {
    "YYYY": "%Y",
    "MM": "%m",
    "DD": "%d",
    "HH": "%H",
    "mm": "%M",
    "ss": "%S",
}
# Letters that ISO times have between their numbers.
_LITERAL_LETTERS = "TZ"


@dataclass(frozen=True)
class TimeFormat:
    """A parsed time format.

    Attributes:
        parts: Directives and literal characters of fixed width, in order.
        fraction: Whether a fraction of a second (`%f`, 1 to 9 digits) follows them.
        offset: Whether an offset from UTC (`%z`: `Z`, `+02:00`, `+0200`) follows.
        per_second: Units of a second for `EPOCH_UNITS`; 0 for text with a date.
    """

    parts: tuple[str, ...] = ()
    fraction: bool = False
    offset: bool = False
    per_second: int = 0

    @property
    def has_hour(self) -> bool:
        """Whether the hour can be told."""
        return self.per_second > 0 or "%H" in self.parts


def parse_time_format(text: str) -> TimeFormat:
    """Parses a time format such as `%Y-%m-%d %H:%M:%S.%f%z` or `epoch_seconds`.

    A format without `%` is read in the former spelling, `YYYY-MM-DD HH:mm:ss`.

    Example:
        >>> parse_time_format("%Y%m%d %H").parts
        ('%Y', '%m', '%d', ' ', '%H')

    Raises:
        ValueError: The format has an unknown part, lacks year, month or day, or names a
            part twice.
    """
    if text in EPOCH_UNITS:
        return TimeFormat(per_second=EPOCH_UNITS[text])
    if not text.isascii():
        raise ValueError(
            f"time format {text!r} has more than ASCII; expected {EXPECTED}"
        )
    parts = _directives(text if "%" in text else _from_letters(text), text)
    named = [part for part in parts if part in DIRECTIVES]
    if not {"%Y", "%m", "%d"} <= set(named) or len(set(named)) < len(named):
        raise ValueError(
            f"time format {text!r} cannot be used: year, month and day have to stand in"
            f" it once each, other parts at most once; expected {EXPECTED}"
        )
    fixed = [part for part in parts if part not in ("%f", "%z")]
    tail = parts[len(fixed) :]
    if tail not in ([], ["%f"], ["%z"], ["%f", "%z"]):
        raise ValueError(
            f"time format {text!r} cannot be used: %f and %z vary in length, so they "
            "have to be its end, such as %Y-%m-%dT%H:%M:%S.%f%z"
        )
    return TimeFormat(tuple(fixed), "%f" in tail, "%z" in tail)


def _directives(text: str, given: str) -> list[str]:
    """Cuts a format into directives and literal characters."""
    parts = []
    position = 0
    while position < len(text):
        part = text[position]
        if part == "%":
            part = text[position : position + 2]
            if part != "%%" and part not in DIRECTIVES:
                raise ValueError(
                    f"time format {given!r} has {part!r}, which is not read; expected "
                    f"{', '.join(DIRECTIVES)} and, for a percent sign, %%"
                )
        position += len(part)
        parts.append("%" if part == "%%" else part)
    return parts


def _from_letters(text: str) -> str:
    """Returns the directives of a format in the former spelling.

    Minute logs are often said to be YYYYMMDDHHMM: `MM` after `HH` means minutes.
    """
    made = ""
    position = 0
    while position < len(text):
        token = next((t for t in _LETTERS if text.startswith(t, position)), None)
        if token is None:
            letter = text[position]
            if letter.isalpha() and letter not in _LITERAL_LETTERS:
                raise ValueError(
                    f"time format {text!r} has {letter!r}, which stands for nothing; "
                    f"expected {EXPECTED}"
                )
            made += letter
            position += 1
            continue
        minutes = token == "MM" and "%H" in made
        made += "%M" if minutes else _LETTERS[token]
        position += len(token)
    return made
