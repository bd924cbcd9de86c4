"""Checkpoints of variables by name, read in slices.

The name-based format is used, not Keras's object graph: a warm start matches variables
by name, and a table of 10^7 rows is copied without a second copy in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.data.file_patterns import plain_path
from models.errors import DataError

# Table rows read at once; 2^18 rows of width 16 are 16 MiB.
CHUNK_ROWS = 262_144


def save_variables(prefix: Path, variables: Mapping[str, Any]) -> None:
    """Writes `variables` to `<prefix>.index` and `<prefix>.data-*`."""
    prefix.parent.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=plain_path(prefix),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=[variable.read_value() for variable in variables.values()],
    )


def variable_shapes(prefix: Path) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every variable in the checkpoint, by name.

    Raises:
        DataError: If there is no checkpoint at `prefix`.
    """
    if not prefix.with_name(f"{prefix.name}.index").is_file():
        raise DataError(
            f"no checkpoint at {prefix}; expected {prefix.name}.index. Was the model "
            "trained by another program, or its folder cleaned? Train the level again"
        )
    reader = tf.train.load_checkpoint(plain_path(prefix))
    shapes = reader.get_variable_to_shape_map()
    return {name: tuple(shapes[name]) for name in sorted(shapes)}


def read_rows(
    prefix: Path,
    name: str,
    num_rows: int,
    *,
    first_row: int = 0,
    chunk_rows: int = CHUNK_ROWS,
    dtype: Any = tf.float32,
) -> Iterator[tuple[int, Any]]:
    """Yields chunks `(first row, tensor)` of some rows of a variable.

    Args:
        prefix: The checkpoint.
        name: The variable.
        num_rows: Number of rows to read.
        first_row: First row to read.
        chunk_rows: Rows per chunk.
        dtype: Dtype of the saved variable.
    """
    shape = variable_shapes(prefix)[name]
    sizes = " ".join(str(size) for size in shape)
    end = first_row + num_rows
    for start in range(first_row, end, chunk_rows):
        length = min(chunk_rows, end - start)
        slices = [f"{start},{length}", *["-"] * (len(shape) - 1)]
        (chunk,) = tf.raw_ops.RestoreV2(
            prefix=plain_path(prefix),
            tensor_names=[name],
            shape_and_slices=[f"{sizes} {':'.join(slices)}"],
            dtypes=[dtype],
        )
        yield start, chunk


def restore(prefix: Path, name: str, variable: Any, num_rows: int) -> None:
    """Reads the first `num_rows` rows of a variable, or a scalar, into `variable`."""
    if variable.shape.rank == 0:
        (value,) = tf.raw_ops.RestoreV2(
            prefix=plain_path(prefix),
            tensor_names=[name],
            shape_and_slices=[""],
            dtypes=[variable.dtype],
        )
        variable.assign(value)
        return
    for start, chunk in read_rows(prefix, name, num_rows, dtype=variable.dtype):
        variable[start : start + chunk.shape[0]].assign(chunk)
