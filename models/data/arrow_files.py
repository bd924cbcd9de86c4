"""Parquet and Arrow IPC modules of pyarrow, made safe to read; imported only here.

pyarrow before 14.0.1 runs code that a file brings along as a pickled column type
(CVE-2023-47248). `pyarrow_hotfix` refuses such types in this process from here on; on
newer pyarrow it does nothing. So every module that reads or writes Parquet or IPC has

    from models.data.arrow_files import pq

and whatever process it runs in, a Beam worker included, has loaded the hotfix.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401 (its import is what it does)
from pyarrow import ipc

__all__ = ["UNREADABLE", "ipc", "pq", "why_unreadable"]

# What pyarrow raises for a file it cannot read; RuntimeError is the hotfix's.
UNREADABLE = (pa.ArrowInvalid, OSError, RuntimeError)

_PICKLED_TYPE = "arrow.py_extension_type"


def why_unreadable(error: Exception) -> str:
    """Returns in one line why a file cannot be read."""
    text = " ".join(str(error).split())
    if _PICKLED_TYPE in text:
        # The hotfix adds a disassembly of the pickle, a page long.
        return f"a column's type is pickled Python code ({_PICKLED_TYPE}), never run"
    return text
