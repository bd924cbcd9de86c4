"""Vectors: lists of numbers of a file, or texts that hold several."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.values import Mark
from components.log_example_gen.values import is_list
from components.log_example_gen.values import is_text
from components.log_example_gen.values import mark_lists
from components.log_example_gen.values import of_lengths
from components.log_example_gen.values import plain
from components.log_example_gen.values import read_numbers
from components.log_example_gen.values import to_float32


def read_vectors(
    values: pa.Array, separator: str | None, length: int, mark: Mark
) -> pa.Array:
    """Returns vectors of a length; an empty list where one is missing.

    A vector with NaN or null among its elements is missing.

    Args:
        values: Lists of numbers; or, with a separator, texts.
        separator: What stands between the numbers of a text.
        length: Number of elements.
        mark: Told of rows with another number of elements, or with a value that is no
            finite number.

    Returns:
        Lists of float32, shape (rows,).

    Raises:
        ColumnTypeError: The type holds no lists of numbers.
    """
    values = plain(values)
    if pa.types.is_null(values.type):
        values = values.cast(pa.large_list(pa.float64()))
    elif not is_list(values.type):
        if separator is None or not is_text(values.type):
            raise ColumnTypeError(
                "a list of numbers; for numbers in one text say what stands between "
                "them: `separator`"
            )
        values = pc.split_pattern(values, separator)
    kind = pa.large_list(values.type.value_type)
    lists = pc.if_else(pc.is_null(values), pa.scalar([], kind), values.cast(kind))
    lengths = pc.list_value_length(lists).to_numpy()
    mark((lengths > 0) & (lengths != length), f"is not a vector of {length} numbers")
    parents = pc.list_parent_indices(lists).to_numpy()
    mark_rows = mark_lists(mark, parents, len(lists))
    try:
        flat = read_numbers(lists.flatten(), pa.float64(), mark_rows)
    except ColumnTypeError as error:
        raise ColumnTypeError("a list of numbers") from error
    flat = to_float32(flat, mark_rows)
    usable = lengths == length
    usable[parents[pc.is_null(flat).to_numpy(zero_copy_only=False)]] = False
    return of_lengths(usable * length, flat.filter(pa.array(usable[parents])))
