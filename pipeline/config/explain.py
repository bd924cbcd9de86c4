"""Error messages for an invalid configuration: key, value and what is allowed."""

from __future__ import annotations

import re
import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic import ValidationError

from models.errors import shortened
from models.errors import shown
from pipeline.config.wording import closest

# Problems that one message names, and characters of each: the keys that a part of the
# configuration may have are some hundred.
_MOST_PROBLEMS = 20
_MOST_CHARACTERS = 1_000
_CREDENTIALS = re.compile("://[^/@]*@")


def explained(model: type[BaseModel], error: ValidationError, prefix: str = "") -> str:
    """Returns the message for all of pydantic's errors.

    Args:
        model: What was validated.
        error: What pydantic raised.
        prefix: Text before each key, such as `strategies.mine.`.
    """
    problems = [one for one in error.errors() if not _follows_from_others(one)]
    named = [
        shortened(_explain(model, problem, prefix), _MOST_CHARACTERS)
        for problem in problems[:_MOST_PROBLEMS]
    ]
    more = len(problems) - len(named)
    return "; ".join([*named, *([f"{more:,} more problems"] if more else [])])


def _follows_from_others(problem: Any) -> bool:
    """Whether a list only counts as too short because its items were refused."""
    return problem["type"] == "too_short" and len(problem["input"]) > 0


def _explain(model: type[BaseModel], problem: Any, prefix: str) -> str:
    """Returns the message for one of pydantic's errors."""
    location = tuple(problem["loc"])
    key = shortened(prefix + ".".join(str(part) for part in location), 200)
    if problem["type"] == "extra_forbidden":
        allowed = _keys_at(model, location[:-1])
        hint = closest(str(location[-1]), allowed)
        return f"unknown key {key!r}{hint} (allowed: {', '.join(allowed)})"
    if problem["type"] == "missing":
        return f"key {key!r} is missing; add it"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] in ("string_type", "invalid_key") and problem["input"] is None:
        message += " (if a name was meant, quote it: 'null')"
    if not location:
        return message
    if problem["type"] == "value_error" and isinstance(problem["input"], dict):
        return message if message.startswith(key) else f"{key}: {message}"
    received = problem["input"]
    # The text was read as a number, as its bound was checked.
    bounded = problem["type"].startswith(("greater_than", "less_than"))
    value = shortened(str(received), 200) if bounded else shown(received)
    # Messages go into logs, which are no place for credentials.
    value = _CREDENTIALS.sub("://...@", value)
    return f"{key}: {message}; received {value}"


def _keys_at(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Returns the keys that `model` allows at `location` inside it."""
    for i, part in enumerate(location):
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                inner = _model_in(field.annotation)
                if inner is None:
                    return []
                rest = location[i + 1 :]
                # The next part is an index or a mapping's key, not a field.
                if rest and typing.get_origin(field.annotation) in (tuple, dict):
                    rest = rest[1:]
                return _keys_at(inner, rest)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Returns the model class inside an annotation such as `tuple[Model, ...]`."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    for argument in typing.get_args(annotation):
        inner = _model_in(argument)
        if inner is not None:
            return inner
    return None
