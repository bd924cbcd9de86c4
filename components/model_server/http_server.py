"""HTTP/1.1 for a trial server: bounded in connections, bytes and time.

h11 parses; each connection has a thread. Every answer is JSON, and an error is
TensorFlow Serving's `{"error": "..."}`. After a request that cannot be read to its end
the connection is closed, so that no answer belongs to another request.
"""

from __future__ import annotations

import http
import json
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from models.errors import ConfigError

try:
    import h11
except ImportError as missing:
    raise ConfigError(
        "REST needs the package h11, which is not installed; install crossctr with its "
        "extra: pip install 'crossctr[serve]'"
    ) from missing

_log = logging.getLogger("crossctr.serve")

_CHUNK = 2**16
# The accepting thread waits no longer for a client that is one too many.
_REFUSAL_SECONDS = 0.2
# How long a stopping server may go on accepting.
_POLL_SECONDS = 0.05
# Requests in the model are given this long when the server stops.
_GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """Limits on the server's resources that clients may use.

    Attributes:
        connections: Open connections; one more is answered 503.
        at_once: Requests that are answered at the same time; others wait.
        head_bytes: Size of an incomplete request line or head; above it 431.
        body_bytes: Size of the body; above it 413. A request of 10,000 candidates with
            long lists has a few megabytes.
        idle_seconds: How long a connection may wait for its next request.
        request_seconds: How long a request may take to come in, else 408; and how long
            an answer may take to go out.
        linger_seconds: How long a refused request is read on, unused: closing earlier
            would destroy the answer on its way.
    """

    connections: int = 64
    at_once: int = 4
    head_bytes: int = 2**16
    body_bytes: int = 64 * 2**20
    idle_seconds: float = 30.0
    request_seconds: float = 30.0
    linger_seconds: float = 5.0


@dataclass(frozen=True)
class Answer:
    """A status, what is sent as JSON, and further headers."""

    status: int
    content: Any
    headers: tuple[tuple[str, str], ...] = ()


def error_answer(status: int, message: str, **headers: str) -> Answer:
    """Returns an error in TF Serving's form."""
    return Answer(status, {"error": message}, tuple(headers.items()))


# The answer to a method, a target and a body.
Respond = Callable[[str, str, bytes], Answer]


class HttpServer(socketserver.ThreadingTCPServer):
    """Answers requests over HTTP, each connection in a thread.

    Args:
        address: Host and port; port 0 for any free one.
        respond: Makes the answers; called by several threads. An exception becomes 500.
        limits: What clients may take.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], respond: Respond, limits: Limits
    ) -> None:
        super().__init__(address, _Connection)
        self.limits = limits
        self._respond = respond
        self._slots = threading.BoundedSemaphore(limits.connections)
        self._turns = threading.BoundedSemaphore(limits.at_once)
        self._stopping = False
        self._thread = threading.Thread(
            target=self.serve_forever, args=(_POLL_SECONDS,), daemon=True
        )

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the requests end that are in the model, and refuses all others."""
        self._stopping = True
        # Before `start` nothing would ever confirm a `shutdown`.
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()
        ends = time.monotonic() + _GRACE_SECONDS
        taken = [
            self._turns.acquire(timeout=max(0.0, ends - time.monotonic()))
            for _ in range(self.limits.at_once)
        ]
        for _ in filter(None, taken):
            self._turns.release()

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Returns the answer to a whole request, whatever happens."""
        with self._turns:
            if self._stopping:
                return error_answer(503, "the server is stopping")
            try:
                return self._respond(method, target, body)
            except Exception as error:  # noqa: BLE001 (one request must not end others)
                text = f"{type(error).__name__}: {error}"[:1_000]
                _log.exception(f"{method} {target[:80]} failed: {text}")
                return error_answer(500, f"the request could not be answered: {text}")

    def process_request(self, request: Any, client_address: Any) -> None:
        """Gives the connection a thread, or refuses it."""
        if not self._slots.acquire(blocking=False):
            self._refuse(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers what comes over the connection until it is closed."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Notes what went wrong with a connection."""
        _log.exception(f"the connection with {client_address} ended with an error")

    def _refuse(self, request: Any) -> None:
        number = self.limits.connections
        message = f"all {number} connections are in use; try again, or close idle ones"
        parser = h11.Connection(h11.SERVER)
        answer = encoded(parser, error_answer(503, message), close=True)
        request.settimeout(_REFUSAL_SECONDS)
        with suppress(OSError):
            request.recv(_CHUNK)
        with suppress(OSError):
            request.sendall(answer)


