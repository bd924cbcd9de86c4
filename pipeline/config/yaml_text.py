"""YAML whose plain scalars are text: the key says what a value is read as.

YAML 1.1 guesses: a marketplace `no` is false to it, `on` true, `007` seven, `1:30`
ninety and `2024-01-01` a date. Here only an empty value, `~` and `null` are more than
text, and what wants a number or a yes or no reads it from the text. What a small file
can blow up (nesting, aliases of aliases) is bounded. Airflow's file of DAGs loads this
module alone, so it imports nothing of the packages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.reader import ReaderError

_PREFIX = "tag:yaml.org,2002:"
# What is not text: null, and `<<`, which takes over the keys of another mapping.
_KEPT = (f"{_PREFIX}null", f"{_PREFIX}merge")
# `!!int 3` and the like are text, too: the key reads it.
_TEXT = ("str", "int", "float", "bool", "timestamp")
_READ = {*_KEPT, *(f"{_PREFIX}{name}" for name in (*_TEXT, "map", "seq"))}

# A configuration has a few thousand characters, levels within levels up to six, and
# some hundred values.
_MAX_CHARACTERS = 2**20
_MAX_DEPTH = 32
_MAX_VALUES = 10_000
# Characters of a key or tag that a message shows.
_MOST_SHOWN = 80


_RESOLVERS = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _BoundedComposer(Composer):
    """Refuses what is too large or deep, and a mapping that has a key twice."""

    peek_event: Callable[[], Any]  # of the parser
    _depth = 0
    _values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Returns the next node.

        Raises:
            yaml.MarkedYAMLError: It lies too deep, or comes after too many others.
        """
        self._depth += 1
        self._values += 1
        mark = self.peek_event().start_mark
        if self._depth > _MAX_DEPTH:
            raise _problem(f"values are nested deeper than {_MAX_DEPTH} levels", mark)
        if self._values > _MAX_VALUES:
            raise _problem(f"more than {_MAX_VALUES:,} values", mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

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
                    "beside the one",
                    first[key.value].start_mark,
                    f"the key {_short(key.value)} stands here again; keep one of them",
                    key.start_mark,
                )
            first[key.value] = key
        return node

    def get_single_node(self) -> Any:
        """Returns the document's node.

        Raises:
            yaml.MarkedYAMLError: It has too many values once its aliases are filled in,
                or a tag that no key reads.
        """
        node = super().get_single_node()
        if node is not None:
            _check_size(node, {})
        return node


class _PythonLoader(_BoundedComposer, yaml.SafeLoader):
    yaml_implicit_resolvers = _RESOLVERS


_LOADERS: tuple[type[yaml.SafeLoader | yaml.CSafeLoader], ...] = (_PythonLoader,)

if yaml.__with_libyaml__:

    class _FastLoader(_BoundedComposer, yaml.CSafeLoader):
        yaml_implicit_resolvers = _RESOLVERS

        def __init__(self, text: str) -> None:
            # Its parser composes nodes itself, and so does not start a composer.
            Composer.__init__(self)
            yaml.CSafeLoader.__init__(self, text)

    _LOADERS = (_FastLoader, _PythonLoader)


def _text(loader: yaml.SafeLoader, node: Any) -> str:
    return str(loader.construct_scalar(node))


for _loader in _LOADERS:
    for _name in _TEXT:
        _loader.add_constructor(f"{_PREFIX}{_name}", _text)


def _check_size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """Returns the values in a node, those of its aliases each time; checks its tag.

    Args:
        node: The node.
        sizes: Of the nodes seen before, by identity; 0 while a node is looked into.
    """
    if id(node) in sizes:
        size = sizes[id(node)]
        if not size:
            raise _problem("an alias stands inside its own anchor", node.start_mark)
        return size
    if node.tag not in _READ:
        raise _problem(
            f"the tag {_short(node.tag)} is not read; write the value without a tag",
            node.start_mark,
        )
    sizes[id(node)] = 0
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        inner = node.value
    elif isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    size = 1 + sum(_check_size(one, sizes) for one in inner)
    if size > _MAX_VALUES:
        raise _problem(
            f"more than {_MAX_VALUES:,} values once aliases are filled in",
            node.start_mark,
        )
    sizes[id(node)] = size
    return size


def _short(text: str) -> str:
    return repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")


def _problem(text: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=mark)


def described(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    """Returns where a file is no YAML and why, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1:,} is not UTF-8; save the file as UTF-8"
    if isinstance(error, ReaderError):
        character = chr(error.character)
        return f"character {error.position + 1:,} is {character!r}; remove it"
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return " ".join(str(error).split())
    mark, context = error.problem_mark, error.context_mark
    text = f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    if error.context and context is not None:
        text += f" ({error.context} of line {context.line + 1})"
    return text


def read_yaml(text: str) -> Any:
    """Returns what the YAML document `text` holds.

    Raises:
        yaml.YAMLError: It is no YAML, a key stands twice in one mapping, a value has a
            tag that no key reads, or it is larger or deeper than any configuration.
    """
    if len(text) > _MAX_CHARACTERS:
        raise yaml.YAMLError(
            f"{len(text):,} characters; a configuration has at most {_MAX_CHARACTERS:,}"
        )
    # libyaml is five times as fast, but not everywhere, and has other messages: what it
    # refuses is read again without it.
    for loader in _LOADERS[:-1]:
        with contextlib.suppress(yaml.YAMLError):
            return yaml.load(text, loader)
    return yaml.load(text, _LOADERS[-1])
