"""`crossctr promote`: a day's model becomes stable or canary, with a reason."""

from __future__ import annotations

from pathlib import Path

import click

from components.publisher.labels import LABELS_FILE
from models.days import to_date
from models.errors import ConfigError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import hold_root
from pipeline.config.load import load_config
from pipeline.execution.lock import user_name
from pipeline.release.promotion import Override
from pipeline.release.promotion import promote


@click.command(
    name="promote",
    cls=Command,
    example="crossctr promote configs/first_run.yaml --day 2024-01-29 "
    "--reason 'checked by hand'",
)
@CONFIG
@click.option("--day", type=Day(), required=True, help="The run's day.")
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--by", "who", help="Who decides. Default: the current user.")
@click.option("--canary", is_flag=True, help="Make it the canary, not the stable one.")
def promote_command(
    config_path: Path, day: int, reason: str, who: str | None, canary: bool
) -> None:
    """Make a day's model the stable version.

    It is published if the Gate has refused it. Also turns a canary into the stable
    version, or returns to an older day. Who, when and why are recorded in ML Metadata
    and, if it is published now, beside the model.
    """
    config = load_config(config_path)
    reason = reason.strip()
    if not reason:
        raise ConfigError(
            "--reason is empty; say why, such as --reason 'the drop is in a slice that "
            "no longer exists'"
        )
    hold_root(config)
    override = Override.now((who or "").strip() or user_name(), reason)
    done = promote(config, day, override, as_canary=canary)
    if not done.changed:
        click.echo(f"{to_date(day)} is published already: {done.path}")
    else:
        verb = "Labelled" if done.was_published else "Published SavedModel:"
        click.echo(f"{verb} {done.path}")
        for refusal in done.refusals:
            click.echo(f"  despite: {refusal}")
        click.echo(f"  by {override.who} at {override.when}: {override.why}")
    for label, version in done.labels.by_name().items():
        click.echo(f"  {label}: {version}")
    if done.newer is not None and not canary:
        click.echo(
            f"Version {done.newer} is of a later day or attempt: a server that takes "
            f"the latest version, instead of reading {LABELS_FILE}, keeps it"
        )
