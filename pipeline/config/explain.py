"""Error messages for an invalid configuration: key, value and what is allowed."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel
from pydantic import ValidationError

from pipeline.config.wording import closest


def explained(model: type[BaseModel], error: ValidationError, prefix: str = "") -> str:
    """Returns the message for all of pydantic's errors.

    Args:
        model: What was validated.
        error: What pydantic raised.
        prefix: Text before each key, such as `strategies.mine.`.
    """
    return "; ".join(_explain(model, problem, prefix) for problem in error.errors())


def _explain(model: type[BaseModel], problem: Any, prefix: str) -> str:
    """Returns the message for one of pydantic's errors."""
    location = tuple(problem["loc"])
    key = prefix + ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        allowed = _keys_at(model, location[:-1])
        hint = closest(str(location[-1]), allowed)
        return f"unknown key {key!r}{hint} (allowed: {', '.join(allowed)})"
    if problem["type"] == "missing":
        return f"key {key!r} is missing; add it"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] in ("string_type", "invalid_key") and problem["input"] is None:
        message += " (if a name was meant, quote it: 'null')"
    if (
        not location
        or problem["type"] == "value_error"
        and isinstance(problem["input"], dict)
    ):
        return message
    received = problem["input"]
    # The text was read as a number, as its bound was checked.
    bounded = problem["type"].startswith(("greater_than", "less_than"))
    return f"{key}: {message}; received {received if bounded else repr(received)}"


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
