"""`crossctr run`: one day, from logs to a published model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from components.gate.reasons import reasons_of
from models.days import to_date
from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.late_logs import show_runs_to_repeat
from pipeline.cli.late_logs import to_repeat
from pipeline.cli.options import COMPARE
from pipeline.cli.options import CONFIG
from pipeline.cli.options import STRATEGY
from pipeline.cli.options import Day
from pipeline.cli.options import asked_for
from pipeline.cli.options import hold_root
from pipeline.cli.options import progress_console
from pipeline.cli.output import answer
from pipeline.cli.output import output
from pipeline.config.schema import Config
from pipeline.execution.failures import raise_failed
from pipeline.planning.step_kinds import StepKind
from pipeline.store.reader import Store
from pipeline.store.results import TargetResult
from pipeline.terminal.plain_text import Console
from pipeline.terminal.slice_table import slice_table
from pipeline.terminal.tables import comparison
from pipeline.terminal.tables import result_table
from pipeline.terminal.tables import warm_start_table


@click.command(
    name="run",
    cls=Command,
    as_json=True,
    example="crossctr run configs/first_run.yaml --day 2024-01-29\n"
    "crossctr run configs/first_run.yaml --day 2024-01-29 -s ecdctr -s target_only",
    resume="finished steps are kept and the live model is as it was; the same command "
    "goes on with the next step",
)
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day D.")
@STRATEGY
@COMPARE
@click.option(
    "--until",
    type=click.Choice([str(kind) for kind in StepKind]),
    default=str(StepKind.TARGET),
    help="Last kind of step to run; a scheduler runs one kind after the other.",
)
def run_command(
    config_path: Path, day: int, strategy: Sequence[str], compare: bool, until: str
) -> None:
    """Run what is due on a day: ingest, train, evaluate, publish.

    Trains on impressions before the day, evaluates on the target's impressions of the
    `evaluation_days` from the day on, and publishes the target model if the Gate
    approves. Stored results are reused.
    """
    config = api.load_config(config_path)
    console = progress_console()
    # Until the results are printed and the page is written.
    hold_root(config)
    names = asked_for(config, strategy, compare)
    result = api.run(config, day, names, until=StepKind(until), console=console)
    page = None
    if StepKind(until) == StepKind.TARGET:
        if not output().as_json:
            _print_results(config, result, console)
        page = api.write_page(config, result, console)
        show_runs_to_repeat(config_path, result.plan, console)
    answer(
        {
            "day": to_date(result.day),
            "results": [described(one) for one in result.results],
            "failed": result.failed,
            "page": page,
            "to_repeat": to_repeat(result.plan),
        }
    )
    raise_failed(result.failed)


def described(result: TargetResult) -> dict[str, Any]:
    """Returns a strategy's result for JSON."""
    decision = result.decision
    return {
        "strategy": result.strategy,
        "approved": decision["approved"],
        "state": decision["state"],
        "reasons": [str(reason) for reason in reasons_of(decision)],
        "metrics": decision["candidate"],
        "published": result.published,
        "unfit": result.unfit,
    }


def _print_results(config: Config, run: api.RunResult, console: Console) -> None:
    """Prints the tables and sentences that a run ends with."""
    # Late, as they import NumPy and Arrow.
    from pipeline.comparing.standing import standing
    from pipeline.store.references import references_of

    references = references_of(Store(config.root, config.metadata), run.steps)
    results = run.results
    console.say(result_table(results, config.target, run.failed, references))
    aucs = {one.strategy: one.decision["candidate"]["auc"] for one in results}
    for sentence in standing(aucs, references):
        console.say(sentence, soft_wrap=True, highlight=False)
    for result in results:
        if result.strategy == config.strategy:
            console.say(slice_table(result, config.target))
    verdict = comparison(results, config.strategy)
    if verdict:
        console.say(verdict)
    for result in results:
        table = warm_start_table(result)
        if result.strategy == config.strategy and table is not None:
            console.say(table)
    for result in results:
        if result.published:
            console.say(f"Published SavedModel: {result.published}", soft_wrap=True)
        elif result.strategy == config.strategy:
            unfit = f"not fit to be served: {result.unfit}" if result.unfit else ""
            reasons = unfit or "; ".join(map(str, reasons_of(result.decision)))
            console.say(f"Not published: {reasons}", soft_wrap=True)
