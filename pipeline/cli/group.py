"""Command line: `crossctr <command> CONFIG`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from models.errors import CrossctrError
from models.errors import shown
from pipeline.cli.command import Group
from pipeline.cli.error_line import as_ours
from pipeline.cli.error_line import line_of
from pipeline.cli.output import Output
from pipeline.cli.output import json_on_standard_output
from pipeline.config.wording import closest

# Each has a module of its own, which is imported when the command is called.
_COMMANDS = {
    "accept": "pipeline.cli.accept:accept_command",
    "ablate": "pipeline.cli.ablate:ablate",
    "backfill": "pipeline.cli.backfill:backfill_command",
    "clean": "pipeline.cli.clean:clean_command",
    "compare": "pipeline.cli.compare:compare_command",
    "compile": "pipeline.cli.compile:compile_command",
    "doctor": "pipeline.cli.doctor:doctor_command",
    "embeddings": "pipeline.cli.embeddings:embeddings",
    "import": "pipeline.cli.import_logs:import_command",
    "ingest": "pipeline.cli.ingest:ingest_command",
    "plan": "pipeline.cli.plan:plan_command",
    "predict": "pipeline.cli.predict:predict_command",
    "init": "pipeline.cli.init:init_command",
    "promote": "pipeline.cli.promote:promote_command",
    "report": "pipeline.cli.report:report_command",
    "rollback": "pipeline.cli.versions:rollback_command",
    "run": "pipeline.cli.run:run_command",
    "schema": "pipeline.cli.schema:schema",
    "schema-json": "pipeline.cli.show:schema_json_command",
    "serve": "pipeline.cli.serve:serve_command",
    "show": "pipeline.cli.show:show_command",
    "simulate": "pipeline.cli.simulate:simulate",
    "sizes": "pipeline.cli.sizes:sizes",
    "strategies": "pipeline.cli.strategies:strategies_command",
    "tune": "pipeline.cli.tune:tune_command",
    "validate": "pipeline.cli.validate:validate_command",
    "versions": "pipeline.cli.versions:versions_command",
    "vocabularies": "pipeline.cli.vocabularies:vocabularies_command",
    "worker": "pipeline.cli.worker:worker_command",
}
_HELP = {"-h", "--help"}


class _Refused(click.ClickException):
    """An error of this project, as click ends with it: one line and its exit code."""

    def __init__(self, error: CrossctrError) -> None:
        super().__init__(line_of(error))
        self.exit_code = int(error.exit_code)  # type: ignore[misc]

    def show(self, file: Any = None) -> None:
        """Prints the line."""
        del file
        click.echo(self.message, err=True)


class _Main(Group):
    """Group that prints crossctr's errors as one line and exits with their code."""

    def main(
        self, args: Sequence[str] | None = None, *others: Any, **named: Any
    ) -> Any:
        """Runs a command line, with its answer as JSON if it has `--json`."""
        words = sys.argv[1:] if args is None else list(args)
        run: Callable[..., Any] = super().main
        if "--json" in words and not _HELP & {*words}:
            named["standalone_mode"] = False
            json_on_standard_output(
                lambda asked: run(args, *others, obj=asked, **named)
            )
        return run(args, *others, obj=Output(), **named)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, in order."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, importing its module; None if there is no such command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def shell_complete(
        self, ctx: click.Context, incomplete: str
    ) -> list[CompletionItem]:
        """Returns the commands that begin so; their help would import them all."""
        names = [one for one in self.list_commands(ctx) if one.startswith(incomplete)]
        own = click.Command.shell_complete(self, ctx, incomplete)
        return [*map(CompletionItem, names), *own]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that the arguments name; suggests one if none has it."""
        name = args[0]
        if not name.startswith("-") and name not in _COMMANDS:
            close = closest(name, self.list_commands(ctx))
            ctx.fail(f"there is no command {shown(name)}{close}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Runs the command."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:  # noqa: BLE001 (nothing escapes as a traceback)
            raise _Refused(as_ours(error)) from error


@click.group(
    cls=_Main,
    context_settings={"help_option_names": ["-h", "--help"]},
    example=(
        "crossctr validate configs/first_run.yaml\n"
        "crossctr run configs/first_run.yaml --day 2024-01-29"
    ),
)
def main() -> None:
    """Daily CTR models of a sparse target domain, trained with rich source domains.

    CONFIG is a YAML file such as configs/first_run.yaml. New here? Start with `crossctr
    init LOGS` on logs of your own, or with docs/quickstart.md on simulated ones.
    """
