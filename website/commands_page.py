"""Reference of the command line: the `--help` of every command."""

from __future__ import annotations

from collections.abc import Iterator

import click

from pipeline.cli import main


def commands_page() -> str:
    """Returns the page with the help of every command."""
    context = click.Context(main, info_name="crossctr", max_content_width=100)
    parts = [
        "# Commands",
        "What `crossctr COMMAND --help` prints.",
        *(part for name, text in _helps(context) for part in _section(name, text)),
    ]
    return "\n\n".join(parts) + "\n"


def _helps(context: click.Context) -> Iterator[tuple[str, str]]:
    """Yields the full name and the help of each command below a context's."""
    command = context.command
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is None or inner.hidden:
            continue
        below = click.Context(inner, context, name, max_content_width=100)
        yield below.command_path, inner.get_help(below)
        yield from _helps(below)


def _section(name: str, text: str) -> tuple[str, str]:
    return f"## {name}", f"```text\n{text}\n```"
