"""Accounting of the ingest: days without logs, and rows that Transform loses."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.log_example_gen.logic import DomainLog
from models.errors import DataError

pytestmark = pytest.mark.slow


@pytest.fixture
def log(tmp_path):
    """A domain with logs of 1970-01-02 and 1970-01-04."""
    for day in ("1970-01-02", "1970-01-04"):
        folder = tmp_path / "de" / f"date={day}"
        folder.mkdir(parents=True)
        (folder / "a.parquet").write_bytes(b"not read here")
    return DomainLog(
        domain="de", folder=str(tmp_path / "de"), columns={}, label="rating >= 4"
    )


def test_every_missing_day_of_a_block_fails_and_is_named(log):
    from components.log_example_gen.executor import _shards

    with pytest.raises(DataError, match=r"for 1970-01-03; expected .* every day"):
        _shards([log], 1, 3)
    with pytest.raises(DataError, match=r"for 1970-01-05, .* and 4 more"):
        _shards([log], 4, 12)
    (shard,) = _shards([log], 1, 1)
    assert [file.day for file in shard.files] == [1]


def test_a_domain_that_may_skip_days_reads_its_existing_logs(log):
    from components.log_example_gen.executor import _shards

    skipping = log.model_copy(update={"missing_days": "skip"})
    (shard,) = _shards([skipping], 1, 3)
    assert [file.day for file in shard.files] == [1, 3]
    (empty,) = _shards([skipping], 5, 6)
    assert (empty.domain, empty.files) == ("de", ())


def test_a_day_with_nothing_that_is_read_fails_also_where_days_may_be_skipped(log):
    from components.log_example_gen.executor import _shards

    folder = Path(log.folder) / "date=1970-01-03"
    folder.mkdir()
    for marker in ("_SUCCESS", "DONE"):
        (folder / marker).touch()
    skipping = log.model_copy(update={"missing_days": "skip", "marker": "DONE"})
    assert len(_shards([skipping], 1, 3)) == 1
    (folder / "part-0.JSON").touch()
    with pytest.raises(DataError, match=r"date=1970-01-03/part-0\.JSON \(rename it"):
        _shards([skipping], 1, 3)


def test_a_file_beside_its_packed_form_stops_the_ingest(log):
    from components.log_example_gen.executor import _shards

    for name in ("b.csv", "b.csv.gz"):
        (Path(log.folder) / "date=1970-01-02" / name).touch()
    with pytest.raises(DataError, match="lie side by side"):
        _shards([log], 1, 1)


@pytest.mark.parametrize("lost", [0, 1])
def test_rows_that_transform_loses_are_found(tmp_path, lost):
    from tfx.types import artifact_utils
    from tfx.types import standard_artifacts

    from components.transform.executor import _check_rows

    artifacts = []
    for name, sizes in (("raw", (3, 4)), ("transformed", (7 - lost,))):
        artifact = standard_artifacts.Examples()
        artifact.uri = str(tmp_path / name)
        artifact.split_names = artifact_utils.encode_split_names(["de"])
        folder = tmp_path / name / "Split-de"
        folder.mkdir(parents=True)
        for index, size in enumerate(sizes):
            pq.write_table(pa.table({"x": range(size)}), folder / f"{index}.parquet")
        artifacts.append(artifact)
    if not lost:
        _check_rows(*artifacts)
        return
    with pytest.raises(DataError, match="'de': 7 rows went into Transform and 6 came"):
        _check_rows(*artifacts)
