"""YAML files that a user writes, read with errors in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from models.errors import ConfigError
from models.errors import shortened
from pipeline.config.yaml_text import described
from pipeline.config.yaml_text import read_yaml


def read_yaml_file(path: Path, called: str) -> Any:
    """Returns what the YAML file at `path` holds.

    Args:
        path: The file.
        called: Its name in messages.

    Raises:
        ConfigError: It cannot be read, or is not YAML.
    """
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = shortened(described(error))
        raise ConfigError(f"{called} is not valid YAML: {detail}") from error
    except OSError as error:
        raise ConfigError(
            f"{called} cannot be read: {error.strerror}; make it readable for this user"
        ) from error
