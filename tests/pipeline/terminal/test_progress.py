"""Progress of a run on the screen, without any output of libraries."""

import io
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from models.progress import PROGRESS
from pipeline.terminal import progress as console_module
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import RunDisplay
from pipeline.terminal.progress import duration
from pipeline.terminal.progress import forward_progress
from pipeline.terminal.progress import quiet_libraries
from pipeline.terminal.progress import waiting


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (7.2, "7 s"),
        (59, "59 s"),
        (60, "1:00 min"),
        (83.9, "1:23 min"),
        (3600, "60:00 min"),
    ],
)
def test_durations_are_short(seconds, expected):
    assert duration(seconds) == expected


class Clock:
    """A clock that moves by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The console's clock."""
    hand_moved = Clock()
    time = SimpleNamespace(monotonic=hand_moved)
    monkeypatch.setattr(console_module, "time", time)
    return hand_moved


class Screen:
    """A display of two steps and what it has printed on a screen of some width."""

    def __init__(self, num_steps=2, width=200):
        self._file = io.StringIO()
        self.display = RunDisplay(Console(file=self._file, width=width), num_steps)

    def raw(self):
        """Returns the lines as they are."""
        return self._file.getvalue().splitlines()

    def lines(self):
        """Returns the lines with runs of blanks as one."""
        return [" ".join(line.split()) for line in self.raw()]


def test_a_step_is_announced_and_finished_with_its_speed(clock):
    screen = Screen()
    screen.display.start(1, "ingest")
    clock.now += 2
    screen.display.finish(3_000)
    assert screen.lines() == [
        "1/2 ingest ...",
        "1/2 ingest done in 2 s 3,000 rows, 1,500 rows/s",
    ]


@pytest.mark.parametrize("rows", [None, 0])
def test_a_step_without_rows_has_no_speed(clock, rows):
    screen = Screen()
    screen.display.start(2, "publish")
    clock.now += 61
    screen.display.finish(rows, verdict="refused")
    assert screen.lines()[-1] == "2/2 publish refused in 1:01 min"


def test_details_name_the_node_that_runs(clock):
    screen = Screen()
    screen.display.start(1, "ingest")
    screen.display.detail("3 days are new")
    screen.display.node_started("Vocabulary")
    screen.display.detail("item: 7 ids (+2), 70% of its capacity")
    clock.now += 5
    screen.display.node_finished()
    assert screen.lines()[1:] == [
        "start: 3 days are new",
        "Vocabulary: item: 7 ids (+2), 70% of its capacity",
    ]


def test_a_finished_step_lists_its_slow_nodes(clock):
    screen = Screen()
    screen.display.start(1, "ingest")
    for node, seconds in (("Resolver", 0.5), ("Transform", 3), ("Guard", 1)):
        screen.display.node_started(node)
        clock.now += seconds
        screen.display.node_finished()
    screen.display.finish(None)
    assert screen.lines()[-1] == "1/2 ingest done in 4 s (Transform 3 s, Guard 1 s)"


def test_a_note_stands_below_its_step():
    screen = Screen()
    screen.display.reused(2, "TPM")
    screen.display.note("31 optimizer steps, fewer than 50 [of all]")
    assert screen.raw()[-1] == "    31 optimizer steps, fewer than 50 [of all]"


def test_the_next_step_starts_afresh(clock):
    screen = Screen()
    screen.display.start(1, "ingest")
    screen.display.node_started("Transform")
    clock.now += 9
    screen.display.node_finished()
    screen.display.finish(None)
    screen.display.start(2, "train")
    clock.now += 1
    screen.display.finish(10)
    assert screen.lines()[-1] == "2/2 train done in 1 s 10 rows, 10 rows/s"


def test_a_stored_step_is_reused_and_numbers_line_up():
    screen = Screen(num_steps=12)
    screen.display.reused(3, "TPM of 2020-01-01")
    screen.display.reused(10, "CPM of 2020-01-01")
    assert screen.lines() == [
        "3/12 TPM of 2020-01-01 reused",
        "10/12 CPM of 2020-01-01 reused",
    ]
    first, second = screen.raw()
    assert first.index("TPM") == second.index("CPM")
    assert first.index("reused") == second.index("reused")


def test_a_finished_step_is_one_line_on_a_narrow_screen(clock):
    screen = Screen(width=40)
    screen.display.start(1, "ingest")
    clock.now += 1
    screen.display.finish(1_000_000)
    assert screen.lines()[-1] == (
        "1/2 ingest done in 1 s 1,000,000 rows, 1,000,000 rows/s"
    )


