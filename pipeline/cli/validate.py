"""`crossctr validate`: a configuration, and with a day some rows of every log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from models.days import to_date
from models.errors import DataError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.output import answer
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.terminal.plain_text import visible

if TYPE_CHECKING:
    from pipeline.schemas.log_sample import DomainSample


@click.command(
    name="validate",
    cls=Command,
    as_json=True,
    example="crossctr validate configs/first_run.yaml --day 2024-01-28",
)
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
    click.echo(
        f"{config_path} is valid: {', '.join(config.sources)} -> {config.target}"
    )
    samples = None if day is None else _samples(config, day)
    answer(
        {
            "name": config.name,
            "sources": config.sources,
            "target": config.target,
            "logs": samples,
        }
    )
    stops = sum(len(sample.stops) for sample in samples or ())
    if stops:
        raise DataError(
            f"an ingest of {to_date(day or 0)} would stop at the {stops} problem(s) "
            "above; mend the log or the configuration, and validate again"
        )
    if day is not None:
        click.echo(f"The logs of {to_date(day)} can be ingested, as far as looked at.")


def _samples(config: Config, day: int) -> list[DomainSample]:
    """Reads some rows of every log and prints what is wrong with them."""
    # Late, as it imports Arrow.
    from pipeline.schemas.log_sample import sample_logs

    samples = []
    for sample in sample_logs(config, day):
        samples.append(sample)
        if sample.line:
            click.echo(visible(f"{sample.domain}: {sample.line}"))
        for problem in sample.stops:
            click.echo(visible(f"{sample.domain}: {problem}"))
        for note in sample.notes:
            click.echo(visible(f"{sample.domain}: {note} (stops nothing)"))
    return samples
