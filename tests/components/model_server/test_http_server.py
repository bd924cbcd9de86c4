"""HTTP server over raw sockets: malformed requests, slow and disappearing clients."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import pytest

from components.model_server.http_server import Answer
from components.model_server.http_server import HttpServer
from components.model_server.http_server import Limits

LIMITS = Limits(
    connections=4,
    at_once=2,
    head_bytes=2_000,
    body_bytes=1_000,
    idle_seconds=1.0,
    request_seconds=0.4,
    linger_seconds=0.5,
)
GOOD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def echo(method: str, target: str, body: bytes) -> Answer:
    if target == "/wrong":
        raise RuntimeError("the model fell over")
    return Answer(200, [method, target, body.decode("latin-1")])


@pytest.fixture
def start():
    servers = []

    def _start(respond=echo, limits=LIMITS) -> HttpServer:
        server = HttpServer(("127.0.0.1", 0), respond, limits)
        servers.append(server)
        server.start()
        return server

    yield _start
    for server in servers:
        server.stop()


class Client:
    """A connection on which anything can be sent."""

    def __init__(self, server: HttpServer) -> None:
        self.socket = socket.create_connection(server.server_address, timeout=10)

    def ask(self, data: bytes, method: str = "POST"):
        self.socket.sendall(data)
        return self.read(method)

    def read(self, method: str = "POST"):
        response = http.client.HTTPResponse(self.socket, method=method)
        response.begin()
        assert response.getheader("Content-Type") == "application/json"
        text = response.read()
        self.close_said = response.getheader("Connection") == "close"
        return response.status, json.loads(text) if text else None

    def is_closed(self) -> bool:
        return self.socket.recv(1) == b""


def with_length(value: bytes, body: bytes = b"ok") -> bytes:
    return GOOD.replace(b": 2", b": " + value).removesuffix(b"ok") + body


BAD = {
    "no number": (with_length(b"two"), 400),
    "negative": (with_length(b"-2"), 400),
    "plus": (with_length(b"+2"), 400),
    "fraction": (with_length(b"2.0"), 400),
    "empty": (with_length(b""), 400),
    "two lengths": (with_length(b"2\r\nContent-Length: 3"), 400),
    "too long to be a number": (with_length(b"9" * 30), 400),
    "no length": (GOOD.replace(b"Content-Length: 2\r\n", b""), 411),
    "no length, HTTP/1.0": (b"POST /echo HTTP/1.0\r\n\r\nok", 411),
    "too large": (with_length(b"1001"), 413),
    "far too large": (with_length(b"9" * 19), 413),
    "too large in chunks": (CHUNKED + b"3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n", 413),
    "no chunk": (CHUNKED + b"ok\r\n", 400),
    "negative chunk": (CHUNKED + b"-2\r\nok\r\n0\r\n\r\n", 400),
    "chunk of another length": (CHUNKED + b"1\r\nok\r\n0\r\n\r\n", 400),
    "other encoding": (CHUNKED.replace(b"chunked", b"gzip"), 501),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (b"GET /echo\r\n\r\n", 400),
    "no host": (GOOD.replace(b"Host: x\r\n", b""), 400),
    "space in a name": (GOOD.replace(b"Host:", b"Host :"), 400),
    "long head": (GOOD.replace(b"Host: x", b"Host: " + b"x" * 200_000), 431),
    "long target": (GOOD.replace(b"/echo", b"/" + b"x" * 200_000), 431),
}


@pytest.mark.parametrize(("data", "status"), BAD.values(), ids=BAD)
def test_a_bad_request_is_refused_in_json_and_the_connection_ends(start, data, status):
    server = start()
    client = Client(server)
    got, content = client.ask(data)
    assert got == status
    assert set(content) == {"error"}
    assert client.close_said
    assert client.is_closed()
    assert Client(server).ask(GOOD) == (200, ["POST", "/echo", "ok"])


@pytest.mark.parametrize(
    ("data", "body"),
    [
        (GOOD, "ok"),
        (CHUNKED + b"1\r\no\r\n1;x=y\r\nk\r\n0\r\nTrailer: x\r\n\r\n", "ok"),
        (with_length(b"0", b""), ""),
        (with_length(b"1000", b"a" * 1000), "a" * 1000),
        (with_length(b"2, 2"), "ok"),
    ],
    ids=["length", "chunks", "empty", "largest", "same length twice"],
)
def test_answers_on_one_connection_have_the_order_of_the_requests(start, data, body):
    client = Client(start())
    for _ in range(3):
        assert client.ask(data) == (200, ["POST", "/echo", body])
        assert client.ask(GOOD) == (200, ["POST", "/echo", "ok"])
    client.socket.sendall(data + GOOD + b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
    response = b""
    while response.count(b"HTTP/1.1 200 OK") < 3 or not response.endswith(b"]"):
        response += client.socket.recv(65536)
    assert response.index(b'"/echo", "ok"]') < response.index(b'["GET", "/other"')


def test_methods_and_heads(start):
    client = Client(start())
    for method in ("GET", "PUT", "DELETE", "OPTIONS", "BREW"):
        asked = f"{method} /a HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        assert client.ask(asked, method) == (200, [method, "/a", ""])
    head = b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"
    assert client.ask(head, "HEAD") == (200, None)
    assert client.ask(GOOD)[0] == 200


def test_connections_are_kept_or_closed_as_the_client_asks(start):
    server = start()
    for data in (
        GOOD.replace(b"Host", b"Connection: close\r\nHost"),
        GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ):
        client = Client(server)
        assert client.ask(data)[0] == 200
        assert client.is_closed()


def test_a_client_may_wait_for_100_continue(start):
    client = Client(start())
    client.socket.sendall(
        with_length(b"2\r\nExpect: 100-continue", b"")  # the body comes when asked for
    )
    assert client.socket.recv(100).startswith(b"HTTP/1.1 100 ")
    assert client.ask(b"ok") == (200, ["POST", "/echo", "ok"])
    refused = Client(start()).ask(with_length(b"5000\r\nExpect: 100-continue", b""))
    assert refused[0] == 413


def test_an_error_of_the_model_is_500_and_the_next_request_is_answered(start):
    client = Client(start())
    status, content = client.ask(GOOD.replace(b"/echo", b"/wrong"))
    assert status == 500
    assert "RuntimeError: the model fell over" in content["error"]
    assert client.ask(GOOD)[0] == 200


@pytest.mark.parametrize("sent", [b"P", GOOD[:-20], GOOD[:-1], CHUNKED + b"2\r\no"])
def test_a_slow_client_is_dropped_and_drops_of_data_do_not_help_it(start, sent):
    client = Client(start())
    started = time.monotonic()
    client.socket.sendall(sent)
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.1):
            try:
                client.socket.sendall(b"0")
            except OSError:
                return

    dripping = threading.Thread(target=drip)
    if sent == b"P":
        dripping.start()
    status, content = client.read()
    stop.set()
    assert (status, "not complete" in content["error"]) == (408, True)
    assert LIMITS.request_seconds <= time.monotonic() - started < 5
    if sent == b"P":
        dripping.join()


def test_an_idle_connection_is_closed_without_an_answer(start):
    client = Client(start())
    assert client.ask(GOOD)[0] == 200
    started = time.monotonic()
    assert client.is_closed()
    assert LIMITS.request_seconds < time.monotonic() - started < 5


def test_a_disconnected_client_frees_its_connection(start):
    server = start()
    for data in [b"", GOOD[:-1], GOOD] * LIMITS.connections:
        client = Client(server)
        client.socket.sendall(data)
        client.socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
        )
        client.socket.close()
        time.sleep(0.02)
    assert Client(server).ask(GOOD)[0] == 200


def test_connections_and_threads_are_bounded(start):
    server = start()
    before = threading.active_count()
    held = [Client(server) for _ in range(LIMITS.connections)]
    assert [client.ask(GOOD)[0] for client in held] == [200] * LIMITS.connections
    for _ in range(3):
        status, content = Client(server).ask(GOOD)
        assert (status, "connections" in content["error"]) == (503, True)
    assert threading.active_count() - before <= LIMITS.connections
    held[0].socket.close()
    deadline = time.monotonic() + 10
    while Client(server).ask(GOOD)[0] != 200:
        assert time.monotonic() < deadline


def test_concurrent_model_calls_are_limited(start):
    inside, most, lock = 0, 0, threading.Lock()

    def slowly(method: str, target: str, body: bytes) -> Answer:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.1)
        with lock:
            inside -= 1
        return echo(method, target, body)

    server = start(slowly)
    clients = [Client(server) for _ in range(4)]
    for client in clients:
        client.socket.sendall(GOOD)
    assert [client.read()[0] for client in clients] == [200] * 4
    assert most == LIMITS.at_once


def test_stopping_waits_for_the_model_and_may_come_before_the_start(start):
    began, done = threading.Event(), []

    def slowly(method: str, target: str, body: bytes) -> Answer:
        began.set()
        time.sleep(0.3)
        done.append(target)
        return echo(method, target, body)

    server = start(slowly)
    client = Client(server)
    client.socket.sendall(GOOD)
    began.wait(10)
    server.stop()
    assert done == ["/echo"]
    HttpServer(("127.0.0.1", 0), echo, LIMITS).stop()
