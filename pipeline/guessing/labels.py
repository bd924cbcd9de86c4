"""The column that says whether an impression was clicked, and its rule."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.log_example_gen.logic import parse_label_rule
from models.errors import DataError
from models.errors import listed
from pipeline.guessing.column import Column
from pipeline.guessing.kinds import shortly
from pipeline.guessing.names import LABEL_WORDS
from pipeline.guessing.names import words

_RULE_COLUMN = re.compile(r"\w+")
_GRADES = 5
_COMPARE: dict[str, Callable[[Any, float], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Label:
    """A guess of what a click is.

    Attributes:
        column: The column that says so.
        rule: The configuration's `label`, such as `click == 1`.
        reason: Why.
        check: What to look at; empty where the guess is sure.
        clicks: Whether each row is a click; false without a value; shape (rows,).
    """

    column: str
    rule: str
    reason: str
    check: str
    clicks: npt.NDArray[np.bool_]


def guess_label(
    domain: str, columns: Mapping[str, Column], given: str | None = None
) -> Label:
    """Returns what a click is in a domain's log.

    Args:
        domain: The domain, for messages.
        columns: Its columns.
        given: A column, or a whole rule, that the user named.

    Raises:
        DataError: No column looks like a label, several do, or the given one is none.
    """
    if given is not None:
        return _given(domain, columns, given)
    found = [label for column in columns.values() if (label := _named(column))]
    if found:
        found.sort(key=lambda entry: entry[0])
        return found[0][1]
    binary = [column for column in columns.values() if _is_binary(column)]
    if len(binary) == 1:
        rule, reason, _ = _rule(binary[0], named=True) or ("", "", "")
        return _label(
            binary[0],
            rule,
            f"no name says so, but no other column has two values alone; {reason}",
            "is a row with the larger value a click?",
        )
    raise DataError(
        f"no column of {domain!r} is the label for sure; looked at "
        f"{listed([_seen(column) for column in columns.values()], first=40)}; name "
        f"it, `--label {domain}=COLUMN`, or give the rule, "
        f"`--label '{domain}=COLUMN >= 4'`; its values must be numbers, or true and "
        "false"
    )


def _given(domain: str, columns: Mapping[str, Column], given: str) -> Label:
    name = given
    rule = ""
    if given not in columns and any(sign in given for sign in "<>="):
        name, rule = parse_label_rule(given).column, given
    if name not in columns:
        raise DataError(
            f"--label {given!r} is not a column of {domain!r}; expected one of "
            f"{listed(columns, first=40)}"
        )
    column = columns[name]
    if rule:
        return _label(column, rule, "named on the command line", "")
    found = _rule(column, named=True)
    if found is None:
        raise DataError(
            f"the column {name!r} of {domain!r} has values such as "
            f"{listed([shortly(value) for value in column.present[:3]])}, which are "
            "not numbers; expected 0 and 1, -1 and 1, true and false, or grades; write "
            "it as numbers"
        )
    return _label(column, found[0], f"named on the command line; {found[1]}", found[2])


def _named(column: Column) -> tuple[tuple[int, int], Label] | None:
    """Returns a column with a label's name and values, and its place among such."""
    found = words(column.name)
    places = [LABEL_WORDS.index(word) for word in found if word in LABEL_WORDS]
    if not places or not _RULE_COLUMN.fullmatch(column.name):
        return None
    rest = [word for word in found if word not in LABEL_WORDS and word not in _SMALL]
    rule = _rule(column, named=not rest)
    if rule is None:
        return None
    label = _label(column, rule[0], f"named {column.name!r}; {rule[1]}", rule[2])
    return (len(rest), min(places)), label


# Words that a label's name may have beside its own.
_SMALL = frozenset({"is", "has", "was", "flag", "if", "did"})


def _is_binary(column: Column) -> bool:
    numbers = column.numbers
    if numbers is None or not _RULE_COLUMN.fullmatch(column.name):
        return False
    known = set(numbers[np.isfinite(numbers)].tolist())
    return known in ({0.0, 1.0}, {-1.0, 1.0})


def _rule(column: Column, *, named: bool) -> tuple[str, str, str] | None:
    """Returns rule, reason and check of a column; None if its values make no label.

    Args:
        column: The column.
        named: Whether its name leaves no doubt, so that more values are believed.
    """
    numbers = column.numbers
    if numbers is None:
        return None
    known = numbers[np.isfinite(numbers)]
    values = sorted(set(known.tolist()))
    name = column.name
    if set(values) <= {-1.0, 0.0, 1.0}:
        seen = " and ".join(f"{value:g}" for value in values)
        return f"{name} == 1", f"its values are {seen}", _one_label(values)
    if not named or min(values) < 0 or any(not v.is_integer() for v in values):
        return None
    if len(values) == 2:
        rule = f"{name} == {max(values):g}"
        seen = " and ".join(f"{value:g}" for value in values)
        return rule, f"its values are {seen}", "is the larger value a click?"
    if max(values) <= _GRADES and 0.0 not in values:
        rule = f"{name} >= {_GRADES - 1}"
        check = "which grade counts as a click?"
        return rule, f"its values are grades up to {max(values):g}", check
    return f"{name} > 0", "its values are numbers of clicks", "is any of them a click?"


def _one_label(values: list[float]) -> str:
    if values == [1.0]:
        return (
            "every row read is a click, and a model needs impressions without one, too"
        )
    if 1.0 not in values:
        return "no row read is a click"
    return ""


def _label(column: Column, rule: str, reason: str, check: str) -> Label:
    parsed = parse_label_rule(rule)
    numbers = column.numbers
    if numbers is None:
        clicks = np.zeros(len(column.values), np.bool_)
    else:
        known = np.where(np.isfinite(numbers), numbers, -np.inf)
        clicks = _COMPARE[parsed.comparison](known, parsed.value)
    return Label(column.name, rule, reason, check, clicks)


def _seen(column: Column) -> str:
    values = list(dict.fromkeys(shortly(value) for value in column.present[:200]))
    return f"{column.name} ({', '.join(values[:3])})"
