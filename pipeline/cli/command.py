"""Command class: an example in the help, `--quiet`, `--json`, and a word at Ctrl-C."""

from __future__ import annotations

from typing import Any

import click

from models.errors import CrossctrError
from models.errors import ExitCode
from pipeline.cli.output import Output


class StoppedError(CrossctrError):
    """Ctrl-C was pressed."""

    headline = "Stopped"
    exit_code = ExitCode.INTERRUPTED


class _WithExample(click.Command):
    """Command whose help ends with an example that can be copied."""

    def __init__(self, *arguments: Any, example: str, **options: Any) -> None:
        """Takes the example's command lines, one a line, beside click's options."""
        super().__init__(*arguments, **options)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the example, unwrapped."""
        with formatter.section("Example"):
            for line in self.example.splitlines():
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        super().format_epilog(ctx, formatter)


class Command(_WithExample):
    """Command of `crossctr`.

    Attributes:
        example: Command lines for its help.
        resume: What a command that is stopped by Ctrl-C leaves, and how to go on.
    """

    def __init__(
        self,
        *arguments: Any,
        example: str,
        resume: str = "",
        as_json: bool = False,
        **options: Any,
    ) -> None:
        """Adds the options that commands share.

        Args:
            *arguments: Passed to click.
            example: Command lines for the help, one a line.
            resume: What a command that is stopped by Ctrl-C leaves, and how to go on,
                as a part of a sentence; empty for one that takes seconds.
            as_json: Whether the command answers with a JSON document if asked to.
            **options: Passed to click.
        """
        shared: list[click.Parameter] = [_flag("quiet", _QUIET_HELP, "-q")]
        if as_json:
            shared.append(_flag("as_json", _JSON_HELP))
        options["params"] = [*options.get("params", ()), *shared]
        super().__init__(*arguments, example=example, **options)
        self.resume = resume

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command.

        Raises:
            StoppedError: Ctrl-C was pressed.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            parts = [*map(str, error.args), self.resume]
            text = "; ".join(part for part in parts if part)
            raise StoppedError(text or "nothing is left behind") from error


class Group(_WithExample, click.Group):
    """Group of commands of `crossctr`."""


_QUIET_HELP = "Print only the result and warnings."
_JSON_HELP = "Print one JSON document; all else goes to standard error."


def _flag(name: str, text: str, *short: str) -> click.Option:
    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(ctx.ensure_object(Output), name, value)

    return click.Option(
        [f"--{name.removeprefix('as_')}", *short],
        is_flag=True,
        expose_value=False,
        callback=keep,
        help=text,
    )
