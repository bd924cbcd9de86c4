"""YAML whose plain scalars are text: the key says what a value is read as.

YAML 1.1 guesses: a marketplace `no` is false to it, `on` true, `007` seven, `1:30`
ninety and `2024-01-01` a date. Here only an empty value, `~` and `null` are more than
text, and what wants a number or a yes or no reads it from the text.
"""

from __future__ import annotations

from typing import Any

import yaml

# What is not text: null, and `<<`, which takes over the keys of another mapping.
_KEPT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")


class TextLoader(yaml.SafeLoader):
    """Reads YAML; refuses a mapping that has a key twice, whose first would be lost."""

    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Returns the node of a mapping.

        Raises:
            yaml.MarkedYAMLError: A key stands in it twice.
        """
        node = super().compose_mapping_node(anchor)
        first: dict[str, Any] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in first:
                raise yaml.MarkedYAMLError(
                    "in a mapping that has it before",
                    first[key.value].start_mark,
                    f"the key {key.value!r} stands here again; keep one of them",
                    key.start_mark,
                )
            first[key.value] = key
        return node


def read_yaml(text: str) -> Any:
    """Returns what the YAML document `text` holds.

    Raises:
        yaml.YAMLError: It is no YAML, or a key stands twice in one mapping.
    """
    return yaml.load(text, TextLoader)
