"""Reads a configuration file and says in words what is wrong with it."""

from __future__ import annotations

import re
import types
import typing
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic import ValidationError

from models.errors import ConfigError
from pipeline.config import Config
from pipeline.config_sections import ServingConfig
from pipeline.wording import closest


def load_config(path: Path) -> Config:
    """Reads and checks the configuration at `path`.

    Args:
        path: YAML file; relative paths inside it are relative to its folder.

    Returns:
        The configuration with absolute paths.

    Raises:
        ConfigError: The file is missing, no YAML, or not a valid configuration. The
            message names every offending key with its value and what is allowed.
    """
    if not path.is_file():
        raise ConfigError(
            f"there is no file {str(path)!r}; expected a YAML configuration such as "
            "configs/xmarket.yaml"
        )
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = re.sub(r"\s+", " ", str(error))
        raise ConfigError(f"{path} is not valid YAML: {detail}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds {type(data).__name__}, expected keys: values")
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"{path}: " + "; ".join(problems)) from error
    return _absolute(config, path.resolve().parent)


def _absolute(config: Config, base: Path) -> Config:
    """Returns `config` with its paths resolved against `base`."""

    def resolve(path: Path) -> Path:
        return (base / path).resolve()

    imports = config.imports
    if imports is not None:
        imports = imports.model_copy(update={"data": resolve(imports.data)})
    simulate = config.simulate
    if simulate is not None:
        simulate = simulate.model_copy(update={"truth": resolve(simulate.truth)})
    return config.model_copy(
        update={
            "root": resolve(config.root),
            "logs": resolve(config.logs),
            "schema_path": resolve(config.schema_path),
            "imports": imports,
            "simulate": simulate,
            "serving": ServingConfig(directory=resolve(config.serving.directory)),
        }
    )


def _explain(problem: Any) -> str:
    """Returns one of pydantic's problems in this project's words."""
    location = tuple(problem["loc"])
    key = ".".join(str(part) for part in location)
    if problem["type"] == "extra_forbidden":
        allowed = _keys_at(Config, location[:-1])
        hint = closest(str(location[-1]), allowed)
        return f"unknown key {key!r}{hint} (allowed: {', '.join(allowed)})"
    if problem["type"] == "missing":
        return f"key {key!r} is missing; add it"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if (
        not key
        or problem["type"] == "value_error"
        and isinstance(problem["input"], dict)
    ):
        return message
    return f"{key}: {message}; received {problem['input']!r}"


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
