"""An S3 server on loopback whose answers can be made to fail.

moto's server keeps the objects. Between it and the client stands a layer that counts
requests and answers some of them as a store in trouble does.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication
from moto.server import create_backend_app
from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server

from components.storage import stores

BUCKET = "clicks"
_KEYS = {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "secret"}
_ERROR = (
    b"<?xml version='1.0' encoding='UTF-8'?>"
    b"<Error><Code>%s</Code><Message>as the test wants it</Message></Error>"
)


class Faults:
    """Answers requests as a store in trouble does.

    Attributes:
        requests: Method and path of every request so far.
    """

    def __init__(self, app: Any) -> None:
        """Lets everything through at first."""
        self.requests: list[str] = []
        self._app = app
        self._rules: list[tuple[str, list[int], Callable[..., Any]]] = []
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Lets everything through again, and forgets the requests."""
        with self._lock:
            self.requests, self._rules = [], []

    def fail(self, what: str, times: int, status: str, code: str) -> None:
        """Answers the next requests with an error.

        Args:
            what: Part of method and path, such as `GET /clicks/logs`.
            times: How many requests.
            status: Status line of the answer.
            code: S3's name of the error.
        """
        body = b"" if what.startswith("HEAD") else _ERROR % code.encode()

        def answer(_: Any, start_response: Any) -> list[bytes]:
            start_response(status, [("Content-Type", "application/xml")])
            return [body]

        self._rules.append((what, [times], answer))

    def delay(self, what: str, times: int, seconds: float) -> None:
        """Answers the next requests late."""

        def answer(environ: Any, start_response: Any) -> Any:
            time.sleep(seconds)
            return self._app(environ, start_response)

        self._rules.append((what, [times], answer))

    def cut(self, what: str, times: int) -> None:
        """Ends the next answers in their middle, as a connection that is lost."""

        def answer(environ: Any, start_response: Any) -> list[bytes]:
            body = b"".join(self._app(environ, start_response))
            return [body[: len(body) // 2]]

        self._rules.append((what, [times], answer))

    def before(self, what: str, action: Callable[[], None]) -> None:
        """Does something once, before the next request is answered."""

        def answer(environ: Any, start_response: Any) -> Any:
            action()
            return self._app(environ, start_response)

        self._rules.append((what, [1], answer))

    def refuse_strangers(self) -> None:
        """Refuses whoever sends no credentials, which moto does not."""

        def answer(environ: Any, start_response: Any) -> Any:
            if "HTTP_AUTHORIZATION" in environ:
                return self._app(environ, start_response)
            start_response("403 Forbidden", [("Content-Type", "application/xml")])
            return [b""]

        self._rules.append(("", [10**6], answer))

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answers a request."""
        path = environ["PATH_INFO"].encode("latin-1").decode()
        name = f"{environ['REQUEST_METHOD']} {path}"
        with self._lock:
            self.requests.append(name)
            answer = self._app
            for what, left, rule in self._rules:
                if what in name and left[0]:
                    left[0] -= 1
                    answer = rule
                    break
        return answer(environ, start_response)


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Writes nothing: faults are expected here."""


class Store:
    """The server, with a client for what tests put there.

    Attributes:
        url: Its address.
        faults: Its troubles.
        client: boto3's client.
    """

    def __init__(self) -> None:
        self.faults = Faults(DomainDispatcherApplication(create_backend_app))
        self._server = make_server(
            "127.0.0.1", 0, self.faults, threaded=True, request_handler=_Quiet
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.client = boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="writer",
            aws_secret_access_key="secret",
        )
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, body: bytes | str) -> str:
        """Puts an object into the bucket; returns its address."""
        content = body.encode() if isinstance(body, str) else body
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def put_tree(self, folder: Path, prefix: str) -> str:
        """Puts a folder's files into the bucket; returns the address of the folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                self.put(f"{prefix}/{name}", path.read_bytes())
        return f"s3://{BUCKET}/{prefix}"

    def keys(self) -> list[str]:
        """Returns the keys of all objects."""
        found = self.client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [one["Key"] for one in found]

    def empty(self) -> None:
        """Removes every object, and lets all requests through again."""
        self.faults.clear()
        for key in self.keys():
            self.client.delete_object(Bucket=BUCKET, Key=key)
        self.faults.clear()

    def stop(self) -> None:
        """Ends the server."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def running_store() -> Iterator[Store]:
    """Gives a server with an empty bucket `BUCKET`."""
    found = Store()
    try:
        yield found
    finally:
        found.stop()


def environment(url: str) -> dict[str, str]:
    """Returns the environment variables with which clients find a server.

    No other file or machine is asked for credentials.
    """
    return {
        **_KEYS,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def use(url: str, patch: pytest.MonkeyPatch) -> None:
    """Makes a server the store of this process, which gives up after seconds."""
    for name, value in environment(url).items():
        patch.setenv(name, value)
    patch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    patch.setattr(stores, "_ATTEMPTS", 3)
    patch.setattr(stores, "_PAUSE_SECONDS", 0.1)
    patch.setattr(stores, "_CONNECT_SECONDS", 2)
    patch.setattr(stores, "_REQUEST_SECONDS", 1)
    # A client reads its credentials once.
    stores._file_system.cache_clear()