def test_brackets_are_text_and_not_markup(clock):
    screen = Screen()
    screen.display.start(1, "ingest [de]")
    screen.display.detail("published [/srv]/ads/1")
    clock.now += 1
    screen.display.finish(None)
    screen.display.reused(2, "ingest [ca]")
    assert screen.lines() == [
        "1/2 ingest [de] ...",
        "start: published [/srv]/ads/1",
        "1/2 ingest [de] done in 1 s",
        "2/2 ingest [ca] reused",
    ]


def test_what_stands_below_the_live_line_moves_with_it():
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True)
    display = RunDisplay(console, 2, below="two of the trials")
    display.start(1, "ingest")
    display.stop()
    assert "1/2 ingest" in file.getvalue()
    assert "two of the trials" in file.getvalue()


def test_the_summary_lists_time_by_purpose(clock):
    display = Screen().display
    clock.now += 20
    display.spend("importing TFX")
    for index, kind, seconds in ((1, "ingest", 30), (2, "ingest", 35), (3, "tpm", 5)):
        display.start(index, kind)
        clock.now += seconds
        display.spend(kind)
        display.finish(None)
    assert display.summary() == (
        "Finished in 1:30 min: importing TFX 20 s, ingest 1:05 min, tpm 5 s."
    )


def test_both_descriptors_go_to_the_file_and_come_back(tmp_path, capfd):
    log_file = tmp_path / "runs" / "libraries.log"
    with quiet_libraries(log_file, Console()) as shown:
        os.write(1, b"out\n")
        os.write(2, b"err\n")
        shown.print("for the person")
    os.write(1, b"out again\n")
    os.write(2, b"err again\n")
    assert log_file.read_text() == "out\nerr\n"
    assert capfd.readouterr() == ("for the person\nout again\n", "err again\n")


