"""Location of ML Metadata: SQLite in the pipeline's root, or a database server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote
from urllib.parse import urlsplit

from models.errors import ConfigError
from models.errors import DataError
from pipeline.config.wording import closest

if TYPE_CHECKING:
    from ml_metadata.proto import metadata_store_pb2

SQLITE = "sqlite"
METADATA_FILE = "metadata.sqlite"
PASSWORD = "CROSSCTR_METADATA_PASSWORD"
PASSWORD_FILE = "CROSSCTR_METADATA_PASSWORD_FILE"
RESTORE = (
    "restore it together with the artifacts from a backup, or move the whole root away "
    "to begin anew (`crossctr backfill` makes everything again from the logs)"
)
_SCHEME = "mysql"
# Characters of a library's message that are repeated.
_SHOWN = 200
_PORT = 3306


@dataclass(frozen=True)
class Server:
    """A MySQL or MariaDB database; its password is nowhere in the configuration."""

    user: str
    host: str
    port: int
    database: str


def parse_server(address: str) -> Server | None:
    """Returns the server that `metadata: address` names; None for SQLite.

    Raises:
        ValueError: It names none. The message does not repeat the address, which may
            hold a password.
    """
    if address == SQLITE:
        return None
    expected = f"expected {SQLITE!r} or 'mysql://user@host/database'"
    kind, separator, _ = address.partition("://")
    if kind in ("postgres", "postgresql"):
        raise ValueError(
            "metadata: ML Metadata cannot keep text with backslashes in PostgreSQL, "
            f"and the settings of components have them; {expected}"
        )
    if kind != _SCHEME or not separator:
        hint = closest(kind, [_SCHEME, SQLITE]) if len(kind) < 20 else ""
        raise ValueError(f"metadata: {expected}{hint}")
    try:
        parts = urlsplit(address)
        port = parts.port or _PORT
        password = parts.password
    except ValueError:
        raise ValueError(
            f"metadata: the port is not a number between 1 and 65535; {expected}"
        ) from None
    if password is not None:
        raise ValueError(
            "metadata holds a password, and configurations are stored with every run; "
            f"remove it, and set {PASSWORD}, or {PASSWORD_FILE} to a file that has it"
        )
    database = parts.path.strip("/")
    if not (parts.username and parts.hostname and database) or "/" in database:
        raise ValueError(f"metadata: user, host or database is missing; {expected}")
    return Server(unquote(parts.username), parts.hostname, port, database)


def connection(
    root: Path, address: str, *, with_password: bool = True
) -> metadata_store_pb2.ConnectionConfig:
    """Returns how ML Metadata connects.

    Args:
        root: The pipeline's root, where SQLite's file lies.
        address: The configuration's `metadata`.
        with_password: False for what libraries write into their logs.

    Raises:
        ConfigError: The password's file cannot be read.
    """
    # Imported late: what only reads a configuration needs none of it.
    from ml_metadata.proto import metadata_store_pb2

    config = metadata_store_pb2.ConnectionConfig()
    server = parse_server(address)
    if server is None:
        config.sqlite.filename_uri = str(root / METADATA_FILE)
        config.sqlite.connection_mode = (
            metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        return config
    password = _password() if with_password else ""
    config.mysql.host = server.host
    config.mysql.port = server.port
    config.mysql.user = server.user
    config.mysql.database = server.database
    config.mysql.password = password
    return config


def unreadable(root: Path, address: str, error: Exception) -> DataError:
    """Returns the error that says which metadata cannot be read, and why.

    Args:
        root: The pipeline's root.
        address: The configuration's `metadata`.
        error: What ML Metadata raised.
    """
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:_SHOWN]
    if address == SQLITE:
        return DataError(
            f"{str(root / METADATA_FILE)!r} cannot be read: {reason}; {RESTORE}"
        )
    server = parse_server(address)
    where = f"{server.host}:{server.port}" if server else "of `metadata`"
    return DataError(
        f"the metadata server {where} cannot be read: {reason}; start it, or check "
        f"`metadata` in the configuration, {PASSWORD} and {PASSWORD_FILE}"
    )


def _password() -> str:
    path = os.environ.get(PASSWORD_FILE)
    if not path:
        return os.environ.get(PASSWORD, "")
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise ConfigError(
            f"{PASSWORD_FILE} names {path!r}, which cannot be read ({error.strerror}); "
            "make it readable for this user, or unset it"
        ) from error
