"""`crossctr versions` and `rollback`: list and withdrawal of published versions."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click

from components.publisher.labels import Labels
from components.publisher.logic import lineage_of
from components.publisher.logic import versions_in
from models.artifact_files import CARD_TEXT_FILE
from models.errors import ConfigError
from models.errors import DataError
from pipeline.cli.options import CONFIG
from pipeline.cli.options import hold_root
from pipeline.cli.options import wide_console
from pipeline.config.load import load_config
from pipeline.execution.lock import user_name
from pipeline.release.promotion import Override
from pipeline.release.promotion import repository_of
from pipeline.release.rollback import roll_back
from pipeline.store.integrity import refuse_missing_versions
from pipeline.terminal.plain_text import Table


@click.command(name="versions")
@CONFIG
def versions_command(config_path: Path) -> None:
    """List the published versions, newest first: metrics, who approved them, card.

    Fails afterwards if servers are told to load one that is not there.
    """
    config = load_config(config_path)
    folder = config.serving.directory / config.name
    found = versions_in(folder)
    if not found:
        raise DataError(
            f"nothing is published in {str(folder)!r}; run `crossctr run` for a day "
            "that the Gate approves first"
        )
    wide_console().print(versions_table(folder, found, repository_of(config).labels()))
    refuse_missing_versions(config)


@click.command(name="rollback")
@CONFIG
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--by", "who", help="Who decides. Default: the current user.")
@click.option(
    "--take-offline",
    is_flag=True,
    help="Allow it for the only version: servers unload the model.",
)
def rollback_command(
    config_path: Path, reason: str, who: str | None, take_offline: bool
) -> None:
    """Withdraw the canary or, without one, the stable version; servers fall back.

    Its files are kept, who, when and why are recorded in ML Metadata, and the next run
    compares with the version that is left. The only version is withdrawn with
    --take-offline only, as servers then have no model left.
    """
    config = load_config(config_path)
    if not reason.strip():
        raise ConfigError(
            "--reason is empty; say why the version must go, such as --reason 'CTR of "
            "slot 3 fell by a third'"
        )
    hold_root(config)
    override = Override.now((who or "").strip() or user_name(), reason.strip())
    done = roll_back(config, override, take_offline=take_offline)
    click.echo(
        f"{done.version} is withdrawn by {override.who} at {override.when}: "
        f"{override.why}"
    )
    click.echo(f"  kept in {done.kept}")
    if done.labels is None:
        click.echo(
            f"  no version of {config.name} is left: servers unload it and answer "
            "requests with NOT_FOUND (REST: 404) until a run or `crossctr promote` "
            "publishes one"
        )
        return
    for label, version in done.labels.by_name().items():
        click.echo(f"  {label}: {version}")


def versions_table(folder: Path, versions: list[int], labels: Labels | None) -> Table:
    """Returns the versions of a model's folder, newest first.

    Args:
        folder: The model's folder, `<directory>/<name>`.
        versions: The versions in it, ascending.
        labels: The labels in `models.config`.
    """
    named = (
        {version: label for label, version in labels.by_name().items()}
        if labels
        else {}
    )
    if labels and labels.previous:
        named[labels.previous] = "(loaded)"
    table = Table(title=str(folder), title_justify="left")
    for column in ("version", "label", "day", "strategy"):
        table.add_column(column)
    for column in ("AUC", "GAUC", "predicted/actual"):
        table.add_column(column, justify="right")
    table.add_column("approved by", overflow="fold")
    table.add_column("written, UTC")
    table.add_column("model card", overflow="fold")
    for version in reversed(versions):
        path = folder / str(version)
        lineage = lineage_of(path)
        metrics = lineage.get("decision", {}).get("candidate", {})
        written = datetime.datetime.fromtimestamp(
            path.stat().st_mtime, tz=datetime.timezone.utc
        )
        table.add_row(
            str(version),
            named.get(version, ""),
            str(lineage.get("day", "unknown")),
            str(lineage.get("strategy", "unknown")),
            _number(metrics.get("auc"), 4),
            _number(metrics.get("gauc"), 4),
            _number(metrics.get("calibration"), 3),
            _passed(lineage),
            f"{written:%Y-%m-%d %H:%M}",
            _card(path),
        )
    return table


def _card(version: Path) -> str:
    """Returns the card's path in the model's folder, which the table's title names."""
    if not (version / CARD_TEXT_FILE).is_file():
        return "none"
    return f"{version.name}/{CARD_TEXT_FILE}"


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else "–"


def _passed(lineage: dict[str, Any]) -> str:
    if not lineage:
        return "unknown: not written by crossctr"
    override = lineage.get("override")
    if override:
        return f"{override['who']}: {override['why']}"
    cold = lineage.get("decision", {}).get("state") == "cold_start"
    return "the Gate (cold start)" if cold else "the Gate"
