"""Commands that show a configuration, and what a configuration may contain."""

from __future__ import annotations

import json
from pathlib import Path

import click

from models.features.table import FeatureTable
from models.features.table import describe
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.config.yaml_dump import to_yaml
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import Table


@click.command(
    name="show",
    cls=Command,
    example="crossctr show configs/first_run.yaml --all",
)
@CONFIG
@click.option("--all", "defaults", is_flag=True, help="Keys with their default, too.")
def show_command(config_path: Path, defaults: bool) -> None:
    """Print the keys that are not at their default, as YAML.

    And the feature table. Paths are absolute. The YAML is a configuration itself.
    """
    config = load_config(config_path)
    click.echo(to_yaml(config, defaults=defaults))
    for line in _table_lines(config.table, wide_console()):
        click.echo(f"# {line}".rstrip())


@click.command(
    name="schema-json",
    cls=Command,
    example="crossctr schema-json > crossctr.schema.json",
)
def schema_json_command() -> None:
    """Print the JSON schema by which editors check configurations."""
    # Late, as it imports every strategy's module.
    from pipeline.config.json_schema import config_schema

    click.echo(json.dumps(config_schema(), indent=2))


def _table_lines(table: FeatureTable, console: Console) -> list[str]:
    shown = Table(title="Features", title_justify="left")
    rows = describe(table)
    for column in rows[0]:
        shown.add_column(column)
    for row in rows:
        shown.add_row(*(str(value) for value in row.values()))
    with console.capture() as captured:
        console.print(shown)
    return captured.get().splitlines()
