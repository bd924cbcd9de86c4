"""`crossctr sizes`: number of parameters of each strategy's target network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from models.features.feature import DOMAIN_FEATURE
from models.features.id import SNAPSHOT_SPACES
from models.strategies.base import NetworkContext
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.config.load import load_config
from pipeline.config.schema import Config

if TYPE_CHECKING:
    from models.networks.network import Network


@click.command(
    name="sizes",
    cls=Command,
    example="crossctr sizes configs/first_run.yaml",
)
@CONFIG
def sizes(config_path: Path) -> None:
    """Print the number of parameters of each strategy's network.

    As a Markdown table.
    """
    for line in size_table(load_config(config_path)):
        click.echo(line)


def size_table(config: Config) -> Iterator[str]:
    """Yields a Markdown table with a line per entry of `strategies`."""
    # Late, as TensorFlow takes seconds.
    from models.networks.sizes import sizes_of

    yield "| strategy | embedding | dense | dense, served | wide | target level reads |"
    yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for strategy in config.strategies:
        found = sizes_of(target_network(config, strategy))
        counts = " | ".join(f"{count:,}" for count in found)
        domains = ", ".join(config.domains_of(strategy))
        yield f"| `{strategy}` | {counts} | {domains} |"


def target_network(config: Config, strategy: str) -> Network:
    """Returns the target network of `strategy`, untrained, with empty snapshots."""
    from models.data.snapshots import SnapshotTables

    table, network = config.table, config.network_of(strategy)
    domains, needs = config.domains_of(strategy), config.needs(strategy)

    def domain_rows() -> dict[str, int]:
        first = table.vocabularies[table[DOMAIN_FEATURE].table].first_id_row
        return {name: first + i for i, name in enumerate(domains)}

    def snapshots() -> dict[str, SnapshotTables]:
        found = {}
        for space in SNAPSHOT_SPACES if needs.tpm_periods else ():
            shape = (table.num_rows(space), needs.tpm_periods)
            width = next(
                feature.width or network.width
                for feature in table.features
                if feature.table == space
            )
            found[space] = SnapshotTables(
                np.zeros((*shape, width), np.float32), np.zeros(shape, bool)
            )
        return found

    return config.strategy_of(strategy).build(
        NetworkContext(
            features=table,
            network=network,
            domains=domains,
            domain_rows=domain_rows,
            snapshots=snapshots,
            load_source=(lambda _: None) if needs.source_model else None,
        )
    )
