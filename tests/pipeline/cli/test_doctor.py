"""Command `doctor`: lines, exit code, and what it imports."""

import errno
import subprocess
import sys

import pytest
from click.testing import CliRunner

from pipeline.cli import doctor
from pipeline.cli.group import main
from pipeline.doctor.examine import examine
from pipeline.doctor.finding import Status
from pipeline.doctor.finding import ok
from pipeline.doctor.finding import problem
from pipeline.doctor.finding import warning
from pipeline.store.reader import Store
from tests.misuse.world import build
from tests.misuse.world import contents

GOOD = ok("paths", "root is there")
ODD = warning("ports", "8500 is taken", "stop what listens there")
BAD = problem("disk", "it is full", "make room")


def shown(monkeypatch, findings, *options):
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: findings)
    result = CliRunner().invoke(main, ["doctor", *options])
    return result.exit_code, result.output.splitlines()


def test_each_finding_is_a_line_with_what_to_do(monkeypatch):
    code, lines = shown(monkeypatch, [GOOD, ODD, BAD])
    assert code == 2
    assert lines == [
        "ok       paths: root is there",
        "warning  ports: 8500 is taken; stop what listens there",
        "problem  disk: it is full; make room",
        "Problems found: 1 problem(s), 1 warning(s); the lines above say how to mend "
        "each",
    ]


def test_a_warning_is_no_reason_to_fail(monkeypatch):
    code, lines = shown(monkeypatch, [GOOD, ODD], "--quiet")
    assert code == 0
    assert lines == ["warning  ports: 8500 is taken; stop what listens there"]


def test_a_configuration_that_is_not_valid_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.doctor.examine.check_native", lambda _: [])
    build(tmp_path / "world", {"set": {"sources": []}})
    *_, last = examine(tmp_path / "world" / "config.yaml", {})
    assert (last.part, last.status) == ("configuration", Status.PROBLEM)
    assert "sources" in last.text


def test_a_root_that_cannot_be_read_is_a_finding_among_others(tmp_path, monkeypatch):
    def refused(_):
        raise PermissionError(errno.EACCES, "Permission denied", "runs/metadata.sqlite")

    monkeypatch.setattr("pipeline.doctor.examine.check_native", lambda _: [])
    monkeypatch.setattr(Store, "is_empty", refused)
    build(tmp_path / "world", {})
    found = [*examine(tmp_path / "world" / "config.yaml", {})]
    (disk,) = [one for one in found if one.part == "disk"]
    assert disk.text == "runs/metadata.sqlite: Permission denied"
    assert found[-1].part == "versions"


@pytest.mark.slow
def test_a_healthy_project_passes_and_stays_as_it_is(tmp_path):
    world = tmp_path / "world"
    build(world, {})
    before = contents(world)
    code = (
        "import sys\n"
        "from pipeline.cli.group import main\n"
        "try:\n"
        f"    main(['doctor', {str(world / 'config.yaml')!r}])\n"
        "finally:\n"
        "    heavy = {'tensorflow', 'tfx', 'apache_beam'} & set(sys.modules)\n"
        "    print(*heavy, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "problem" not in done.stdout, done.stdout
    assert done.returncode == 0
    assert done.stderr.strip() == ""
    assert contents(world) == before
