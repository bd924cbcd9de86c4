"""YAML text of a configuration, which is a configuration itself."""

from __future__ import annotations

import json

import yaml

from pipeline.config.schema import Config


def to_yaml(config: Config, *, defaults: bool) -> str:
    """Returns the keys of `config` as YAML that `load_config` reads.

    Args:
        config: The configuration.
        defaults: Whether to include keys whose value is the default.
    """
    text = config.model_dump_json(by_alias=True, exclude_defaults=not defaults)
    keys = json.loads(text)
    if not defaults:
        # A field with a serializer of its own is written even if it has its default.
        for level in keys.get("levels", {}).values():
            if level["training"] is None:
                del level["training"]
    return yaml.safe_dump(
        keys,
        sort_keys=False,
        # Mappings and lists of single values take one line.
        default_flow_style=None,
        allow_unicode=True,
        width=88,
    )
