"""Runner that starts and stops the local server for TFX's InfraValidator."""

from __future__ import annotations

from pathlib import Path

from tfx.components.infra_validator.model_server_runners import base_runner

from components.model_server.server import ModelServer


class LocalServerRunner(base_runner.BaseModelServerRunner):
    """Runner of `components.model_server` in this process.

    Args:
        model_path: `<directory>/<name>/<version>`.
    """

    def __init__(self, model_path: Path) -> None:
        self._folder = model_path.parent
        self._server: ModelServer | None = None

    def __repr__(self) -> str:
        """Returns the text for TFX's log."""
        return f"LocalServerRunner({str(self._folder)!r})"

    def GetEndpoint(self) -> str:  # noqa: N802 (TFX's names, here and below)
        """Returns `host:port` of the started server."""
        assert self._server is not None, "the server has not been started"
        return f"127.0.0.1:{self._server.port}"

    def Start(self) -> None:  # noqa: N802
        """Starts the server on any free port and loads the model."""
        self._server = ModelServer([self._folder])
        self._server.start()

    def WaitUntilRunning(self, deadline: float) -> None:  # noqa: ARG002, N802
        """No-op: a started server is running."""

    def Stop(self) -> None:  # noqa: N802
        """Stops the server."""
        if self._server is not None:
            self._server.stop()

    def GetLogs(self) -> str | None:  # noqa: N802
        """Returns the reasons why versions could not be loaded."""
        if self._server is None:
            return None
        failed = [m.failed for m in self._server.models.values() if m.failed]
        return "\n".join(reason for by in failed for reason in by.values()) or None