def test_the_descriptors_come_back_after_an_exception(tmp_path, capfd):
    def fail():
        with quiet_libraries(tmp_path / "libraries.log", Console()):
            os.write(1, b"out\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    os.write(1, b"out again\n")
    os.write(2, b"err again\n")
    assert (tmp_path / "libraries.log").read_text() == "out\n"
    assert capfd.readouterr() == ("out again\n", "err again\n")


def test_the_log_file_grows_and_no_descriptor_is_left(tmp_path, capfd):
    log_file = tmp_path / "libraries.log"
    before = os.dup(1)
    os.close(before)
    for _ in range(3):
        with quiet_libraries(log_file, Console()):
            os.write(1, b"x")
    after = os.dup(1)
    os.close(after)
    assert log_file.read_text() == "xxx"
    assert after == before
    assert capfd.readouterr() == ("", "")


PROGRAM = """
import os, pathlib, subprocess, sys
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import quiet_libraries
print("before")
with quiet_libraries(pathlib.Path(sys.argv[1]), Console()) as shown:
    print("from Python")
    print("error from Python", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    shown.print("for the person")
print("after")
"""


def test_prints_of_python_and_of_children_go_to_the_file(tmp_path):
    # In a process of its own, because pytest puts its own objects at sys.stdout.
    log_file = tmp_path / "libraries.log"
    command = [sys.executable, "-c", PROGRAM, str(log_file)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == "before\nfor the person\nafter\n"
    assert result.stderr == ""
    assert sorted(log_file.read_text().splitlines()) == [
        "error from Python",
        "from Python",
        "from a child",
    ]


def test_progress_lines_are_shown_while_forwarded():
    screen = Screen()
    handlers = list(PROGRESS.handlers)
    screen.display.node_started("Trainer")
    with forward_progress(screen.display):
        PROGRESS.info("epoch %d of %d", 1, 3)
        PROGRESS.debug("too much")
    PROGRESS.info("too late")
    assert screen.lines() == ["Trainer: epoch 1 of 3"]
    assert PROGRESS.handlers == handlers


@pytest.mark.parametrize("is_terminal", [False, True], ids=["piped", "terminal"])
@pytest.mark.parametrize("quiet", [False, True], ids=["loud", "quiet"])
def test_a_warning_of_a_component_stays(is_terminal, quiet):
    file = io.StringIO()
    console = Console(file=file, force_terminal=is_terminal, width=120, quiet=quiet)
    display = RunDisplay(console, 2)
    display.start(1, "ingest 2024-01-01..2024-01-31")
    display.node_started("Vocabulary")
    with forward_progress(display):
        PROGRESS.warning("item: %d new ids were refused", 3)
        PROGRESS.info("user: 7 ids (+2)")
    display.finish(10)
    words = "1/2 ingest 2024-01-01..2024-01-31: item: 3 new ids were refused"
    assert words in file.getvalue()
    # A terminal shows it in the live line until the next message.
    assert ("user: 7 ids" in file.getvalue()) is not quiet


@pytest.mark.parametrize("quiet", [False, True])
def test_a_command_that_summarises_runs_shows_warnings_of_components(quiet):
    file = io.StringIO()
    display = RunDisplay(Console(file=file, width=120, quiet=quiet), 4, only_live=True)
    display.start(1, "ingest 2024-01-01..2024-01-31")
    with forward_progress(display):
        PROGRESS.info("user: 7 ids (+2)")
        PROGRESS.warning("item: 3 new ids were refused")
    display.finish(10)
    warning = "ingest 2024-01-01..2024-01-31: item: 3 new ids were refused\n"
    assert file.getvalue() == warning


def test_forwarding_ends_with_an_exception():
    screen = Screen()
    handlers = list(PROGRESS.handlers)

    def fail():
        with forward_progress(screen.display):
            raise ValueError("training stopped")

    with pytest.raises(ValueError, match="training stopped"):
        fail()
    assert PROGRESS.handlers == handlers


# Noise as libraries make it, while a live line and a spinner are on the screen.
PTY_PROGRAM = """
import logging, pathlib, sys, warnings
from pipeline.terminal.plain_text import Console
from pipeline.terminal.progress import RunDisplay, quiet_libraries, waiting
with quiet_libraries(pathlib.Path(sys.argv[1]), Console()) as shown:
    with waiting(shown, "importing"):
        print("noise")
        warnings.warn("noise")
    display = RunDisplay(shown, 1)
    display.start(1, "ingest")
    print("noise")
    logging.getLogger("library").warning("noise")
    display.finish(7)
"""


def test_a_terminal_shows_the_live_line_and_nothing_of_the_libraries(tmp_path):
    try:
        master, slave = os.openpty()
    except OSError as error:
        pytest.skip(f"this machine has no pseudo-terminals ({error})")
    log_file = tmp_path / "libraries.log"
    subprocess.run(
        [sys.executable, "-c", PTY_PROGRAM, str(log_file)],
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm"},
        check=True,
    )
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert "importing" in shown
    assert "1/1 ingest" in shown
    assert "7 rows" in shown
    assert "\x1b[" in shown
    assert "noise" not in shown
    assert log_file.read_text().count("noise") >= 4


def test_names_with_brackets_and_colons_are_printed_as_they_are(capfd, tmp_path):
    from pipeline.cli.options import wide_console

    console = wide_console()
    console.print("/data/team [ads]/:smile:/x", soft_wrap=True)
    with quiet_libraries(tmp_path / "[a]" / "libraries.log", console) as shown:
        shown.print("/data/team [ads]/:smile:/y", soft_wrap=True)
    printed = capfd.readouterr().out
    assert "/data/team [ads]/:smile:/x" in printed
    assert "/data/team [ads]/:smile:/y" in printed


def test_the_import_is_shown_on_a_terminal_and_nowhere_else():
    shown, piped = io.StringIO(), io.StringIO()
    for file, is_terminal in ((shown, True), (piped, False)):
        console = Console(file=file, force_terminal=is_terminal, width=80)
        with waiting(console, "importing TFX"):
            pass
    assert "importing TFX" in shown.getvalue()
    assert piped.getvalue() == ""


def test_a_quiet_console_says_results_and_warnings_alone():
    file = io.StringIO()
    console = Console(file=file, width=120, quiet=True)
    display = RunDisplay(console, 2)
    display.start(1, "TPM")
    display.detail("half")
    display.finish(10)
    display.note("few optimizer steps")
    display.start(2, "CPM")
    display.fail("it broke")
    console.print(display.summary())
    console.say("Published")
    lines = [line.strip() for line in file.getvalue().splitlines()]
    assert lines[0] == "few optimizer steps"
    assert lines[1].startswith("2/2 CPM")
    assert lines[1].endswith("failed: it broke")
    assert lines[2:] == ["Published"]


def test_a_quiet_console_stays_quiet_while_libraries_run(tmp_path, capfd):
    console = Console(width=80, quiet=True)
    with quiet_libraries(tmp_path / "libraries.log", console) as shown:
        shown.print("progress")
        shown.say("warning")
    assert capfd.readouterr().out == "warning\n"
