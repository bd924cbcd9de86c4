"""Doctor's checks of Python, packages and native code, each problem caused."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.doctor import environment
from pipeline.doctor.environment import check_native
from pipeline.doctor.environment import check_packages
from pipeline.doctor.environment import check_python
from pipeline.doctor.finding import Status

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("version", "tfx", "status", "text"),
    [
        ((3, 11), "1.16.0", Status.OK, "Python 3.11, TFX 1.16.0"),
        ((3, 13), "1.21.0", Status.OK, "Python 3.13"),
        ((3, 13), "1.16.0", Status.PROBLEM, "packages are for Python 3.10 and 3.11"),
        ((3, 11), "1.17.0", Status.WARNING, "TFX 1.17.0 is neither"),
        ((3, 11), "", Status.PROBLEM, "TFX is not installed"),
    ],
)
def test_python_has_to_fit_tfx(version, tfx, status, text):
    (found,) = check_python(version, tfx)
    assert found.status == status
    assert text in found.text
    assert bool(found.fix) == (status != Status.OK)


@pytest.mark.checkout
def test_the_lines_are_those_that_packages_are_chosen_from():
    path = ROOT / "requirements" / "choose.py"
    spec = importlib.util.spec_from_file_location("choose", path)
    choose = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(choose)
    assert {
        Path(line.lock).stem.removeprefix("tfx-"): tuple(map(choose.dotted, pythons))
        for line in choose.LINES
        for pythons in [line.pythons]
    } == environment.PYTHONS


def test_supported_versions_are_told_from_others():
    requirements = ["click>=8", "rich<1", "no-such-package", 'optuna; extra == "tune"']
    missing, wrong = check_packages(requirements, lock={})
    assert (missing.status, wrong.status) == (Status.PROBLEM, Status.PROBLEM)
    assert missing.text == "not installed: no-such-package"
    assert wrong.text.startswith("not supported: rich ")
    assert wrong.text.endswith("(expected <1)")
    (found,) = check_packages(["click>=8"], lock={})
    assert (found.status, found.text) == (Status.OK, "1 requirements are met")


def test_what_is_not_as_locked_is_a_warning():
    installed = importlib.metadata.version("click")
    _, found = check_packages([], lock={"click": "0.1", "not-there": "1"})
    assert found.status == Status.WARNING
    assert f"click {installed} (locked 0.1)" in found.text
    _, found = check_packages([], lock={"click": installed})
    assert found.status == Status.OK


@pytest.mark.checkout
def test_the_lock_of_the_installed_line_is_read():
    locked = environment.locked_versions()
    assert locked["tfx"] == importlib.metadata.version("tfx")
    assert len(locked) > 100


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("raise ImportError('libx.so: no such file')", "ImportError: libx.so: no such"),
        ("import os; os.kill(os.getpid(), 11)", "ends the process with SIGSEGV"),
    ],
    ids=["missing library", "crash"],
)
def test_native_code_that_cannot_be_loaded_is_named(tmp_path, code, text):
    (tmp_path / "broken_wheel.py").write_text(code)
    (tmp_path / "good_wheel.py").touch()
    (found,) = check_native(["good_wheel", "broken_wheel"], [str(tmp_path)])
    assert found.status == Status.PROBLEM
    assert found.text.startswith(f"broken_wheel: {text}")
    (found,) = check_native(["good_wheel"], [str(tmp_path)])
    assert found.status == Status.OK


def test_what_is_loaded_without_deep_does_not_load_tensorflow():
    names = ", ".join(environment.NATIVE)
    code = f"import sys, {names}; print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
