"""`crossctr accept`: take changed logs as they were ingested, the reason on record."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import click

from models.days import DayRange
from models.days import to_date
from models.errors import ConfigError
from models.errors import DataError
from models.errors import listed
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.cli.options import hold_root
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.execution.lock import user_name
from pipeline.planning.accepted import Accepted
from pipeline.planning.accepted import AcceptedLogs
from pipeline.planning.fingerprint import LogFingerprints
from pipeline.planning.late import LateLog
from pipeline.planning.late import ingested
from pipeline.planning.late import late_logs
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.reader import Store


@click.command(
    name="accept",
    cls=Command,
    example="crossctr accept configs/first_run.yaml --from 2024-01-27 --domain ads "
    "--reason 'a column that no feature reads'",
)
@CONFIG
@click.option("--from", "first", type=Day(), required=True, help="First day of logs.")
@click.option("--to", "last", type=Day(), help="Last day of logs. Default: --from.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help="A domain; may be given several times. Default: every domain.",
)
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--by", "who", help="Who decides. Default: the user of this process.")
def accept_command(
    config_path: Path,
    first: int,
    last: int | None,
    domains: Sequence[str],
    reason: str,
    who: str | None,
) -> None:
    """Treat logs that changed after their ingest as unchanged.

    For changes that do not matter to the models: no step is due because of them. Later
    changes are noticed again. Who, when and why are recorded under the root.
    """
    config = load_config(config_path)
    reason = reason.strip()
    if not reason:
        raise ConfigError(
            "--reason is empty; say why, such as --reason 'only a column that no "
            "feature reads has changed'"
        )
    last = first if last is None else last
    if first > last:
        raise ConfigError(
            f"--from {to_date(first)} is after --to {to_date(last)}; swap them"
        )
    unknown = [name for name in domains if name not in config.domains]
    if unknown:
        raise ConfigError(
            f"--domain {listed(unknown)}: expected one of {', '.join(config.domains)}"
        )
    hold_root(config)
    now = datetime.datetime.now(tz=datetime.timezone.utc)
    by = (who or "").strip() or user_name()
    done = accept(
        config,
        DayRange(first, last),
        domains or config.domains,
        (by, now.isoformat(timespec="seconds"), reason),
    )
    for log in done:
        click.echo(f"Accepted as ingested: {log}")


def accept(
    config: Config,
    days: DayRange,
    domains: Sequence[str],
    record: tuple[str, str, str],
) -> list[LateLog]:
    """Takes the late logs of some days and domains as they were ingested.

    Args:
        config: The configuration.
        days: Days of logs.
        domains: Domains.
        record: Who, when (ISO 8601, UTC) and why.

    Returns:
        What was accepted.

    Raises:
        DataError: None of these logs is late.
    """
    store = Store(config.root, config.metadata)
    refuse_lost_metadata(store)
    logs = LogFingerprints(config)
    before = ingested(store)
    late = [
        log
        for log in late_logs(before, logs.by_domain(days), days)
        if log.domain in domains
    ]
    if not late:
        raise DataError(
            f"no log of {', '.join(domains)} of {days} differs from what was ingested; "
            "`crossctr plan` names those that do"
        )
    found = logs.by_domain(days, as_ingested=False)
    AcceptedLogs(config.root).add(
        [
            Accepted(
                log.domain,
                str(to_date(log.day)),
                found[log.domain].get(log.day, ""),
                before.files.get(log.domain, {}).get(log.day, ""),
                *record,
            )
            for log in late
        ]
    )
    logs.hashes.save()
    return late