class _RefusedError(Exception):
    """The rest of a request is not read."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _IdleError(Exception):
    """No further request came."""


class _Connection(socketserver.BaseRequestHandler):
    """One client's requests, one after the other."""

    server: HttpServer
    request: socket.socket

    def setup(self) -> None:
        self._limits = self.server.limits
        self._parser = h11.Connection(
            h11.SERVER, max_incomplete_event_size=self._limits.head_bytes
        )

    def handle(self) -> None:
        # OSError: the client has gone, or does not take its answer.
        with suppress(OSError, _IdleError):
            while self._exchange():
                self._parser.start_next_cycle()

    def _exchange(self) -> bool:
        """Answers one request; returns whether another can follow."""
        self._began = bool(self._parser.trailing_data[0])
        self._set_deadline()
        try:
            head = self._event()
            if not isinstance(head, h11.Request):
                return False
            body = self._body(head)
        except _RefusedError as error:
            self._send(error_answer(error.status, str(error)), close=True)
            self._drain()
            return False
        except h11.RemoteProtocolError as error:
            answer = error_answer(error.error_status_hint, f"bad request: {error}")
            self._send(answer, close=True)
            self._drain()
            return False
        method, target = head.method.decode("ascii"), head.target.decode("ascii")
        answer = self.server.answer(method, target, body)
        self._send(answer, without_body=method == "HEAD")
        return self._parser.our_state is h11.DONE

    def _body(self, head: h11.Request) -> bytes:
        headers = dict(head.headers)
        chunked = b"transfer-encoding" in headers
        if head.method == b"POST" and not chunked and b"content-length" not in headers:
            raise _RefusedError(411, "POST needs Content-Length, or a chunked body")
        size = 0 if chunked else int(headers.get(b"content-length", 0))
        parts: list[bytes] = []
        while True:
            if size > self._limits.body_bytes:
                most = f"{self._limits.body_bytes:,}"
                raise _RefusedError(413, f"the body has more than {most} bytes")
            event = self._event()
            if isinstance(event, h11.EndOfMessage):
                return b"".join(parts)
            parts.append(event.data)
            if chunked:
                size += len(event.data)

    def _event(self) -> Any:
        """Returns h11's next event, and reads what it needs for that."""
        while (event := self._parser.next_event()) is h11.NEED_DATA:
            if self._parser.they_are_waiting_for_100_continue:
                go_on = h11.InformationalResponse(status_code=100, headers=[])
                self.request.sendall(self._parser.send(go_on) or b"")
            self._parser.receive_data(self._received())
        return event

    def _received(self) -> bytes:
        left = self._deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            self.request.settimeout(left)
            data = self.request.recv(_CHUNK)
        except TimeoutError as error:
            if not self._began:
                raise _IdleError from error
            seconds = f"{self._limits.request_seconds:g}"
            raise _RefusedError(
                408, f"the request was not complete after {seconds} s"
            ) from error
        if data and not self._began:
            self._began = True
            self._set_deadline()
        return data

    def _set_deadline(self) -> None:
        limits = self._limits
        seconds = limits.request_seconds if self._began else limits.idle_seconds
        self._deadline = time.monotonic() + seconds

    def _send(self, answer: Answer, **options: bool) -> None:
        self.request.settimeout(self._limits.request_seconds)
        self.request.sendall(encoded(self._parser, answer, **options))

    def _drain(self) -> None:
        """Reads on, unused, until the client has its answer and closes."""
        self.request.shutdown(socket.SHUT_WR)
        ends = time.monotonic() + self._limits.linger_seconds
        while (left := ends - time.monotonic()) > 0:
            self.request.settimeout(left)
            if not self.request.recv(_CHUNK):
                return


def encoded(
    parser: h11.Connection,
    answer: Answer,
    *,
    close: bool = False,
    without_body: bool = False,
) -> bytes:
    """Returns the bytes of an answer.

    Args:
        parser: Of the connection; goes on to its next state.
        answer: What is sent.
        close: Whether the client is told that the connection ends.
        without_body: Whether only the head is sent, as HEAD wants it.
    """
    content = json.dumps(answer.content).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(content))),
        *answer.headers,
        *([("Connection", "close")] if close else []),
    ]
    head = h11.Response(
        status_code=answer.status,
        headers=headers,
        reason=http.HTTPStatus(answer.status).phrase,
    )
    events: list[Any] = [head, h11.EndOfMessage()]
    if not without_body:
        events.insert(1, h11.Data(data=content))
    return b"".join(parser.send(event) or b"" for event in events)
