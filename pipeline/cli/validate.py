"""`crossctr validate`: a configuration, and with a day some rows of every log."""

from __future__ import annotations

from pathlib import Path

import click

from models.days import to_date
from models.errors import DataError
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.terminal.plain_text import visible


@click.command(name="validate")
@CONFIG
@click.option(
    "--day", type=Day(), help="Also read some rows of each domain's log of this day."
)
def validate_command(config_path: Path, day: int | None) -> None:
    """Check a configuration; nothing runs and nothing is written.

    With --day, some rows of each domain are read as an ingest would read them, and all
    problems are listed at once, each with a value: types, times, labels, and what the
    schema does not allow. Exits with 2 if one of them would stop an ingest.
    """
    config = load_config(config_path)
    sources = ", ".join(config.sources)
    click.echo(f"{config_path} is valid: {sources} -> {config.target}")
    if day is not None:
        _check_logs(config, day)


def _check_logs(config: Config, day: int) -> None:
    from pipeline.schemas.log_sample import sample_logs

    stops = 0
    for sample in sample_logs(config, day):
        if sample.line:
            click.echo(visible(f"{sample.domain}: {sample.line}"))
        for problem in sample.stops:
            click.echo(visible(f"{sample.domain}: {problem}"))
        for note in sample.notes:
            click.echo(visible(f"{sample.domain}: {note} (stops nothing)"))
        stops += len(sample.stops)
    if stops:
        raise DataError(
            f"an ingest of {to_date(day)} would stop at the {stops} problem(s) above; "
            "mend the log or the configuration, and validate again"
        )
    click.echo(f"The logs of {to_date(day)} can be ingested, as far as looked at.")
