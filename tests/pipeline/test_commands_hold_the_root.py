"""Commands on a locked root: the error names the holder, nothing changes."""

import subprocess
import sys

import click
import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.pipeline.execution.holder import HOLDER
from tests.pipeline.report.stored import ROOT

DAY = ("--day", "2019-01-01")
WHY = ("--reason", "why")
# By command that changes what other commands read: its options.
CHANGES = {
    "ablate": DAY,
    "accept": ("--from", "2019-01-01", *WHY),
    "backfill": ("--from", "2019-01-01", "--to", "2019-01-02"),
    "clean": ("--yes",),
    "compare": DAY,
    "import": (),
    "ingest": ("--to", "2019-01-01"),
    "promote": (*DAY, *WHY),
    "rollback": WHY,
    "run": DAY,
    "schema accept": (*DAY, "-f", "item_id"),
    "schema infer": (*DAY, "--force"),
    "simulate": (),
}
# The others: they write nothing, or only a page or log file that no command reads.
READS = {
    "compile",
    "doctor",
    "embeddings nearest",
    "plan",
    "predict",
    "report",
    "schema diff",
    "schema-json",
    "serve",
    "show",
    "sizes",
    "strategies",
    # It trains in a root of its own, which it holds.
    "tune",
    "validate",
    "versions",
    "vocabularies",
    # It trains what a `run` that holds the root has begun.
    "worker",
}


def commands(group=main, before=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*before, name))
        else:
            yield " ".join((*before, name))


@pytest.fixture
def world(tmp_path):
    """A configuration whose root another process holds."""
    settings = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
    settings |= {
        "root": str(tmp_path / "runs"),
        "logs": str(tmp_path / "logs"),
        "schema": str(tmp_path / "xmarket.pbtxt"),
        "serving": {"directory": str(tmp_path / "serving")},
    }
    settings["import"]["data"] = str(ROOT / "data" / "xmarket")
    (tmp_path / "xmarket.pbtxt").write_text(
        (ROOT / "schema" / "xmarket.pbtxt").read_text()
    )
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path / "runs"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"

    def run(command):
        config = dict(settings)
        if command == "simulate":
            config.pop("import")
            config["simulate"] = {"truth": str(tmp_path / "truth")}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        options = CHANGES.get(command, DAY if command == "plan" else ())
        return CliRunner().invoke(main, [*command.split(), str(path), *options])

    yield run
    process.kill()
    process.wait()


def files_in(folder):
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "config.yaml"
    }


def test_every_command_says_whether_it_changes_something():
    assert sorted(commands()) == sorted([*CHANGES, *READS])


@pytest.mark.parametrize("command", CHANGES)
def test_a_changing_command_is_refused_on_a_locked_root(world, tmp_path, command):
    before = files_in(tmp_path)
    result = world(command)
    assert result.exit_code == 75, result.output
    assert "Already running: `crossctr run x.yaml --day 2024-02-23`" in result.output
    assert f"holds '{tmp_path / 'runs'}'" in result.output
    assert files_in(tmp_path) == before


@pytest.mark.parametrize("command", ["show", "validate", "versions"])
def test_reading_commands_work_on_a_locked_root(world, command):
    assert world(command).exit_code != 75


def test_a_dry_run_changes_nothing_and_needs_no_lock(world, monkeypatch):
    monkeypatch.setitem(
        CHANGES,
        "schema accept",
        ("-f", "item_id", "--dry-run", "--max-drift", "0.5"),
    )
    monkeypatch.setattr("pipeline.cli.schema.read_schema", _stop)
    with pytest.raises(_Stopped):
        world("schema accept")


class _Stopped(BaseException):
    """Nothing of the command line turns it into a line."""


def _stop(_):
    raise _Stopped
