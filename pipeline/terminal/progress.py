"""Progress of a run on the terminal; output of libraries goes to a log file."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from rich.console import Group
from rich.console import RenderableType
from rich.live import Live
from rich.spinner import Spinner

from models.progress import PROGRESS
from pipeline.terminal.plain_text import Console
from pipeline.terminal.plain_text import plain


def duration(seconds: float) -> str:
    """Returns seconds as readable text.

    Example:
        >>> duration(7.2), duration(83)
        ('7 s', '1:23 min')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


@contextlib.contextmanager
def quiet_libraries(log_file: Path, console: Console) -> Iterator[Console]:
    """Redirects standard output and error of this process to `log_file`.

    The file descriptors are redirected, because TensorFlow's C++ code and Beam's
    workers bypass Python's streams.

    Args:
        log_file: File to append to.
        console: Console of the user.

    Yields:
        A console on the original standard output, of the same kind and width; on
        standard error if Python's standard output was sent there before.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    # Queried before the redirection: afterwards every terminal is a file.
    is_terminal, width = console.is_terminal, console.width
    sys.stdout.flush()
    sys.stderr.flush()
    saved_out, saved_err = os.dup(1), os.dup(2)
    shown_on = os.dup(saved_err if sys.stdout is sys.stderr else saved_out)
    with log_file.open("ab") as log, os.fdopen(shown_on, "w") as terminal:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield Console(
                file=terminal,
                force_terminal=is_terminal,
                width=width,
                quiet=console.quiet,
                markup=False,
                emoji=False,
            )
        finally:
            # A full disk takes no more of the log; the error is to be seen all the
            # same.
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os.dup2(saved_out, 1)
            os.dup2(saved_err, 2)
            os.close(saved_out)
            os.close(saved_err)


class RunDisplay:
    """Display of a run: a line per finished step and a live line for the running one.

    If the output is not a terminal, the live line is replaced by one line per node of a
    graph.

    Attributes:
        console: Console of the display.
        num_done: Number of steps that are done, reused ones included.
        under_way: Label of the running step; empty between steps.
    """

    def __init__(
        self,
        console: Console,
        num_steps: int,
        below: RenderableType | None = None,
        *,
        only_live: bool = False,
    ) -> None:
        """Creates a display of `num_steps` steps on `console`.

        Args:
            console: Console of the display.
            num_steps: Number of steps.
            below: Text below the live line, such as the progress of a command that
                consists of many runs.
            only_live: Whether only the live line and warnings are shown, for a command
                that summarises many runs itself.
        """
        self.console = console
        self.num_done = 0
        self.under_way = ""
        self._below = below
        self._only_live = only_live
        self._num_steps = num_steps
        self._started = time.monotonic()
        self._step_started = self._started
        self._index = 0
        self._label = ""
        self._node = ""
        self._detail = ""
        self._nodes: list[tuple[str, float]] = []
        self._node_started = self._started
        self._live: Live | None = None
        self._spent: dict[str, float] = {}

    def start(self, index: int, label: str) -> None:
        """Announces step `index` (from 1)."""
        self._index, self._label = index, label
        self.under_way = label
        self._node = self._detail = ""
        self._nodes = []
        self._step_started = time.monotonic()
        if self.console.is_terminal and not self.console.quiet:
            self._live = _live(self.console, self._line)
            self._live.start()
        elif not self._only_live:
            self.console.print(f"{self._prefix()} {label} ...")

    def node_started(self, node: str) -> None:
        """Shows the running component of the step's graph."""
        self._node, self._detail = node, ""
        self._node_started = time.monotonic()

    def node_finished(self) -> None:
        """Records the duration of the component that has finished."""
        self._nodes.append((self._node, time.monotonic() - self._node_started))
        self._node = ""

    def detail(self, text: str) -> None:
        """Shows a progress message of the running component."""
        self._detail = text
        if not self.console.is_terminal and not self._only_live:
            self.console.print(
                f"          {self._node or 'start'}: {text}",
                soft_wrap=True,
            )

    def warn(self, text: str) -> None:
        """Prints a warning of a component; it stays, and `--quiet` prints it, too."""
        # Steps are counted only where each has a line.
        prefix = "" if self._only_live else f"{self._prefix()} "
        line = plain(f"{prefix}{self._label}: {text}", "yellow")
        self.console.say(line, soft_wrap=True)

    def finish(self, rows: int | None, verdict: str = "done") -> None:
        """Prints the step's line: impressions, their rate, seconds by component."""
        seconds = time.monotonic() - self._step_started
        self.num_done, self.under_way = self.num_done + 1, ""
        self.stop()
        if self._only_live:
            return
        speed = f"{rows:,} rows, {rows / seconds:,.0f} rows/s" if rows else ""
        slow = [f"{node} {duration(s)}" for node, s in self._nodes if s >= 1]
        line = plain(f"{self._prefix()} {self._label:<40} ")
        line.append(f"{verdict} in {duration(seconds):>8}", style="green")
        line.append(f"  {speed}", style="bold")
        if slow:
            line.append(f"  ({', '.join(slow)})", style="dim")
        self.console.print(line, soft_wrap=True)

    def note(self, text: str) -> None:
        """Prints a remark on the step of the previous line."""
        if not self._only_live:
            indent = " " * len(self._prefix())
            self.console.say(f"{indent} {text}", style="yellow", soft_wrap=True)

    def imported(self) -> None:
        """Prints the duration of the imports."""
        if not self._only_live:
            self.console.print(f"TFX and Beam imported in {duration(self.elapsed)}")

    def spend(self, what: str) -> None:
        """Counts the time since the start of the step, or of the run, as `what`."""
        seconds = time.monotonic() - self._step_started
        self._spent[what] = self._spent.get(what, 0.0) + seconds

    def summary(self) -> str:
        """Returns the run's duration and its parts, as text."""
        parts = [f"{what} {duration(s)}" for what, s in self._spent.items()]
        return f"Finished in {duration(self.elapsed)}: {', '.join(parts)}."

    def reused(self, index: int, label: str) -> None:
        """Prints the line of a step whose stored result is reused."""
        self._index = index
        self.num_done += 1
        if self._only_live:
            return
        self.console.print(f"{self._prefix()} {label:<40} reused", style="dim")

    def fail(self, reason: str) -> None:
        """Prints the line of a failed step while other steps continue."""
        self._outcome(self.console.say, "failed: " + reason, "bold red")

    def left_out(self, index: int, label: str) -> None:
        """Prints the line of a step that was skipped because a needed step failed."""
        self._index, self._label = index, label
        words = "left out: only what failed needs it"
        self._outcome(self.console.print, words, "dim")

    def _outcome(self, show: Callable[..., None], words: str, style: str) -> None:
        self.under_way = ""
        self.stop()
        if not self._only_live:
            line = plain(f"{self._prefix()} {self._label:<40} ")
            line.append(plain(words, style))
            show(line, soft_wrap=True)

    def stop(self) -> None:
        """Ends the live line."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    @property
    def step_elapsed(self) -> float:
        """Seconds since the running step began."""
        return time.monotonic() - self._step_started

    @property
    def nodes(self) -> tuple[tuple[str, float], ...]:
        """Finished components of the running step, each with its seconds."""
        return tuple(self._nodes)

    def _prefix(self) -> str:
        width = len(str(self._num_steps))
        return f"{self._index:>{width}}/{self._num_steps}"

    def _line(self) -> RenderableType:
        parts = [
            f"{self._prefix()} {self._label}",
            self._node,
            duration(time.monotonic() - self._step_started),
            self._detail,
            f"run {duration(self.elapsed)}",
        ]
        spinner = Spinner("dots", plain(" · ".join(part for part in parts if part)))
        return spinner if self._below is None else Group(spinner, self._below)


def _live(console: Console, line: Callable[[], RenderableType]) -> Live:
    return Live(
        console=console,
        refresh_per_second=4,
        transient=True,
        get_renderable=line,
        # Otherwise it would show output of libraries, which belongs in the log file.
        redirect_stdout=False,
        redirect_stderr=False,
    )


@contextlib.contextmanager
def waiting(console: Console, text: str) -> Iterator[None]:
    """Shows `text` with a spinner on a terminal; nothing elsewhere."""
    spinner = Spinner("dots", plain(text))
    shown = console.is_terminal and not console.quiet
    with _live(console, lambda: spinner) if shown else nullcontext():
        yield


class _Forward(logging.Handler):
    """Logging handler that passes the components' messages to the display."""

    def __init__(self, display: RunDisplay) -> None:
        super().__init__(logging.INFO)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        show = self._display.warn if is_warning else self._display.detail
        show(record.getMessage())


@contextlib.contextmanager
def forward_progress(display: RunDisplay) -> Iterator[None]:
    """Shows the components' progress and warnings on `display` inside the context."""
    handler = _Forward(display)
    PROGRESS.addHandler(handler)
    PROGRESS.setLevel(logging.INFO)
    try:
        yield
    finally:
        PROGRESS.removeHandler(handler)
