"""EmbeddingSnapshot: one TPM period's tables, keyed by raw id; needs pyarrow alone.

`<folder>/<space>.parquet`, one Parquet row per id that TPM was trained on, in this
period or in an earlier one that it continues:

| column        | type                      | meaning                               |
| ------------- | ------------------------- | ------------------------------------- |
| `id`          | string                    | raw id                                |
| `impressions` | int64                     | the id's impressions in the period    |
| `embedding`   | fixed_size_list<float>[D] | the id's vector at the period's end   |

An id without impressions in the period's own days has the vector of the last period in
which it had some. A network reads it only where none of its periods has the id
otherwise, see `align`.

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
        days: Day of each period, (M,): the day after its last impressions. Only needed
            to hide newer snapshots.
    """

    vectors: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]
    days: tuple[int, ...] = ()


def write_space(
    folder: Path,
    space: str,
    ids: pa.Array,
    impressions: npt.NDArray[np.int64],
    chunks: Iterable[tuple[int, npt.NDArray[np.float32]]],
    width: int,
    metadata: Mapping[str, str | int] | None = None,
    earlier: npt.NDArray[np.int64] | None = None,
) -> int:
    """Writes the ids of one space that TPM was trained on, with their vectors.

    Args:
        folder: Existing folder of the snapshot.
        space: Id space.
        ids: N raw ids in the order of their table rows.
        impressions: Number of impressions of each id, shape (N,).
        chunks: `(position of the first id, vectors of shape (n, D))`, covering
            all N ids in order.
        width: Width `D` of the vectors.
        metadata: Further schema metadata, beside `space`, `width` and `rows`.
        earlier: Number of impressions of each id in the periods that this one
            continues, shape (N,); none by default.

    Returns:
        The number of ids written.
    """
    about = {**(metadata or {}), "space": space, "width": width}
    trained = np.asarray(impressions) > 0
    if earlier is not None:
        trained |= earlier > 0
    about["rows"] = int(np.count_nonzero(trained))
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
            seen = np.flatnonzero(trained[start:stop])
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

    Table rows of padding, missing and out-of-vocabulary ids are in no snapshot. A
    period has an id if it had impressions in the period's days. An id of none of the M
    periods, such as a user who returns after months, has its last vector, in the newest
    period (our choice).

    Args:
        folders: Folders of M >= 1 snapshots, newest first.
        ids: Raw ids of the current vocabulary, in the order of their table rows.
        space_name: Name of the id space.
        space: The id space, which determines the table rows.

    Raises:
        DataError: If the snapshots have different widths or lack the space.
    """
    summaries = [read_summary(folder) for folder in folders]
    widths = {
        folder: int(summary["width"])
        for folder, summary in zip(folders, summaries, strict=True)
    }
    if len(set(widths.values())) != 1:
        listed = ", ".join(f"{folder}: {width}" for folder, width in widths.items())
        raise DataError(
            f"snapshots must have one width to be pooled; received {listed}. After a "
            "change of network.width, run the TPM level of every period again"
        )
    shape = (space.num_rows, len(folders))
    vectors = np.zeros((*shape, next(iter(widths.values()))), np.float32)
    present = np.zeros(shape, np.bool_)
    first_id_row = space.first_id_row
    every = np.ones(space.num_rows, np.bool_)
    for period, folder in enumerate(folders):
        to = vectors[:, period], present[:, period]
        _fill(_file(folder, space_name), ids, first_id_row, *to, own=True, rows=every)
    absent = np.asarray(~present.any(axis=1))
    to = vectors[:, 0], present[:, 0]
    _fill(_file(folders[0], space_name), ids, first_id_row, *to, own=False, rows=absent)
    days = tuple(int(summary["period_day"]) for summary in summaries)
    return SnapshotTables(vectors, present, days)


def _file(folder: Path, space: str) -> Path:
    path = folder / f"{space}.parquet"
    if not path.is_file():
        raise DataError(
            f"the snapshot at {folder} has no {path.name}; it was exported for "
            "other id spaces. Run the TPM level of that period again"
        )
    return path


def _fill(
    path: Path,
    ids: pa.Array,
    first_id_row: int,
    vectors: npt.NDArray[np.float32],
    present: npt.NDArray[np.bool_],
    *,
    own: bool,
    rows: npt.NDArray[np.bool_],
) -> None:
    """Writes one snapshot into views of shape (table rows, D) and (table rows,).

    Args:
        path: The snapshot's file.
        ids: Raw ids of the current vocabulary.
        first_id_row: Table row of the first of them.
        vectors: Receives the vectors.
        present: Receives True for the table rows that are written.
        own: Whether to write the ids with impressions in the period's own days; False
            for the others.
        rows: Table rows that may be written, (table rows,).
    """
    with pq.ParquetFile(path) as file:
        written = read_table(file, ["id", "impressions"])
        seen = written["impressions"].to_numpy() > 0
        # The hash table of `ids` is built once; the wide column is read in chunks.
        found = pc.index_in(written["id"].cast(ids.type), value_set=ids).fill_null(-1)
        position = found.to_numpy()
        chosen = (position >= 0) & (seen == own)
        chosen[chosen] = rows[position[chosen] + first_id_row]
        if not chosen.any():
            return
        start = 0
        for batch in read_batches(file, _READ_ROWS, columns=["embedding"]):
            embedding = batch.column(0).flatten().to_numpy().reshape(len(batch), -1)
            part = slice(start, start + len(batch))
            into = position[part][chosen[part]] + first_id_row
            vectors[into] = embedding[chosen[part]]
            present[into] = True
            start += len(batch)
