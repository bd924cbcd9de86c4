"""`crossctr promote`: publish what the Gate refused, with a reason on record."""

from __future__ import annotations

from pathlib import Path

import click

from models.days import to_date
from models.errors import ConfigError
from pipeline.config_file import load_config
from pipeline.options import CONFIG
from pipeline.options import Day
from pipeline.promotion import Override
from pipeline.promotion import promote
from pipeline.root_lock import user_name


@click.command(name="promote")
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day.")
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--by", "who", help="Who decides. Default: the user of this process.")
def promote_command(config_path: Path, day: int, reason: str, who: str | None) -> None:
    """Publish the model of a day that the Gate has refused.

    Who, when and why are recorded in ML Metadata and beside the published model.
    """
    config = load_config(config_path)
    reason = reason.strip()
    if not reason:
        raise ConfigError(
            "--reason is empty; say why the Gate's refusal does not count, such as "
            "--reason 'the drop is in a slice that no longer exists'"
        )
    override = Override.now((who or "").strip() or user_name(), reason)
    done = promote(config, day, override)
    if done.was_published:
        click.echo(f"{to_date(day)} is published already: {done.path}")
    else:
        click.echo(f"Published SavedModel: {done.path}")
        for refusal in done.refusals:
            click.echo(f"  in spite of: {refusal}")
        click.echo(f"  by {override.who} at {override.when}: {override.why}")
    if done.newer is not None:
        click.echo(
            f"Version {done.newer} is of a later day or attempt, and a server that "
            "serves the latest version keeps it"
        )
