"""What NumPy and TensorFlow do differently in the releases that crossctr runs on.

The locks of `requirements/` pin two lines, of NumPy 1.26 with TensorFlow 2.16 and of
NumPy 2.4 with TensorFlow 2.21; the code is the same for both, and what only one of them
needs is here and nowhere else. `components.compat` is the same for TFX.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes named arrays as an .npz file.

    NumPy 2 has given `numpy.savez` an argument `allow_pickle` among the names, so that
    type checkers take an array for it.

    Args:
        path: The file.
        arrays: By name, of any shapes.
    """
    named: dict[str, Any] = dict(arrays)
    np.savez(path, **named)
