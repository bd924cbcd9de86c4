"""Lists of ids: native lists of a file, or texts that hold several."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.log_example_gen.problems import Mask
from components.log_example_gen.values import ColumnTypeError
from components.log_example_gen.values import Mark
from components.log_example_gen.values import is_list
from components.log_example_gen.values import is_text
from components.log_example_gen.values import mark_lists
from components.log_example_gen.values import of_lengths
from components.log_example_gen.values import plain
from components.log_example_gen.values import read_ids


def read_id_lists(
    values: pa.Array, separator: str | None, max_length: int, mark: Mark
) -> tuple[pa.Array, Mask]:
    """Returns lists of ids without missing ones, cut to a length.

    Args:
        values: Lists; or, with a separator, texts or single ids.
        separator: What stands between the ids of a text.
        max_length: Ids kept.
        mark: Told of rows with a value that is no id.

    Returns:
        Lists of large_binary, and which of them were longer; both of shape (rows,).

    Raises:
        ColumnTypeError: The type holds no lists of ids.
    """
    values = plain(values)
    if pa.types.is_null(values.type):
        values = values.cast(pa.large_list(pa.large_binary()))
    elif not is_list(values.type):
        values = _split(values, separator, mark)
    kind = pa.large_list(values.type.value_type)
    # A missing list says as little as an empty one.
    lists = pc.if_else(pc.is_null(values), pa.scalar([], kind), values.cast(kind))
    parents = pc.list_parent_indices(lists).to_numpy()
    mark_rows = mark_lists(mark, parents, len(lists))
    try:
        flat = read_ids(lists.flatten(), mark_rows)
    except ColumnTypeError as error:
        raise ColumnTypeError("a list of text or integers (ids)") from error
    present = pc.is_valid(flat)
    parents = parents[present.to_numpy(zero_copy_only=False)]
    flat = flat.filter(present)
    lengths = np.bincount(parents, minlength=len(lists))
    longer = lengths > max_length
    if longer.any():
        starts = np.cumsum(lengths) - lengths
        position = np.arange(len(parents)) - starts[parents]
        flat = flat.filter(pa.array(position < max_length))
        lengths = np.minimum(lengths, max_length)
    return of_lengths(lengths, flat), longer


def _split(values: pa.Array, separator: str | None, mark: Mark) -> pa.Array:
    """Returns the lists that texts hold; a value of another type is a list of one."""
    if separator is None:
        raise ColumnTypeError(
            "a list of ids; for ids in one text say what stands between them: "
            "`separator`"
        )
    if is_text(values.type):
        return pc.split_pattern(values, separator)
    try:
        ids = read_ids(values, mark)
    except ColumnTypeError as error:
        raise ColumnTypeError(
            f"a list of ids, or a text of ids with {separator!r} between them"
        ) from error
    present = pc.is_valid(ids)
    return of_lengths(present.to_numpy(zero_copy_only=False), ids.filter(present))
