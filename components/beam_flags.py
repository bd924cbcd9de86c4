"""Flags of Beam pipelines, checked without importing Beam, which takes seconds.

Beam drops a flag that it doesn't know with a warning in the libraries' log. Its local
runners have no flags but those that Beam's own `pipeline_options.py` declares, so for
them an unknown flag is an error. Runners behind a job service, and Dataflow, are sent
all flags and know further ones.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
from collections.abc import Sequence
from pathlib import Path

LOCAL_RUNNERS = ("DirectRunner", "BundleBasedDirectRunner", "FnApiRunner")
_DECLARED_IN = Path("options", "pipeline_options.py")
_DECLARING = ("add_argument", "add_value_provider_argument")


@functools.cache
def known_flags() -> tuple[str, ...]:
    """Returns the flags that Beam's options declare, such as `--runner`, sorted."""
    package = importlib.util.find_spec("apache_beam")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("No module named 'apache_beam'")
    source = (Path(package.origin).parent / _DECLARED_IN).read_text(encoding="utf-8")
    found = {
        argument.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _DECLARING
        for argument in node.args
        if isinstance(argument, ast.Constant)
        and isinstance(argument.value, str)
        and argument.value.startswith("-")
    }
    return tuple(sorted(found))


def unknown_flags(beam_args: Sequence[str]) -> list[str]:
    """Returns the flags, and words that are no flag's value, that Beam would drop.

    Empty if the runner is not one of Beam's local ones.

    Args:
        beam_args: Flags as on a command line: `--flag=value`, or `--flag` followed by
            its value.
    """
    if not all(runner in LOCAL_RUNNERS for runner in _runners(beam_args)):
        return []
    found = []
    takes_value = False
    for word in beam_args:
        flag, equals, _ = word.partition("=")
        if not word.startswith("-"):
            if not takes_value:
                found.append(word)
            takes_value = False
            continue
        takes_value = not equals
        # As argparse does, Beam takes a beginning that only one flag has.
        begun = [known for known in known_flags() if known.startswith(flag)]
        if flag not in begun and len(begun) != 1:
            found.append(flag)
    return found


def _runners(beam_args: Sequence[str]) -> list[str]:
    """Returns the values of all flags `--runner`."""
    runners = []
    for word, after in zip(beam_args, [*beam_args[1:], ""], strict=False):
        flag, equals, value = word.partition("=")
        if flag == "--runner":
            runners.append(value if equals else after)
    return [runner.rpartition(".")[2] for runner in runners]
