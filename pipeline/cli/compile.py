"""`crossctr compile`: pipeline specs for an orchestrator of containers."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from models.days import to_date
from models.errors import ConfigError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import Day
from pipeline.config.load import load_config
from pipeline.config.local_paths import LocalPathArgument
from pipeline.orchestrators.kubeflow import Containers
from pipeline.orchestrators.kubeflow import specs
from pipeline.planning.step_kinds import kinds_of


@click.command(
    name="compile",
    cls=Command,
    example="crossctr compile configs/first_run.yaml --runner kubeflow --image "
    "registry/crossctr:1",
)
@CONFIG
@click.option(
    "--runner", type=click.Choice(["kubeflow"]), required=True, help="Scheduler."
)
@click.option("--day", type=Day(), help="Default of the pipelines' parameter `day`.")
@click.option("--image", default="crossctr", help="The pipeline's image.")
@click.option("--inside", help="Path of CONFIG in the container; default: as here.")
@click.option("--volume", help="CLAIM:PATH, a PersistentVolumeClaim to mount.")
@click.option("--secret", help="Secret whose key `password` is ML Metadata's.")
@click.option(
    "--output",
    type=LocalPathArgument(file_okay=False),
    default=Path("build/kubeflow"),
    help="Folder for the files.",
)
def compile_command(
    config_path: Path,
    runner: str,
    day: int | None,
    image: str,
    inside: str | None,
    volume: str | None,
    secret: str | None,
    output: Path,
) -> None:
    """Write Kubeflow Pipelines specs of the steps and of a day.

    A spec for each kind of step that the configuration's strategy can need, and one for
    a whole day.
    """
    del runner  # Kubeflow is the only one so far.
    config = load_config(config_path)
    claim, _, path = (volume or "").partition(":")
    if volume and not (claim and path.startswith("/")):
        raise ConfigError(
            f"--volume {volume!r} is not CLAIM:PATH; write the claim's name, a colon "
            "and an absolute path, such as `crossctr:/data`"
        )
    containers = Containers(
        image=image,
        config=inside or str(config_path.resolve()),
        volume=(claim, path) if volume else None,
        secret=secret,
    )
    default = None if day is None else str(to_date(day))
    folder = output / config.name
    folder.mkdir(parents=True, exist_ok=True)
    kinds = kinds_of(
        config.needs(config.strategy), references=config.references.rows > 0
    )
    for name, documents in specs(config.name, kinds, containers, default).items():
        file = folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all(documents, sort_keys=False), "utf-8")
        click.echo(f"{file}")
