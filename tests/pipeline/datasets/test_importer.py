"""Importer: every row accounted for, complete folders, bad input refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import DataError
from pipeline.datasets import importer
from pipeline.datasets.manifest import MANIFEST_FILE
from tests.pipeline.datasets.imports import DATE
from tests.pipeline.datasets.imports import ROWS
from tests.pipeline.datasets.imports import rating_table
from tests.pipeline.datasets.imports import read_logs
from tests.pipeline.datasets.imports import run_import


def test_writes_one_file_a_day_with_the_rows_of_the_window(
    source: Path, logs: Path
) -> None:
    report = run_import(source, logs)
    days = read_logs(logs)
    assert list(days) == ["date=2014-01-01", "date=2014-01-02", "date=2014-01-04"]
    written = [
        (row["user_id"], row["item_id"], row["rating"])
        for rows in days.values()
        for row in rows
    ]
    assert written == [ROWS[i][:3] for i in (2, 1, 3, 4, 5)]
    assert report.domains[0].read_rows == 7
    assert report.domains[0].written_rows == report.written_rows == 5
    assert report.domains[0].outside_rows == 2
    assert report.domains[0].num_files == 3
    assert not report.reused


def test_aggregates_know_the_rows_before_the_window(source: Path, logs: Path) -> None:
    run_import(source, logs)
    first = read_logs(logs)["date=2014-01-01"][0]
    # 2013-12-30: ann clicked the lamp, the domain's only row so far.
    assert first["item_impressions"] == first["user_impressions"] == 1
    assert first["item_click_rate"] == pytest.approx(1.0)
    assert first["item_age_days"] == first["user_age_days"] == 2
    assert first["recent_items"] == ["lamp"]


def test_a_later_or_same_day_click_changes_no_earlier_log(
    source: Path, logs: Path
) -> None:
    run_import(source, logs)
    before = read_logs(logs)
    planted = (*ROWS, ("bob", "lamp", 5, DATE(2014, 1, 2)))
    pq.write_table(rating_table(planted), source / "ca.parquet")
    run_import(source, logs)
    after = read_logs(logs)
    assert after["date=2014-01-01"] == before["date=2014-01-01"]
    assert after["date=2014-01-02"][:3] == before["date=2014-01-02"]
    assert after["date=2014-01-04"] != before["date=2014-01-04"]


def test_click_threshold(source: Path, logs: Path) -> None:
    run_import(source, logs, click_at_least=5)
    assert read_logs(logs)["date=2014-01-04"][0]["recent_items"] == ["lamp"]
    assert read_logs(logs)["date=2014-01-02"][0]["item_click_rate"] == pytest.approx(
        0.5
    )


def test_column_types(source: Path, logs: Path) -> None:
    run_import(source, logs)
    schema = pq.read_schema(logs / "ca" / "date=2014-01-04" / "part-0.parquet")
    # Arrow 10 calls the values of a list `item`, newer ones `element`, as Parquet does.
    types = [str(field.type).replace("element:", "item:") for field in schema]
    assert list(zip(schema.names, types, strict=True)) == [
        ("user_id", "string"),
        ("item_id", "string"),
        ("rating", "int8"),
        ("item_impressions", "int64"),
        ("item_click_rate", "double"),
        ("item_age_days", "int64"),
        ("user_impressions", "int64"),
        ("user_click_rate", "double"),
        ("user_age_days", "int64"),
        ("recent_items", "list<item: string>"),
        ("recent_items_ca", "list<item: string>"),
        ("recent_items_de", "list<item: string>"),
    ]


def test_progress_ends_with_all_rows(source: Path, logs: Path) -> None:
    seen: list[tuple[str, int]] = []
    run_import(
        source,
        logs,
        ("ca", "de"),
        on_progress=lambda domain, rows: seen.append((domain, rows)),
    )
    assert seen == [("ca", 5), ("de", 2)]


def test_repeated_import_is_reused(source: Path, logs: Path) -> None:
    first = run_import(source, logs)
    path = logs / "ca" / "date=2014-01-04" / "part-0.parquet"
    written = path.stat().st_mtime_ns
    second = run_import(source, logs)
    assert second.reused
    assert path.stat().st_mtime_ns == written
    assert second.written_rows == first.written_rows
    assert second.domains[0].outside_rows == 2


@pytest.mark.parametrize(
    "changes",
    [{"recent_items": 1}, {"click_at_least": 5}, {"last_day": DATE(2014, 1, 2)}],
    ids=["recent_items", "click_at_least", "last_day"],
)
def test_other_parameters_replace_the_logs(
    source: Path, logs: Path, changes: dict[str, Any]
) -> None:
    run_import(source, logs)
    assert not run_import(source, logs, **changes).reused
    replaced = read_logs(logs)
    assert run_import(source, logs, **changes).reused
    run_import(source, logs.with_name("fresh"), **changes)
    assert replaced == read_logs(logs.with_name("fresh"))


def test_lost_days_are_imported_again(source: Path, logs: Path) -> None:
    run_import(source, logs)
    expected = read_logs(logs)
    (logs / "ca" / "date=2014-01-04" / "part-0.parquet").unlink()
    (logs / "ca" / "date=2014-01-04").rmdir()
    assert not run_import(source, logs).reused
    assert read_logs(logs) == expected


def test_killed_import_leaves_no_half_domain(
    source: Path, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importer.pq.write_table
    calls: list[Path] = []

    def killed_at_the_second_day(rows: Any, path: Path, **options: Any) -> None:
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(rows, path, **options)

    monkeypatch.setattr(importer.pq, "write_table", killed_at_the_second_day)
    with pytest.raises(KeyboardInterrupt):
        run_import(source, logs)
    assert not (logs / "ca").exists()
    monkeypatch.undo()
    run_import(source, logs)
    assert len(read_logs(logs)) == 3
    assert [path.name for path in logs.iterdir()] == ["ca"]


def test_manifest_names_source_and_counts(source: Path, logs: Path) -> None:
    run_import(source, logs)
    manifest = json.loads((logs / "ca" / MANIFEST_FILE).read_text(encoding="utf-8"))
    assert list(manifest["origin"]["sha256"]) == ["ca", "de"]
    assert {len(digest) for digest in manifest["origin"]["sha256"].values()} == {64}
    assert manifest["counts"]["written_rows"] == 5


def _without(column: str) -> pa.Table:
    return rating_table().drop([column])


def _with(column: str, values: pa.Array) -> pa.Table:
    table = rating_table()
    index = table.column_names.index(column)
    return table.set_column(index, column, values)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            _without("rating"),
            r"ca.parquet has no column 'rating'; it has user_id, item",
        ),
        (
            _with("rating", pa.array(["5"] * 7)),
            r"column 'rating' of .*ca.parquet is of type string; expected an integer",
        ),
        (
            _with("date", pa.array(["2014-01-01"] * 7)),
            r"column 'date' of .*ca.parquet is of type string; expected date32\[day\]",
        ),
        (
            _with("user_id", pa.array(range(7))),
            r"column 'user_id' of .* is of type int64; expected string",
        ),
        (
            _with("user_id", pa.array(["a", "b", None, "c", None, "d", "e"])),
            r"column 'user_id' of .* has no value in 2 of 7 rows, first in row 2",
        ),
        (
            _with("item_id", pa.array(["", "b", "c", "d", "e", "f", "g"])),
            r"column 'item_id' of .* has no value in 1 of 7 rows, first in row 0",
        ),
        (
            _with("rating", pa.array([5, None, 1, 1, 1, 1, 1], pa.int8())),
            r"column 'rating' of .* has no value in 1 of 7 rows, first in row 1",
        ),
        (rating_table().slice(0, 0), r"ca.parquet has no rows"),
        (
            rating_table().slice(6),
            r"its rows are of 2014-01-09 to 2014-01-09; choose `first_day` and `import",
        ),
    ],
    ids=[
        "column_missing",
        "rating_text",
        "date_text",
        "user_number",
        "user_null",
        "item_empty",
        "rating_null",
        "no_rows",
        "outside_window",
    ],
)
def test_refuses_bad_sources_and_writes_nothing(
    source: Path, logs: Path, table: pa.Table, message: str
) -> None:
    pq.write_table(table, source / "ca.parquet")
    with pytest.raises(DataError, match=message):
        run_import(source, logs, ("de", "ca"))
    assert not logs.exists()


def test_refuses_what_is_not_parquet(source: Path, logs: Path) -> None:
    (source / "ca.parquet").write_text("user_id,item_id\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        run_import(source, logs)
    assert not logs.exists()


def test_names_the_closest_file(source: Path, logs: Path) -> None:
    with pytest.raises(
        DataError, match=r"'cat' has no file 'cat.parquet' .*did you mean 'ca'\?"
    ):
        run_import(source, logs, ("de", "cat"))
    assert not logs.exists()


def test_lists_the_files_when_none_is_close(source: Path, logs: Path) -> None:
    with pytest.raises(DataError, match=r"The folder has ca, de; name one of these"):
        run_import(source, logs, ("moon",))


def test_refuses_a_missing_folder(tmp_path: Path, logs: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*gone'; .*set `import.data`"):
        run_import(tmp_path / "gone", logs)
    assert not logs.exists()


def test_never_deletes_logs_of_other_origin(source: Path, logs: Path) -> None:
    foreign = logs / "ca" / "date=2014-01-01" / "log.parquet"
    foreign.parent.mkdir(parents=True)
    pq.write_table(rating_table(), foreign)
    with pytest.raises(DataError, match=r"no import wrote it; .*move the folder away"):
        run_import(source, logs, ("de", "ca"))
    assert foreign.exists()
    assert not (logs / "de").exists()


def test_never_deletes_days_added_to_an_import(source: Path, logs: Path) -> None:
    run_import(source, logs)
    (logs / "ca" / "date=2014-02-01").mkdir()
    with pytest.raises(DataError, match="has 4 days, of which an import wrote 3"):
        run_import(source, logs)


def test_refuses_a_damaged_manifest(source: Path, logs: Path) -> None:
    run_import(source, logs)
    (logs / "ca" / MANIFEST_FILE).write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is not valid JSON .*remove the folder"):
        run_import(source, logs)


def test_recent_items_of_every_domain_in_every_log(source: Path, logs: Path) -> None:
    moon = [("bob", "moon", 5, DATE(2014, 1, 1)), ("ann", "mars", 5, DATE(2014, 1, 4))]
    pq.write_table(rating_table(moon), source / "de.parquet")
    run_import(source, logs, ("ca", "de"))
    days = read_logs(logs)
    bob, ann = days["date=2014-01-02"][0], days["date=2014-01-04"][0]
    assert (bob["recent_items_ca"], bob["recent_items_de"]) == ([], ["moon"])
    # The click on mars is of the same day.
    assert (ann["recent_items_ca"], ann["recent_items_de"]) == (["lamp"], [])
    assert ann["recent_items"] == ann["recent_items_ca"]
    other = read_logs(logs, "de")["date=2014-01-04"][0]
    assert other["recent_items_ca"] == ["lamp"]
    assert other["recent_items"] == other["recent_items_de"] == []


def test_frozen_features_do_not_move_within_the_period(
    source: Path, logs: Path
) -> None:
    run_import(source, logs, freeze="month")
    rows = [row for rows in read_logs(logs).values() for row in rows]
    # As of 2014-01-01: ann has clicked the lamp once, nothing else has happened.
    for row in rows:
        assert row["recent_items"] == (["lamp"] if row["user_id"] == "ann" else [])
        assert row["item_impressions"] == (row["item_id"] == "lamp")
        assert row["user_impressions"] == (row["user_id"] == "ann")
        assert row["item_age_days"] == (2 if row["item_id"] == "lamp" else None)
