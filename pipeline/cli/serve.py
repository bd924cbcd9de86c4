"""`crossctr serve`: try a published model on this machine."""

from __future__ import annotations

import datetime
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from components.model_server.ports import GRPC_PORT
from components.model_server.ports import REST_PORT
from components.publisher.logic import versions_in
from models.errors import DataError
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import quiet_serving
from pipeline.config.load import load_config
from pipeline.config.schema import Config
from pipeline.release.promotion import repository_of
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import waiting

if TYPE_CHECKING:
    from components.model_server.server import ModelServer

_PORT = click.IntRange(0, 65_535)


@click.command(
    name="serve",
    cls=Command,
    example="crossctr serve configs/first_run.yaml --port 8500 --rest-port 8501",
)
@CONFIG
@click.option("--host", default="127.0.0.1", show_default=True, help="Address.")
@click.option(
    "--port",
    default=GRPC_PORT,
    type=_PORT,
    show_default=True,
    help="Port of gRPC; 0: any.",
)
@click.option(
    "--rest-port",
    default=REST_PORT,
    type=_PORT,
    show_default=True,
    help="Port of REST; 0: any.",
)
def serve_command(config_path: Path, host: str, port: int, rest_port: int) -> None:
    """Serve the published versions on this machine, for trying.

    Loads the versions that models.config lists, follows new versions, labels and
    rollbacks within a second, and answers TF Serving's gRPC (Predict, GetModelMetadata,
    GetModelStatus) and REST predict. In production use TensorFlow Serving:
    docs/how-to/containers.md.
    """
    config = load_config(config_path)
    folder = repository_of(config).folder
    if not versions_in(folder):
        raise DataError(
            f"nothing is published in {str(folder)!r}; run `crossctr run` for a day "
            "that the Gate approves first"
        )
    with quiet_serving(config) as terminal:
        with waiting(terminal, "importing TensorFlow (some seconds)"):
            # Late: it imports TensorFlow.
            from components.model_server.server import ModelServer

        _show_changes(terminal)
        server = ModelServer([folder], host=host, port=port, rest_port=rest_port)
        try:
            server.start()
            _announce(terminal, server, config, config_path, host)
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            terminal.print("Stopping")
        finally:
            server.stop()


def _show_changes(terminal: Console) -> None:
    """Prints which versions come and go, with the time."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            now = datetime.datetime.now(tz=datetime.timezone.utc)
            terminal.print(f"{now:%H:%M:%S} {record.getMessage()}", soft_wrap=True)

    log = logging.getLogger("crossctr.serve")
    log.setLevel(logging.INFO)
    log.addHandler(Handler())
    # Tracebacks are for the log file of the libraries, where standard error goes.
    log.addHandler(logging.StreamHandler())


def _announce(
    terminal: Console,
    server: ModelServer,
    config: Config,
    config_path: Path,
    host: str,
) -> None:
    model = server.models[config.name]
    named = {version: label for label, version in model.labels.items()}
    versions = ", ".join(
        f"{v} ({named[v]})" if v in named else str(v) for v in model.loaded
    )
    for line in (
        f"{config.name}: {versions or 'no version could be loaded'}",
        f"  gRPC  {host}:{server.port}",
        f"  REST  http://{host}:{server.rest_port}/v1/models/{config.name}",
        f"  try   crossctr predict {config_path} --server {host}:{server.port}",
        "For trying only: production is TensorFlow Serving, docs/how-to/containers.md. "
        "Ctrl-C stops.",
    ):
        terminal.print(line, soft_wrap=True, highlight=False)
