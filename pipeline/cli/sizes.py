"""`crossctr sizes`: how large each strategy's target network is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from models.features.table import SNAPSHOT_SPACES
from pipeline.cli.options import CONFIG
from pipeline.config.load import load_config
from pipeline.config.schema import Config

if TYPE_CHECKING:
    from models.networks.network import Network


@click.command("sizes")
@CONFIG
def sizes(config_path: Path) -> None:
    """Count what each strategy's target network learns; prints Markdown."""
    for line in size_table(load_config(config_path)):
        click.echo(line)


def size_table(config: Config) -> Iterator[str]:
    """Yields a Markdown table with a line per entry of `strategies`."""
    # Imported late: only this command builds networks, and TensorFlow takes seconds.
    from models.networks.sizes import sizes_of

    yield "| strategy | embedding | dense | dense, served | target level reads |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for strategy in config.strategies:
        found = sizes_of(target_network(config, strategy))
        counts = " | ".join(f"{count:,}" for count in found)
        domains = ", ".join(config.domains_of(strategy))
        yield f"| `{strategy}` | {counts} | {domains} |"


def target_network(config: Config, strategy: str) -> Network:
    """Returns the target network of `strategy`, untrained, with empty snapshots."""
    from models.data.snapshots import SnapshotTables
    from models.networks.network_factory import NetworkKind
    from models.networks.network_factory import build_network

    table, network = config.table, config.network_of(strategy)
    snapshots = {}
    periods = config.snapshots_of(strategy)
    for space_name in SNAPSHOT_SPACES if periods else ():
        shape = (table.num_rows(space_name), periods)
        width = next(
            feature.width or network.width
            for feature in table.features
            if feature.table == space_name
        )
        snapshots[space_name] = SnapshotTables(
            np.zeros((*shape, width), np.float32), np.zeros(shape, bool)
        )
    kind = NetworkKind(
        level="target",
        domains=config.domains_of(strategy),
        multi_domain=config.multi_domain_of(strategy),
        ctnet=config.ctnet_of(strategy),
        cctl=config.cctl_of(strategy),
    )
    # Which rows the domains have changes no size.
    return build_network(kind, table, network, domain_rows={}, snapshots=snapshots)
