"""The columns that name users and items, and what each other column describes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Literal

from models.errors import DataError
from models.errors import listed
from pipeline.guessing.column import Column
from pipeline.guessing.kinds import Kind
from pipeline.guessing.names import CONTEXT_WORDS
from pipeline.guessing.names import ID_WORDS
from pipeline.guessing.names import ITEM_WORDS
from pipeline.guessing.names import SIDE_PREFIXES
from pipeline.guessing.names import USER_WORDS
from pipeline.guessing.names import words

Side = Literal["user", "item", "context"]
_WORDS = {"user": USER_WORDS, "item": ITEM_WORDS}
# Of pairs of rows of one user (or item) and day, the share that must agree, and the
# fewest pairs that are believed.
_AGREE = 0.98
_MIN_PAIRS = 20


def guess_key(
    domain: str,
    what: Literal["user", "item"],
    columns: Mapping[str, Column],
    kinds: Mapping[str, Kind],
    given: str | None = None,
    taken: Collection[str] = (),
) -> tuple[str, str]:
    """Returns the column that names users or items, and why.

    Args:
        domain: The domain, for messages.
        what: Which of the two.
        columns: The domain's columns.
        kinds: Their kinds.
        given: A column that the user named.
        taken: Columns that are something else.

    Raises:
        DataError: No column looks like it, or the given one is none.
    """
    if given is not None:
        if given not in columns:
            raise DataError(
                f"--{what} {given!r} is not a column of {domain!r}; expected one of "
                f"{listed(columns, first=40)}"
            )
        return given, "named on the command line"
    possible = {
        name: columns[name]
        for name, kind in kinds.items()
        if name not in taken and _may_be_ids(kind, columns[name])
    }
    ranked = sorted(
        (_distance(name, _WORDS[what]), -len(column.distinct), name)
        for name, column in possible.items()
        if _distance(name, _WORDS[what]) is not None
    )
    if ranked:
        name = ranked[0][2]
        many = f"{len(columns[name].distinct):,} different values"
        return name, f"its name says so; {many} in the rows read"
    raise DataError(
        f"no column of {domain!r} names the {what} of an impression for sure; looked "
        f"at {listed(possible or columns, first=40)}; name it, "
        f"`--{what} {domain}=COLUMN`"
    )


def _may_be_ids(kind: Kind, column: Column) -> bool:
    # A log of one user has ids, too.
    single = not kind.kind and len(column.distinct) == 1
    return kind.kind == "id" or (single and not column.is_native_list)


def _distance(name: str, whose: frozenset[str]) -> int | None:
    """Returns how far a name is from `user_id`; None if it says nothing of a user."""
    found = [word for word in words(name) if word not in SIDE_PREFIXES]
    if not any(word in whose for word in found):
        return None
    others = [word for word in found if word not in whose and word not in ID_WORDS]
    named = any(word in ID_WORDS for word in found) or len(found) == 1
    return 2 * len(others) + (not named) if named or not others else None


def guess_side(
    column: Column,
    kind: str,
    users: Sequence[str | None],
    items: Sequence[str | None],
) -> tuple[Side | None, str]:
    """Returns what a column describes, and why; None where nothing tells.

    Args:
        column: The column.
        kind: Its kind.
        users: User of each row, with the day, so that what moves from day to day counts
            as the same.
        items: Item of each row, with the day.
    """
    values = column.texts
    by_user, user_pairs = _agreement(values, users, items)
    by_item, item_pairs = _agreement(values, items, users)
    of_user = user_pairs >= _MIN_PAIRS and by_user >= _AGREE
    of_item = item_pairs >= _MIN_PAIRS and by_item >= _AGREE
    if of_user != of_item:
        side: Side = "user" if of_user else "item"
        share = by_user if of_user else by_item
        return side, f"the same in {share:.0%} of the rows of one {side} and day"
    said = _said(column.name)
    # A list of items is mostly what a user did with them.
    if said is not None and not (said == "item" and kind == "ids"):
        return said, "its name says so"
    return None, ""


def _said(name: str) -> Side | None:
    found = words(name)
    if any(word in USER_WORDS for word in found):
        return "user"
    if len(found) > 1 and found[0] in SIDE_PREFIXES:
        return SIDE_PREFIXES[found[0]]  # type: ignore[return-value]
    if any(word in CONTEXT_WORDS for word in found):
        return "context"
    return "item" if any(word in ITEM_WORDS for word in found) else None


def _agreement(
    values: Sequence[str | None],
    groups: Sequence[str | None],
    others: Sequence[str | None],
) -> tuple[float, int]:
    """Returns the share of neighbouring rows of a group with one value, and how many.

    Only neighbours that differ in `others` count: two rows of one user and one item
    agree in everything.
    """
    last: dict[str, int] = {}
    counted: dict[bool, int] = defaultdict(int)
    for row, group in enumerate(groups):
        if group is None:
            continue
        before = last.get(group)
        last[group] = row
        if before is not None and others[before] != others[row]:
            counted[values[before] == values[row]] += 1
    pairs = sum(counted.values())
    return (counted[True] / pairs if pairs else 0.0), pairs
