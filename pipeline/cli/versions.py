"""`crossctr versions` and `rollback`: list and withdrawal of published versions."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from components.publisher.logic import holds_model
from components.publisher.logic import lineage_of
from components.publisher.logic import versions_in
from components.publisher.releases import ModelRepository
from models.artifact_files import CARD_TEXT_FILE
from models.errors import ConfigError
from models.errors import DataError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import hold_root
from pipeline.cli.options import wide_console
from pipeline.cli.output import answer
from pipeline.cli.output import output
from pipeline.config.load import load_config
from pipeline.execution.lock import user_name
from pipeline.release.promotion import Override
from pipeline.release.promotion import repository_of
from pipeline.release.rollback import roll_back
from pipeline.store.integrity import refuse_missing_versions
from pipeline.terminal.plain_text import Table


@click.command(
    name="versions",
    cls=Command,
    as_json=True,
    example="crossctr versions configs/first_run.yaml",
)
@CONFIG
def versions_command(config_path: Path) -> None:
    """List the published versions, newest first.

    With metrics, who approved each, and its model card. Fails if `models.config` names
    a version without a SavedModel.
    """
    config = load_config(config_path)
    folder = config.serving.directory / config.name
    found = versions_in(folder)
    if not found:
        raise DataError(
            f"nothing is published in {str(folder)!r}; run `crossctr run` for a day "
            "that the Gate approves first"
        )
    listed = [
        version_of(folder / str(version), labels_of(repository_of(config)))
        for version in reversed(found)
    ]
    if output().as_json:
        answer({"folder": folder, "versions": listed})
    else:
        console = wide_console()
        console.print(versions_table(folder, listed))
        for one in listed:
            if not one.has_model:
                console.print(
                    f"{one.version} holds no SavedModel, so no server can load it; "
                    f"restore {folder / str(one.version)} from a backup, or remove it",
                    soft_wrap=True,
                )
    refuse_missing_versions(config)


@click.command(
    name="rollback",
    cls=Command,
    example="crossctr rollback configs/first_run.yaml --reason 'CTR fell by a third'",
)
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
    """Withdraw the canary or, without one, the stable version.

    Servers fall back to the version that is left, and the next run compares with it.
    Files are kept; who, when and why are recorded in ML Metadata. The only version is
    withdrawn only with --take-offline, as servers then have no model.
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


@dataclass(frozen=True)
class Version:
    """A published version.

    Attributes:
        version: Its number.
        label: Its label; `(loaded)` for the one before the stable one.
        day: The run's day; empty if it is not known.
        strategy: The strategy; empty if it is not known.
        auc: AUC that the Gate saw; None if it is not known or not defined.
        gauc: GAUC, likewise.
        calibration: Mean prediction over click rate, likewise.
        approved_by: The Gate, or who overrode it and why.
        written: Time of writing, UTC.
        has_model: Whether its folder has a SavedModel in it.
        card: Path of its model card, or that it has none.
    """

    version: int
    label: str
    day: str
    strategy: str
    auc: float | None
    gauc: float | None
    calibration: float | None
    approved_by: str
    written: str
    has_model: bool
    card: str


def labels_of(repository: ModelRepository) -> dict[int, str]:
    """Returns the label of each version that servers load."""
    labels = repository.labels()
    if labels is None:
        return {}
    named = {version: label for label, version in labels.by_name().items()}
    return {labels.previous: "(loaded)", **named} if labels.previous else named


def version_of(path: Path, labels: Mapping[int, str]) -> Version:
    """Returns what is known of a version.

    Args:
        path: Its folder, `<directory>/<name>/<version>`.
        labels: The labels by version.

    Raises:
        DataError: What was stored beside the model cannot be read.
    """
    lineage = lineage_of(path)
    metrics = lineage.get("decision", {}).get("candidate", {})
    written = datetime.datetime.fromtimestamp(
        path.stat().st_mtime, tz=datetime.timezone.utc
    )
    return Version(
        version=int(path.name),
        label=labels.get(int(path.name), ""),
        day=str(lineage.get("day", "")),
        strategy=str(lineage.get("strategy", "")),
        auc=metrics.get("auc"),
        gauc=metrics.get("gauc"),
        calibration=metrics.get("calibration"),
        approved_by=_passed(lineage),
        written=f"{written:%Y-%m-%d %H:%M}",
        has_model=holds_model(path),
        card=_card(path),
    )


def versions_table(folder: Path, versions: Sequence[Version]) -> Table:
    """Returns the versions of a model's folder as a table, in their order.

    Args:
        folder: The model's folder, `<directory>/<name>`.
        versions: The versions in it.
    """
    table = Table(title=str(folder), title_justify="left")
    for column in ("version", "label", "day", "strategy"):
        table.add_column(column)
    for column in ("AUC", "GAUC", "predicted/actual"):
        table.add_column(column, justify="right")
    table.add_column("approved by", overflow="fold")
    table.add_column("written, UTC")
    table.add_column("model card", overflow="fold")
    for one in versions:
        table.add_row(
            str(one.version),
            one.label if one.has_model else f"{one.label} no model".strip(),
            one.day or "unknown",
            one.strategy or "unknown",
            _number(one.auc, 4),
            _number(one.gauc, 4),
            _number(one.calibration, 3),
            one.approved_by,
            one.written,
            one.card,
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
