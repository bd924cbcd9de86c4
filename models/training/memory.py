"""Peak memory of this process since a given moment.

`getrusage` reports the peak of the whole process, and one process trains many levels.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import re
import resource
import sys
from pathlib import Path

import pyarrow as pa

_LOG = logging.getLogger(__name__)
_MIB = 1 << 20
_RESET_PEAK = "5"  # proc(5), clear_refs: resets VmHWM to the present VmRSS
_PROCESS = Path("/proc/self")


def reset_peak() -> float:
    """Resets the peak, if the system supports it.

    Freed memory is returned to the system first, so that its reuse is counted.

    Returns:
        Current resident memory in MiB, the initial value of the peak.
    """
    gc.collect()
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim is not None:
        trim(0)
    try:
        (_PROCESS / "clear_refs").write_text(_RESET_PEAK, encoding="ascii")
    except OSError as error:
        _LOG.warning("peaks of memory are those of the whole process: %s", error)
    return peak_mib()


def peak_mib() -> float:
    """Returns the largest resident memory since `reset_peak`, in MiB.

    It includes the libraries, some 1,000 MiB of TFX and TensorFlow, and memory still
    held by earlier work.
    """
    status = _PROCESS / "status"
    if status.is_file():
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
        if found:
            return int(found[1]) * 1024 / _MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes everywhere but on macOS.
    return peak * (1 if sys.platform == "darwin" else 1024) / _MIB
