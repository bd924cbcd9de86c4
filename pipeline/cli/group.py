"""Command line: `crossctr <command> CONFIG`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from components.gate.reasons import reasons_of
from models.days import to_date
from models.errors import ConfigError
from models.errors import listed
from models.errors import shown
from pipeline import api
from pipeline.cli.error_line import as_ours
from pipeline.cli.error_line import line_of
from pipeline.cli.options import CONFIG
from pipeline.cli.options import STRATEGY_HELP
from pipeline.cli.options import Day
from pipeline.cli.options import chosen_strategies
from pipeline.cli.options import hold_root
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.config.wording import closest
from pipeline.execution.failures import raise_failed
from pipeline.execution.job import Plan
from pipeline.execution.job import plan_when_ready
from pipeline.execution.job import run_steps
from pipeline.execution.run_records import used
from pipeline.planning.fingerprint import code_fingerprint
from pipeline.planning.reasons import read_earlier
from pipeline.planning.reasons import settings_of
from pipeline.planning.reasons import why_due
from pipeline.planning.step_kinds import StepKind
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import duration
from pipeline.terminal.slice_table import slice_table
from pipeline.terminal.tables import comparison
from pipeline.terminal.tables import plan_table
from pipeline.terminal.tables import result_table
from pipeline.terminal.tables import warm_start_table

# Commands with a module of their own, which is imported when the command is called.
_COMMANDS = {
    "accept": "pipeline.cli.accept:accept_command",
    "ablate": "pipeline.cli.ablate:ablate",
    "backfill": "pipeline.cli.backfill:backfill_command",
    "clean": "pipeline.cli.clean:clean_command",
    "compare": "pipeline.cli.compare:compare_command",
    "compile": "pipeline.cli.compile:compile_command",
    "embeddings": "pipeline.cli.embeddings:embeddings",
    "predict": "pipeline.cli.predict:predict_command",
    "init": "pipeline.cli.init:init_command",
    "promote": "pipeline.cli.promote:promote_command",
    "report": "pipeline.cli.report:report_command",
    "rollback": "pipeline.cli.versions:rollback_command",
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


class _Group(click.Group):
    """Group that prints crossctr's errors as one line and exits with their code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the names of all commands, in order."""
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Returns a command, importing its module; None if there is no such command."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command that the arguments name; suggests one if none has it."""
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
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
            ours = as_ours(error)
            click.echo(line_of(ours), err=True)
            sys.exit(ours.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Daily CTR training that learns a sparse target domain from rich source domains.

    CONFIG is a YAML file such as configs/xmarket.yaml.
    """


@main.command(name="import")
@CONFIG
def import_command(config_path: Path) -> None:
    """Turn raw data into dated logs with point-in-time features."""
    config = load_config(config_path)
    hold_root(config)
    _import_logs(config, wide_console())


@main.command()
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day.")
@click.option("--strategy", "-s", multiple=True, help=STRATEGY_HELP)
@click.option("--compare", is_flag=True, help="All entries of `strategies`.")
def plan(config_path: Path, day: int, strategy: Sequence[str], compare: bool) -> None:
    """Print what `run` would do, on which impressions and artifacts; nothing runs."""
    config, strategies = chosen_strategies(load_config(config_path), strategy, compare)
    planned = api.plan(config, day, strategies)
    console = wide_console()
    why = why_due(
        planned.steps,
        read_earlier(config.root, planned.steps),
        code_fingerprint(),
        settings_of(config),
    )
    shown = used(planned.steps)
    console.print(plan_table(shown, why))
    if len(shown) < len(planned.steps):
        console.print(
            f"{len(planned.steps) - len(shown)} stored blocks that no level reads are "
            "not shown"
        )
    _print_unread(planned, console)
    _print_runs_to_repeat(config_path, planned, console)
    raise_failed(planned.refused)


@main.command()
@CONFIG
@click.option("--to", "last_day", type=Day(), required=True, help="Last day ingested.")
def ingest(config_path: Path, last_day: int) -> None:
    """Ingest all days of logs up to a day that are not ingested yet."""
    config = load_config(config_path)
    if last_day < config.first:
        raise ConfigError(
            f"--to {to_date(last_day)} is before first_day {config.first_day}; "
            "choose a later day"
        )
    console = wide_console()
    hold_root(config)
    planned = plan_when_ready(config, lambda planner: planner.ingest(last_day), console)
    _print_unread(planned, console)
    run_steps(config, planned.steps, console)
    _print_runs_to_repeat(config_path, planned, console)


@main.command()
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@click.option("--strategy", "-s", multiple=True, help=STRATEGY_HELP)
@click.option("--compare", is_flag=True, help="All entries of `strategies`.")
@click.option(
    "--until",
    type=click.Choice([str(kind) for kind in StepKind]),
    default=str(StepKind.TARGET),
    help="Last kind of step to run; a scheduler runs one kind after the other.",
)
def run(
    config_path: Path, day: int, strategy: Sequence[str], compare: bool, until: str
) -> None:
    """Run all levels that are due on a day, evaluate the target model and publish it.

    Trains on impressions before the day, evaluates on the target's impressions of the
    `evaluation_days` from the day on. What is stored already is reused.
    """
    config, strategies = chosen_strategies(load_config(config_path), strategy, compare)
    console = wide_console()
    # Until the results are printed and the page is written.
    hold_root(config)
    result = api.run(config, day, strategies, until=StepKind(until), console=console)
    if StepKind(until) == StepKind.TARGET:
        _print_results(config, result, console)
        api.write_page(config, result, console)
        _print_runs_to_repeat(config_path, result.plan, console)
    raise_failed(result.failed)


def _print_results(config: Config, run: api.RunResult, console: Console) -> None:
    """Prints the tables and sentences that a run ends with."""
    # Late, as they import NumPy and Arrow.
    from pipeline.comparing.standing import standing
    from pipeline.store.references import references_of

    references = references_of(Store(config.root, config.metadata), run.steps)
    results = run.results
    console.print(result_table(results, config.target, run.failed, references))
    aucs = {one.strategy: one.decision["candidate"]["auc"] for one in results}
    for sentence in standing(aucs, references):
        console.print(sentence, soft_wrap=True, highlight=False)
    for result in results:
        if result.strategy == config.strategy:
            console.print(slice_table(result, config.target))
    verdict = comparison(results, config.strategy)
    if verdict:
        console.print(verdict)
    for result in results:
        table = warm_start_table(result)
        if result.strategy == config.strategy and table is not None:
            console.print(table)
    for result in results:
        if result.published:
            console.print(f"Published SavedModel: {result.published}", soft_wrap=True)
        elif result.strategy == config.strategy:
            unfit = f"not fit to be served: {result.unfit}" if result.unfit else ""
            reasons = unfit or "; ".join(map(str, reasons_of(result.decision)))
            console.print(f"Not published: {reasons}", soft_wrap=True)


def _print_unread(planned: Plan, console: Console) -> None:
    """Names files in the logs' folders that no ingest reads."""
    for line in planned.unread:
        console.print(line, soft_wrap=True)


def _print_runs_to_repeat(config_path: Path, planned: Plan, console: Console) -> None:
    """Names earlier runs that used logs which have changed since."""
    if not planned.to_repeat:
        return
    console.print(
        f"These runs used logs that have changed since ({listed(planned.late)}); to "
        "train their models on the new logs, repeat them, oldest first:"
    )
    for day, strategy in planned.to_repeat:
        console.print(
            f"  crossctr run {config_path} --day {to_date(day)} -s {strategy}",
            soft_wrap=True,
        )
    days = [log.day for log in planned.late]
    console.print(
        "If a change means nothing for the models, take the logs as they were:\n"
        f"  crossctr accept {config_path} --from {to_date(min(days))} "
        f"--to {to_date(max(days))} --reason WHY",
        soft_wrap=True,
    )


def _import_logs(config: Config, console: Console) -> None:
    from pipeline.datasets.importer import import_logs

    if config.imports is None:
        raise ConfigError(
            "the configuration has no `import` section; logs that exist already need "
            "no import, so go on with `crossctr run`"
        )
    lists = [f.max_length for f in config.features if f.is_list]
    with console.status("importing") as status:
        report = import_logs(
            config.imports,
            config.logs,
            config.domains,
            config.first_day,
            recent_items=max(lists, default=1),
            on_progress=lambda domain, rows: status.update(f"{domain}: {rows:,} rows"),
        )
    for domain in report.domains:
        kept = domain.read_rows - domain.outside_rows - domain.hidden_rows
        hidden = (
            f", {domain.hidden_rows:,} left out for cold users"
            if domain.hidden_rows
            else ""
        )
        sampled = (
            f"; {domain.negative_rows:,} negatives sampled, "
            f"{domain.missing_negatives:,} could not be, "
            f"{domain.unmatched_positives:,} positives have none"
            if config.imports.negatives
            else ""
        )
        console.print(
            f"{domain.domain}: {kept:,} of {domain.read_rows:,} rows in "
            f"{domain.num_files:,} daily files, {domain.outside_rows:,} outside the "
            f"days{hidden}{sampled}{' (reused)' if domain.reused else ''}",
            soft_wrap=True,
        )
    console.print(
        f"Logs are in {config.logs} ({duration(report.seconds)})", soft_wrap=True
    )
