"""Share of native library code in a process, sampled with py-spy.

py-spy reads Python and native frames together. The innermost frame outside the C
library classifies a sample, because `memcpy` works for its caller:

* *native*: in the shared object of a library (Arrow, TensorFlow, tfx_bsl, NumPy, ML
  Metadata, ...);
* *python*: in the interpreter, in Python code (this project's, Beam's, any other) or in
  Beam's compiled Cython modules, which are the runner's own bookkeeping;
* *waiting*: sleeping, polling or asking for a lock on behalf of Python; not counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# py-spy stops the process for some milliseconds while it walks the native stack: a
# higher rate would measure py-spy itself.
_SAMPLES_PER_SECOND = 20

_FRAME = re.compile(r"^(?P<function>.*) \((?P<where>[^()]*)\)$")
_C_LIBRARY = re.compile(r"^(libc|libstdc\+\+|libm|libpthread|ld-linux.*|\[vdso\])\b")
_WAITING = re.compile(
    r"nanosleep|usleep|epoll_wait|^poll$|^select$|acquire_lock|take_gil|"
    r"pthread_cond_(timed)?wait|sem_wait|futex|^wait4$|^recv"
)
_BEAM_CYTHON = re.compile(
    r"apache_beam|^(operations|execution|common|coder_impl|stream|statesampler_fast|"
    r"windowed_value|opcounters|cells|metrics/.*|map|worker.*)\.(c|pyx|cpython.*)$"
)
_INTERPRETER = re.compile(r"^(libpython|python3|_pickle|object\.h|ceval|Objects/)")
_SHARED_OBJECT = re.compile(r"\.so\b|\.(cc|cpp|h|hpp|c)$")


def find_py_spy() -> str | None:
    """Returns the path of py-spy, which the lock file installs beside Python."""
    beside = Path(sys.executable).parent
    return shutil.which("py-spy", path=os.pathsep.join([str(beside), os.defpath])) or (
        shutil.which("py-spy")
    )


@contextlib.contextmanager
def sampled(output: Path) -> Iterator[None]:
    """Samples this process while the block runs.

    Args:
        output: Receives one line per distinct stack, and its number of samples.

    Raises:
        RuntimeError: py-spy is missing or may not trace this process.
    """
    command = find_py_spy()
    if command is None:
        raise RuntimeError("py-spy is not installed; run `make setup`")
    options = ["--native", "--rate", str(_SAMPLES_PER_SECOND), "--format", "raw"]
    spy = subprocess.Popen(
        [
            command,
            "record",
            *options,
            "--output",
            str(output),
            "--pid",
            f"{os.getpid()}",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert spy.stdout is not None
    said = ""
    for line in spy.stdout:
        said += line
        if "Sampling process" in line:
            break
    else:
        raise RuntimeError(f"py-spy cannot trace this process: {said.strip()}")
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)
        spy.communicate(timeout=120)


def count(output: Path) -> Counter[str]:
    """Returns the samples of each kind: `native`, `python`, `waiting`."""
    return sum((Counter({k: n}) for k, _, n in _samples(output)), Counter())


def leaders(output: Path, kind: str, most: int = 10) -> list[tuple[str, int]]:
    """Returns the places where samples of a kind were taken, most frequent first."""
    where: Counter[str] = Counter()
    for found, place, number in _samples(output):
        if found == kind:
            where[place] += number
    return where.most_common(most)


def _samples(output: Path) -> Iterator[tuple[str, str, int]]:
    for line in output.read_text(encoding="utf-8").splitlines():
        stack, number = line.rsplit(" ", 1)
        kind, place = classify(stack.split(";"))
        yield kind, place, int(number)


def classify(stack: list[str]) -> tuple[str, str]:
    """Returns the kind of a stack, outermost frame first, and the deciding frame."""
    for frame in reversed(stack):
        match = _FRAME.match(frame)
        if match is None:
            continue
        function, where = match["function"], match["where"]
        place = where.split(":")[0]
        if _C_LIBRARY.match(place):
            continue
        innermost = _FRAME.match(stack[-1])
        waits = innermost is not None and _C_LIBRARY.match(innermost["where"])
        name = innermost["function"] if innermost is not None else ""
        if _WAITING.search(function) or (waits and _WAITING.search(name)):
            # A library that waits for its own threads counts as working.
            own = place.startswith(("pyarrow", "tensorflow/", "tfx_bsl"))
            return ("native" if own else "waiting"), place
        if place.endswith(".py") or place.startswith("<"):
            # Unwinding can lose the frames of a library without debug symbols: a lost
            # frame counts as Python.
            package = place.split("/")[0]
            return "python", package
        if _BEAM_CYTHON.search(place):
            return "python", "apache_beam (Cython)"
        if _INTERPRETER.search(place):
            return "python", "interpreter"
        if _SHARED_OBJECT.search(place):
            return "native", place
        return "python", place
    return "python", "unknown"
