"""Differences between releases of NumPy, Arrow and TensorFlow, and private names.

The locks of `requirements/` pin two lines: NumPy 1.26, pyarrow 10 and TensorFlow 2.16,
or NumPy 2.4, pyarrow 18 and TensorFlow 2.21. The code is the same for both; workarounds
that only one line needs are kept in this module, those for TFX in `components.compat`.

Private names of TensorFlow, TFT and Keras that crossctr reads or replaces have no
public counterpart. `tests/models/test_private_names.py` has a canary for each: it fails
if a release has renamed one or changed its arguments.
"""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.data import file_patterns
from models.data.arrow_files import pq


def save_arrays(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Writes named arrays as an .npz file, which `numpy.load` reads.

    `numpy.savez` takes names as keywords, so an array named `file`, or since NumPy 2
    `allow_pickle`, would be one of its own arguments.

    Args:
        path: The file.
        arrays: By name, of any shapes.

    Raises:
        ValueError: An array holds Python objects, which only pickle could store.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            # The size is not known in advance, and above 2 GiB the format differs.
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read_batches(
    file: pq.ParquetFile, batch_rows: int, **options: Any
) -> Iterator[pa.RecordBatch]:
    """Yields the record batches of a Parquet file, none if it has no row groups.

    Writers such as Spark leave a file without row groups if there was no data, and
    pyarrow 18 fails on it.

    Args:
        file: The open file.
        batch_rows: Largest number of table rows in a batch.
        options: Further arguments of `pq.ParquetFile.iter_batches`.
    """
    if file.metadata.num_row_groups:
        yield from file.iter_batches(batch_rows, **options)


def read_table(file: pq.ParquetFile, columns: Sequence[str] | None = None) -> pa.Table:
    """Returns the content of a Parquet file, see `read_batches`.

    Args:
        file: The open file.
        columns: Names of the columns to read; all by default.
    """
    if file.metadata.num_row_groups:
        return file.read(columns=columns)
    table = file.schema_arrow.empty_table()
    return table if columns is None else table.select(list(columns))


@contextlib.contextmanager
def literal_folders() -> Iterator[None]:
    """Makes TensorFlow take folder names literally, see `models.data.file_patterns`.

    TensorFlow looks for the variables of a SavedModel by a pattern, and TFX lists files
    by `tf.io.gfile.glob`; neither escapes the folder's name.
    """
    import tensorflow as tf
    from tensorflow.python.saved_model import path_helpers

    variables_path, tf_glob = path_helpers.get_variables_path, tf.io.gfile.glob

    def literal_variables_path(export_dir: Any) -> str:
        return file_patterns.plain_path(os.fsdecode(variables_path(export_dir)))

    def literal_glob(pattern: Any) -> list[str]:
        patterns = [pattern] if isinstance(pattern, str | os.PathLike) else pattern
        found: list[str] = []
        for one in map(os.fspath, patterns):
            literal = file_patterns.is_literal(one)
            found += file_patterns.files_of(one) if literal else tf_glob(one)
        return found

    with (
        mock.patch.object(path_helpers, "get_variables_path", literal_variables_path),
        mock.patch.object(tf.io.gfile, "glob", literal_glob),
    ):
        yield


def saved_transform(folder: str | Path) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Returns TFT's SavedModel as a function, and the objects to be saved with it.

    TFT's Keras layer calls the same function, but Keras would also save the layer's own
    functions.

    Args:
        folder: The SavedModel, `TFTransformOutput.transform_savedmodel_dir`.

    Returns:
        A function from raw tensors by name to transformed ones, and the object to keep
        as an attribute of the saved module.
    """
    # Imported late: it costs a second or more and only the export needs it.
    from tensorflow_transform.saved import saved_transform_io_v2

    loader = saved_transform_io_v2.SavedModelLoader(str(folder))
    return loader.apply_transform_model, vars(loader)


def accumulator_of(optimizer: Any, table: Any) -> Any:
    """Returns Adagrad's accumulator of a variable; same shape as the variable.

    Args:
        optimizer: A built `keras.optimizers.Adagrad`.
        table: One of the variables that it was built for.
    """
    return optimizer._accumulators[optimizer._index_dict[optimizer._var_key(table)]]


def ftrl_slots_of(optimizer: Any, variable: Any) -> tuple[Any, Any]:
    """Returns FTRL's accumulator and linear slot of a variable, both of its shape.

    Args:
        optimizer: A built `keras.optimizers.Ftrl`.
        variable: One of the variables that it was built for.
    """
    index = optimizer._index_dict[optimizer._var_key(variable)]
    return optimizer._accumulators[index], optimizer._linears[index]
