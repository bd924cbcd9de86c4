"""`crossctr ingest`: logs as transformed Examples, up to a day."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.late_logs import show_runs_to_repeat
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import progress_console


@click.command(
    name="ingest",
    cls=Command,
    example="crossctr ingest configs/first_run.yaml --to 2024-01-28",
    resume="finished blocks of days are kept; the same command ingests the others",
)
@CONFIG
@click.option("--to", "last_day", type=Day(), required=True, help="Last day ingested.")
def ingest_command(config_path: Path, last_day: int) -> None:
    """Ingest all days of logs up to a day that are not ingested yet."""
    console = progress_console()
    planned = api.ingest(api.load_config(config_path), last_day, console=console)
    show_runs_to_repeat(config_path, planned, console)
