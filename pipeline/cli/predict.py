"""`crossctr predict`: ask a server for the click probabilities of some impressions."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any

import click

from components.model_server.errors import BadRequestError
from components.model_server.json_tensors import parse
from components.model_server.json_tensors import short
from components.model_server.ports import GRPC_PORT
from models.artifact_files import split_folder
from models.errors import ConfigError
from models.errors import DataError
from models.features.registry import KINDS
from pipeline.cli.command import Command
from pipeline.cli.options import CONFIG
from pipeline.cli.options import quiet_serving
from pipeline.config.load import load_config
from pipeline.config.local_paths import LocalPathArgument
from pipeline.config.schema import Config
from pipeline.request_rows import Row
from pipeline.request_rows import checked_row
from pipeline.store.reader import Store
from pipeline.terminal.plain_text import Table

if TYPE_CHECKING:
    from models.features.table import FeatureTable

_SIGNATURES = ("rank", "predict", "serving_default")
_SECONDS = 60.0


@click.command(
    name="predict",
    cls=Command,
    example="crossctr predict configs/first_run.yaml --rows rows.jsonl",
)
@CONFIG
@click.option(
    "--server",
    default=f"127.0.0.1:{GRPC_PORT}",
    show_default=True,
    help="HOST:PORT of gRPC.",
)
@click.option(
    "--rows",
    "rows_path",
    type=LocalPathArgument(exists=True, dir_okay=False),
    help="JSON Lines, a row each. Default: rows of the newest stored logs.",
)
@click.option(
    "--number", default=5, show_default=True, help="Number of rows from stored logs."
)
@click.option(
    "--signature",
    type=click.Choice(_SIGNATURES),
    default="predict",
    show_default=True,
    help="`rank` takes user and context from the first row.",
)
@click.option("--label", default="", help="Version by label, such as stable.")
@click.option("--version", type=int, help="Version by number.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="Longest wait for a server that is still starting.",
)
def predict_command(
    config_path: Path,
    server: str,
    rows_path: Path | None,
    number: int,
    signature: str,
    label: str,
    version: int | None,
    wait: float,
) -> None:
    """Ask a model server for click probabilities.

    The server is `crossctr serve` or TF Serving.
    """
    config = load_config(config_path)
    if label and version is not None:
        raise ConfigError("--label and --version both name a version; give one of them")
    rows = None if rows_path is None else read_rows(rows_path, config.table)
    with quiet_serving(config) as terminal:
        if rows is None:
            rows = stored_rows(config, number)
        answer, milliseconds = ask(
            server, config, rows, signature, label=label, version=version, wait=wait
        )
        terminal.print(predictions_table(config, rows, answer))
        terminal.print(
            f"{config.name} version {answer['version']}, {signature} of {len(rows)} "
            f"rows: {milliseconds:.1f} ms",
            highlight=False,
        )


def stored_rows(config: Config, number: int) -> list[Row]:
    """Returns the first raw rows of the newest day of the target that is stored.

    Raises:
        DataError: Nothing is ingested.
    """
    stored = [
        s
        for s in Store(config.root, config.metadata).artifacts("Examples")
        if s.properties.get("role") == "raw"
    ]
    if stored:
        # Late: it imports TensorFlow.
        from models.days import DayRange
        from models.serving.requests import raw_rows
    for block in sorted(stored, key=lambda s: s.last_day, reverse=True):
        pattern = f"{block.uri}/{split_folder(config.target)}/*.parquet"
        for day in range(block.last_day, int(block.properties["first_day"]) - 1, -1):
            days = DayRange(day, day)
            rows = list(raw_rows([pattern], config.table, days, number))
            if rows:
                return [{k: list(v) for k, v in row.items()} for row in rows]
    raise DataError(
        f"no row of {config.target!r} is ingested under {str(config.root)!r}; give "
        "rows with --rows FILE, or ingest days first"
    )


def read_rows(path: Path, table: FeatureTable) -> list[Row]:
    """Reads JSON Lines: an object with values or lists of values by feature.

    Raises:
        DataError: A line is no such object.
    """
    rows = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            content = parse(line)
        except BadRequestError as error:
            raise DataError(f"{where}: {error}") from error
        if not isinstance(content, dict):
            raise DataError(f"{where} must be an object; received {short(content)}")
        rows.append(checked_row(where, content, table))
    if not rows:
        raise DataError(f"{path} has no rows; expected a JSON object a line")
    return rows


def ask(
    server: str,
    config: Config,
    rows: list[Row],
    signature: str,
    *,
    label: str = "",
    version: int | None = None,
    wait: float = 0,
) -> tuple[dict[str, Any], float]:
    """Returns `ctr` and the `version` that answered, and the milliseconds it took.

    Args:
        server: Host and port of gRPC.
        config: The configuration.
        rows: Rows of features.
        signature: Which signature answers.
        label: Version by label.
        version: Version by number.
        wait: Seconds until a server that is still starting has to listen.

    Raises:
        DataError: Nothing listens there, or it refuses the request.
    """
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_service_pb2_grpc
    from tensorflow_serving.apis.predict_pb2 import PredictRequest

    from models.serving.requests import inputs_of

    request = PredictRequest()
    request.model_spec.name = config.name
    request.model_spec.signature_name = signature
    if label:
        request.model_spec.version_label = label
    if version is not None:
        request.model_spec.version.value = version
    for name, value in inputs_of(signature, config.table, rows).items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        if wait:
            # Without a server, the request below says so.
            with contextlib.suppress(grpc.FutureTimeoutError):
                grpc.channel_ready_future(channel).result(timeout=wait)
        started = time.perf_counter()
        try:
            response = stub.Predict(request, timeout=_SECONDS)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise DataError(
                    f"nothing answers at {server}; start a server with `crossctr serve "
                    "CONFIG`, or name TF Serving's gRPC port with --server HOST:PORT"
                ) from error
            raise DataError(
                f"{server} answers {error.code().name}: {error.details()}"
            ) from error
        milliseconds = (time.perf_counter() - started) * 1_000
    ctr = tf.make_ndarray(response.outputs["ctr"])
    found = {"ctr": ctr.tolist(), "version": response.model_spec.version.value}
    return found, milliseconds


def predictions_table(config: Config, rows: list[Row], answer: dict[str, Any]) -> Table:
    """Returns up to four ids of each row and its click probability."""
    table = Table()
    kinds = {feature.name: KINDS[feature.kind] for feature in config.table.features}
    ids = [n for n, kind in kinds.items() if kind.is_single_id and not kind.is_derived]
    shown = ids[:4]
    for name in shown:
        table.add_column(name)
    table.add_column("ctr", justify="right")
    for row, ctr in zip(rows, answer["ctr"], strict=True):
        cells = (_cell(row.get(name) or []) for name in shown)
        table.add_row(*cells, f"{ctr:.5f}")
    return table


def _cell(values: list[Any]) -> str:
    texts = [v.decode(errors="replace") if isinstance(v, bytes) else v for v in values]
    return ", ".join(map(str, texts))
