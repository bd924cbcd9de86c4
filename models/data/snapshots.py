"""EmbeddingSnapshot: one TPM period's tables, keyed by raw id; needs pyarrow alone.

`<folder>/<space>.parquet`, one Parquet row per id with an impression in the period's
window:

| column        | type                      | meaning                               |
| ------------- | ------------------------- | ------------------------------------- |
| `id`          | string                    | raw id                                |
| `impressions` | int64                     | impressions of the id in the window   |
| `embedding`   | fixed_size_list<float>[D] | the id's vector at the period's end   |

`<folder>/snapshot.json`: `period_day`, `width`, `vocabulary_hash`, `rows` (number of
ids) by space. Each Parquet file's schema metadata holds the same as text under
`crossctr.*`, with the hash of its own vocabulary, so that a single file is
self-describing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from models.artifact_files import SNAPSHOT_FILE
from models.compat import read_batches
from models.compat import read_table
from models.data.arrow_files import pq
from models.errors import DataError
from models.features.id_space import IdSpace
from models.short_hash import short_hash

_READ_ROWS = 65_536


class SnapshotTables(NamedTuple):
    """M periods of one id space, aligned with the current vocabulary's table rows.

    Attributes:
        vectors: Float32 array of shape (table rows, M, D), newest period first; zeros
            where missing. The table row is the first axis, so that an id's periods are
            adjacent in memory.
        present: Bool array of shape (table rows, M).
    """

    vectors: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]


def write_space(
    folder: Path,
    space: str,
    ids: pa.Array,
    impressions: npt.NDArray[np.int64],
    chunks: Iterable[tuple[int, npt.NDArray[np.float32]]],
    width: int,
    metadata: Mapping[str, str | int] | None = None,
) -> int:
    """Writes the ids of one space that had an impression, with their vectors.

    Args:
        folder: Existing folder of the snapshot.
        space: Id space.
        ids: N raw ids in the order of their table rows.
        impressions: Number of impressions of each id, shape (N,).
        chunks: `(position of the first id, vectors of shape (n, D))`, covering
            all N ids in order.
        width: Width `D` of the vectors.
        metadata: Further schema metadata, beside `space`, `width` and `rows`.

    Returns:
        The number of ids written.
    """
    about = {**(metadata or {}), "space": space, "width": width}
    about["rows"] = int(np.count_nonzero(np.asarray(impressions) > 0))
    schema = pa.schema(
        [
            pa.field("id", pa.string()),
            pa.field("impressions", pa.int64()),
            pa.field("embedding", pa.list_(pa.float32(), width)),
        ],
        metadata={f"crossctr.{key}": str(value) for key, value in about.items()},
    )
    written = 0
    with pq.ParquetWriter(folder / f"{space}.parquet", schema) as writer:
        for start, vectors in chunks:
            stop = start + len(vectors)
            seen = np.flatnonzero(impressions[start:stop] > 0)
            flat = pa.array(vectors[seen].ravel(), pa.float32())
            columns = [
                ids.slice(start, stop - start).take(pa.array(seen)).cast(pa.string()),
                pa.array(impressions[start:stop][seen], pa.int64()),
                pa.FixedSizeListArray.from_arrays(flat, width),
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            written += len(seen)
    return written


def write_summary(
    folder: Path,
    *,
    period_day: int,
    width: int,
    vocabularies: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, int],
) -> None:
    """Writes `snapshot.json`.

    Args:
        folder: Folder of the snapshot.
        period_day: The TPM's run day; its window ends the day before.
        width: Width of the embeddings.
        vocabularies: Result of `describe_ids` by space.
        rows: Number of ids written, by space.
    """
    hashes = "".join(f"{space}:{v['hash']};" for space, v in vocabularies.items())
    summary = {
        "period_day": period_day,
        "width": width,
        "vocabulary_hash": short_hash(hashes.encode()),
        "rows": dict(rows),
    }
    text = json.dumps(summary, indent=2) + "\n"
    (folder / SNAPSHOT_FILE).write_text(text, encoding="utf-8")


def read_summary(folder: Path) -> dict[str, Any]:
    """Reads `snapshot.json`.

    Raises:
        DataError: If `folder` holds no snapshot.
    """
    path = folder / SNAPSHOT_FILE
    if not path.is_file():
        raise DataError(
            f"no embedding snapshot at {folder}; expected {SNAPSHOT_FILE}. Run the TPM "
            "level of that period again"
        )
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return summary


def align(
    folders: Sequence[Path], ids: pa.Array, space_name: str, space: IdSpace
) -> SnapshotTables:
    """Joins M snapshots with the current vocabulary by raw id.

    Table rows of padding, missing and out-of-vocabulary ids are in no snapshot, nor are
    ids without an impression in the period.

    Args:
        folders: Folders of M >= 1 snapshots, newest first.
        ids: Raw ids of the current vocabulary, in the order of their table rows.
        space_name: Name of the id space.
        space: The id space, which determines the table rows.

    Raises:
        DataError: If the snapshots have different widths or lack the space.
    """
    widths = {folder: int(read_summary(folder)["width"]) for folder in folders}
    if len(set(widths.values())) != 1:
        listed = ", ".join(f"{folder}: {width}" for folder, width in widths.items())
        raise DataError(
            f"snapshots must have one width to be pooled; received {listed}. After a "
            "change of network.width, run the TPM level of every period again"
        )
    shape = (space.num_rows, len(folders))
    vectors = np.zeros((*shape, next(iter(widths.values()))), np.float32)
    present = np.zeros(shape, np.bool_)
    for period, folder in enumerate(folders):
        path = folder / f"{space_name}.parquet"
        if not path.is_file():
            raise DataError(
                f"the snapshot at {folder} has no {path.name}; it was exported for "
                "other id spaces. Run the TPM level of that period again"
            )
        with pq.ParquetFile(path) as file:
            _fill(file, ids, space.first_id_row, vectors[:, period], present[:, period])
    return SnapshotTables(vectors, present)


def _fill(
    file: pq.ParquetFile,
    ids: pa.Array,
    first_id_row: int,
    vectors: npt.NDArray[np.float32],
    present: npt.NDArray[np.bool_],
) -> None:
    """Writes one snapshot into views of shape (table rows, D) and (table rows,)."""
    written = read_table(file, ["id"])["id"].cast(ids.type)
    # The hash table of `ids` is built once; the wide column is read in chunks.
    positions = pc.index_in(written, value_set=ids).fill_null(-1).to_numpy()
    start = 0
    for batch in read_batches(file, _READ_ROWS, columns=["embedding"]):
        embedding = batch.column(0).flatten().to_numpy().reshape(len(batch), -1)
        position = positions[start : start + len(batch)]
        known = position >= 0
        rows = position[known] + first_id_row
        vectors[rows] = embedding[known]
        present[rows] = True
        start += len(batch)
