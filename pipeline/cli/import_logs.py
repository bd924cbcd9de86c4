"""`crossctr import`: the shipped data as dated logs."""

from __future__ import annotations

from pathlib import Path

import click

from models.errors import ConfigError
from pipeline import api
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import hold_root
from pipeline.cli.options import progress_console
from pipeline.config.local_paths import local_folder
from pipeline.config.schema import Config
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import duration


@click.command(
    name="import",
    cls=Command,
    example="crossctr import configs/xmarket.yaml",
    resume="complete domains are kept and no domain's log is there in part; the same "
    "command imports the others",
)
@CONFIG
def import_command(config_path: Path) -> None:
    """Turn raw data into dated logs with point-in-time features."""
    config = api.load_config(config_path)
    hold_root(config)
    _import_logs(config, progress_console())


def _import_logs(config: Config, console: Console) -> None:
    from pipeline.datasets.importer import import_logs

    if config.imports is None:
        raise ConfigError(
            "the configuration has no `import` section; logs that exist already need "
            "no import, so go on with `crossctr run`"
        )
    logs = local_folder(config.logs, "logs", "`crossctr import`")
    lists = [f.max_length for f in config.features if f.is_list]
    with console.status("importing") as status:
        report = import_logs(
            config.imports,
            logs,
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
        console.say(
            f"{domain.domain}: {kept:,} of {domain.read_rows:,} rows in "
            f"{domain.num_files:,} daily files, {domain.outside_rows:,} outside the "
            f"days{hidden}{sampled}{' (reused)' if domain.reused else ''}",
            soft_wrap=True,
        )
    console.say(f"Logs are in {logs} ({duration(report.seconds)})", soft_wrap=True)
