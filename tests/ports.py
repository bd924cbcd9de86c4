"""Free ports for servers that tests start."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Returns a port of this machine on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        port: int = listener.getsockname()[1]
        return port
