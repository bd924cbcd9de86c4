"""Importer: every row accounted for, complete folders, bad input refused."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.errors import DataError
from pipeline.config.sections import ImportConfig
from pipeline.config.sections import NegativeSampling
from pipeline.datasets import importer
from pipeline.datasets.importer import ImportReport
from pipeline.datasets.importer import import_logs
from pipeline.datasets.manifest import MANIFEST_FILE

DATE = datetime.date

# Not sorted by day; the first row lies before the window, the last one after it.
ROWS: tuple[tuple[str, str, int, datetime.date], ...] = (
    ("ann", "lamp", 5, DATE(2013, 12, 30)),
    ("bob", "lamp", 2, DATE(2014, 1, 2)),
    ("ann", "lamp", 4, DATE(2014, 1, 1)),
    ("bob", "desk", 4, DATE(2014, 1, 2)),
    ("bob", "desk", 4, DATE(2014, 1, 2)),  # an exact duplicate is a row of its own
    ("ann", "sofa", 5, DATE(2014, 1, 4)),
    ("ann", "sofa", 5, DATE(2014, 1, 9)),
)
FIRST_DAY = DATE(2014, 1, 1)
LAST_DAY = DATE(2014, 1, 5)


def _table(rows: Sequence[tuple[Any, ...]] = ROWS) -> pa.Table:
    users, items, ratings, dates = (list(column) for column in zip(*rows, strict=True))
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "rating": pa.array(ratings, pa.int8()),
            "date": pa.array(dates, pa.date32()),
        }
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    pq.write_table(_table(), folder / "ca.parquet")
    pq.write_table(_table(ROWS[:3]), folder / "de.parquet")
    return folder


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "logs"


def _import(
    source: Path, logs: Path, domains: Sequence[str] = ("ca",), **changes: Any
) -> ImportReport:
    settings = {"data": source, "last_day": LAST_DAY, **changes}
    options = {
        name: settings.pop(name, default)
        for name, default in (
            ("first_day", FIRST_DAY),
            ("recent_items", 2),
            ("on_progress", None),
        )
    }
    return import_logs(
        ImportConfig(**settings), logs, domains, options.pop("first_day"), **options
    )


def _read(logs: Path, domain: str = "ca") -> dict[str, list[dict[str, Any]]]:
    return {
        path.parent.name: pq.ParquetFile(path).read().to_pylist()
        for path in sorted((logs / domain).glob("date=*/part-0.parquet"))
    }


def test_writes_one_file_a_day_with_the_rows_of_the_window(
    source: Path, logs: Path
) -> None:
    report = _import(source, logs)
    days = _read(logs)
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
    _import(source, logs)
    first = _read(logs)["date=2014-01-01"][0]
    # 2013-12-30: ann clicked the lamp, the domain's only row so far.
    assert first["item_impressions"] == first["user_impressions"] == 1
    assert first["item_click_rate"] == pytest.approx(1.0)
    assert first["item_age_days"] == first["user_age_days"] == 2
    assert first["recent_items"] == ["lamp"]


def test_a_later_or_same_day_click_changes_no_earlier_log(
    source: Path, logs: Path
) -> None:
    _import(source, logs)
    before = _read(logs)
    planted = (*ROWS, ("bob", "lamp", 5, DATE(2014, 1, 2)))
    pq.write_table(_table(planted), source / "ca.parquet")
    _import(source, logs)
    after = _read(logs)
    assert after["date=2014-01-01"] == before["date=2014-01-01"]
    assert after["date=2014-01-02"][:3] == before["date=2014-01-02"]
    assert after["date=2014-01-04"] != before["date=2014-01-04"]


def test_click_threshold(source: Path, logs: Path) -> None:
    _import(source, logs, click_at_least=5)
    assert _read(logs)["date=2014-01-04"][0]["recent_items"] == ["lamp"]
    assert _read(logs)["date=2014-01-02"][0]["item_click_rate"] == pytest.approx(0.5)


def test_column_types(source: Path, logs: Path) -> None:
    _import(source, logs)
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
    _import(
        source,
        logs,
        ("ca", "de"),
        on_progress=lambda domain, rows: seen.append((domain, rows)),
    )
    assert seen == [("ca", 5), ("de", 2)]


def test_repeated_import_is_reused(source: Path, logs: Path) -> None:
    first = _import(source, logs)
    path = logs / "ca" / "date=2014-01-04" / "part-0.parquet"
    written = path.stat().st_mtime_ns
    second = _import(source, logs)
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
    _import(source, logs)
    assert not _import(source, logs, **changes).reused
    replaced = _read(logs)
    assert _import(source, logs, **changes).reused
    _import(source, logs.with_name("fresh"), **changes)
    assert replaced == _read(logs.with_name("fresh"))


def test_lost_days_are_imported_again(source: Path, logs: Path) -> None:
    _import(source, logs)
    expected = _read(logs)
    (logs / "ca" / "date=2014-01-04" / "part-0.parquet").unlink()
    (logs / "ca" / "date=2014-01-04").rmdir()
    assert not _import(source, logs).reused
    assert _read(logs) == expected


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
        _import(source, logs)
    assert not (logs / "ca").exists()
    monkeypatch.undo()
    _import(source, logs)
    assert len(_read(logs)) == 3
    assert [path.name for path in logs.iterdir()] == ["ca"]


def test_manifest_names_source_and_counts(source: Path, logs: Path) -> None:
    _import(source, logs)
    manifest = json.loads((logs / "ca" / MANIFEST_FILE).read_text(encoding="utf-8"))
    assert list(manifest["origin"]["sha256"]) == ["ca", "de"]
    assert {len(digest) for digest in manifest["origin"]["sha256"].values()} == {64}
    assert manifest["counts"]["written_rows"] == 5


def _without(column: str) -> pa.Table:
    return _table().drop([column])


def _with(column: str, values: pa.Array) -> pa.Table:
    table = _table()
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
        (_table().slice(0, 0), r"ca.parquet has no rows"),
        (
            _table().slice(6),
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
        _import(source, logs, ("de", "ca"))
    assert not logs.exists()


def test_refuses_what_is_not_parquet(source: Path, logs: Path) -> None:
    (source / "ca.parquet").write_text("user_id,item_id\n", encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        _import(source, logs)
    assert not logs.exists()


def test_names_the_closest_file(source: Path, logs: Path) -> None:
    with pytest.raises(
        DataError, match=r"'cat' has no file 'cat.parquet' .*did you mean 'ca'\?"
    ):
        _import(source, logs, ("de", "cat"))
    assert not logs.exists()


def test_lists_the_files_when_none_is_close(source: Path, logs: Path) -> None:
    with pytest.raises(DataError, match=r"The folder has ca, de; name one of these"):
        _import(source, logs, ("moon",))


def test_refuses_a_missing_folder(tmp_path: Path, logs: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*gone'; .*set `import.data`"):
        _import(tmp_path / "gone", logs)
    assert not logs.exists()


def test_never_deletes_logs_of_other_origin(source: Path, logs: Path) -> None:
    foreign = logs / "ca" / "date=2014-01-01" / "log.parquet"
    foreign.parent.mkdir(parents=True)
    pq.write_table(_table(), foreign)
    with pytest.raises(DataError, match=r"no import wrote it; .*move the folder away"):
        _import(source, logs, ("de", "ca"))
    assert foreign.exists()
    assert not (logs / "de").exists()


def test_never_deletes_days_added_to_an_import(source: Path, logs: Path) -> None:
    _import(source, logs)
    (logs / "ca" / "date=2014-02-01").mkdir()
    with pytest.raises(DataError, match="has 4 days, of which an import wrote 3"):
        _import(source, logs)


def test_refuses_a_damaged_manifest(source: Path, logs: Path) -> None:
    _import(source, logs)
    (logs / "ca" / MANIFEST_FILE).write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is not valid JSON .*remove the folder"):
        _import(source, logs)


SAMPLING = NegativeSampling(per_positive=2, seed=3)


# As `ROWS`, but cid buys beside bob.
SALES = (*ROWS[:3], ROWS[3], ("cid", "rug", 5, DATE(2014, 1, 2)), *ROWS[5:])


def _positives(rows: Sequence[tuple[Any, ...]] = SALES) -> pa.Table:
    return _table(rows).drop(["rating"])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    pq.write_table(_positives(), folder / "ca.parquet")
    pq.write_table(_positives(SALES[:4]), folder / "de.parquet")
    return folder


def _import_positives(source: Path, logs: Path, **changes: Any) -> ImportReport:
    return _import(source, logs, **{"negatives": SAMPLING, **changes})


def test_positives_become_clicks_among_sampled_negatives(
    shop: Path, logs: Path
) -> None:
    report = _import_positives(shop, logs).domains[0]
    days = _read(logs)
    rows = {
        day: [(row["user_id"], row["item_id"], row["click"]) for row in rows]
        for day, rows in days.items()
    }
    # By hand: ann is alone on her days; on 2014-01-02 cid bought what bob did not.
    assert rows == {
        "date=2014-01-01": [("ann", "lamp", 1)],
        "date=2014-01-02": [
            ("bob", "desk", 1),
            ("bob", "lamp", 1),
            ("bob", "rug", 0),
            ("cid", "desk", 0),
            ("cid", "lamp", 0),
            ("cid", "rug", 1),
        ],
        "date=2014-01-04": [("ann", "sofa", 1)],
    }
    assert (report.read_rows, report.outside_rows) == (7, 2)
    assert (report.written_rows, report.negative_rows) == (8, 3)
    assert report.missing_negatives == 2 + 3 + 0 + 2
    assert report.unmatched_positives == 2
    assert report.num_files == 3


def test_aggregates_take_negatives_for_impressions(shop: Path, logs: Path) -> None:
    late = (*SALES[:6], ("bob", "lamp", 5, DATE(2014, 1, 5)))
    pq.write_table(_positives(late), shop / "ca.parquet")
    _import_positives(shop, logs)
    row = next(r for r in _read(logs)["date=2014-01-05"] if r["item_id"] == "lamp")
    # The lamp was bought three times before and passed over once, on 2014-01-02.
    # The domain has 6 clicks in 9 impressions to date.
    assert row["item_impressions"] == 4
    assert row["item_click_rate"] == pytest.approx((3 + 20 * 6 / 9) / (4 + 20))
    assert row["item_age_days"] == 6
    assert row["recent_items"] == ["desk", "lamp"]


def test_rows_of_positives_are_accounted_for(shop: Path, logs: Path) -> None:
    report = _import_positives(shop, logs, domains=("ca", "de"))
    for domain in report.domains:
        kept = domain.read_rows - domain.outside_rows
        assert domain.written_rows == kept + domain.negative_rows
        assert domain.negative_rows + domain.missing_negatives == 2 * kept
        clicks = [
            r["click"] for rows in _read(logs, domain.domain).values() for r in rows
        ]
        assert (sum(clicks), len(clicks)) == (kept, domain.written_rows)


def test_the_log_depends_neither_on_row_order_nor_on_what_else_is_imported(
    shop: Path, logs: Path
) -> None:
    _import_positives(shop, logs, domains=("de", "ca"))
    expected = _read(logs)
    pq.write_table(_positives(SALES[::-1]), shop / "ca.parquet")
    fewer = logs.with_name("fewer")
    _import_positives(
        shop, fewer, first_day=DATE(2014, 1, 4), last_day=DATE(2014, 1, 9)
    )
    assert _read(fewer)["date=2014-01-04"] == expected["date=2014-01-04"]
    _import_positives(shop, fewer)
    assert _read(fewer) == expected


@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"per_positive": 1}],
    ids=lambda change: next(iter(change)),
)
def test_other_sampling_replaces_the_logs(
    shop: Path, logs: Path, change: dict[str, Any]
) -> None:
    busy = [(f"u{i}", f"i{i}", 5, DATE(2014, 1, 2)) for i in range(9)]
    pq.write_table(_positives(busy), shop / "ca.parquet")
    _import_positives(shop, logs)
    assert _import_positives(shop, logs).reused
    before = _read(logs)
    other = NegativeSampling(**{**SAMPLING.model_dump(), **change})
    assert not _import_positives(shop, logs, negatives=other).reused
    assert _import_positives(shop, logs, negatives=other).reused
    assert _read(logs) != before


def test_refuses_ratings_where_positives_are_expected(source: Path, logs: Path) -> None:
    with pytest.raises(
        DataError, match=r"has a column 'rating', but .*`import.click_at_least`"
    ):
        _import_positives(source, logs)
    assert not logs.exists()


def test_refuses_positives_where_ratings_are_expected(shop: Path, logs: Path) -> None:
    with pytest.raises(DataError, match=r"no column 'rating'.*set `import.negatives`"):
        _import(shop, logs)
    assert not logs.exists()


def test_recent_items_of_every_domain_in_every_log(source: Path, logs: Path) -> None:
    moon = [("bob", "moon", 5, DATE(2014, 1, 1)), ("ann", "mars", 5, DATE(2014, 1, 4))]
    pq.write_table(_table(moon), source / "de.parquet")
    _import(source, logs, ("ca", "de"))
    days = _read(logs)
    bob, ann = days["date=2014-01-02"][0], days["date=2014-01-04"][0]
    assert (bob["recent_items_ca"], bob["recent_items_de"]) == ([], ["moon"])
    # The click on mars is of the same day.
    assert (ann["recent_items_ca"], ann["recent_items_de"]) == (["lamp"], [])
    assert ann["recent_items"] == ann["recent_items_ca"]
    other = _read(logs, "de")["date=2014-01-04"][0]
    assert other["recent_items_ca"] == ["lamp"]
    assert other["recent_items"] == other["recent_items_de"] == []


def test_frozen_features_do_not_move_within_the_period(
    source: Path, logs: Path
) -> None:
    _import(source, logs, freeze="month")
    rows = [row for rows in _read(logs).values() for row in rows]
    # As of 2014-01-01: ann has clicked the lamp once, nothing else has happened.
    for row in rows:
        assert row["recent_items"] == (["lamp"] if row["user_id"] == "ann" else [])
        assert row["item_impressions"] == (row["item_id"] == "lamp")
        assert row["user_impressions"] == (row["user_id"] == "ann")
        assert row["item_age_days"] == (2 if row["item_id"] == "lamp" else None)


COLD = {"start": DATE(2014, 1, 4), "share": 0.5}


def _many(rows: int = 400) -> pa.Table:
    rng = np.random.default_rng(0)
    days = [
        DATE(2014, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 9, rows)
    ]
    users, items = rng.integers(0, 30, rows), rng.integers(0, 200, rows)
    return _table(
        [(f"u{u}", f"i{i}", 5, d) for u, i, d in zip(users, items, days, strict=True)]
    )


@pytest.mark.parametrize("negatives", [None, SAMPLING], ids=["ratings", "positives"])
def test_cold_users_have_no_target_rows_before_the_evaluation(
    source: Path, logs: Path, negatives: NegativeSampling | None
) -> None:
    table = _many() if negatives is None else _many().drop(["rating"])
    for domain in ("ca", "de"):
        pq.write_table(table, source / f"{domain}.parquet")
    options = {"negatives": negatives, "cold_users": COLD, "recent_items": 9}
    report = _import(source, logs, ("ca", "de"), **options)
    days = _read(logs, "de")
    before = [r for day, rows in days.items() for r in rows if day < "date=2014-01-04"]
    after = [r for day, rows in days.items() for r in rows if day >= "date=2014-01-04"]
    cold = {row["user_id"] for row in after}
    assert cold
    assert not cold & {row["user_id"] for row in before}
    for row in after:
        assert (row["user_impressions"], row["user_age_days"]) == (0, None)
        assert row["recent_items"] == row["recent_items_de"] == []
    # In the source they are as any other user, and it knows nothing of their target.
    source_rows = [r for rows in _read(logs, "ca").values() for r in rows]
    assert cold <= {row["user_id"] for row in source_rows}
    assert all(r["recent_items_de"] == [] for r in source_rows if r["user_id"] in cold)
    assert any(row["recent_items_ca"] for row in after)
    ca, de = report.domains
    assert ca.hidden_rows == 0
    kept = de.written_rows - de.negative_rows
    assert de.read_rows == kept + de.outside_rows + de.hidden_rows
    assert de.hidden_rows > 0


def test_cold_users_leave_no_trace_in_the_rows_before_the_evaluation(
    source: Path, logs: Path
) -> None:
    pq.write_table(_many(), source / "de.parquet")
    _import(source, logs, ("de",), cold_users=COLD)
    found = {d: r for d, r in _read(logs, "de").items() if d < "date=2014-01-04"}
    kept = {row["user_id"] for rows in found.values() for row in rows}
    table = _many()
    without = table.filter(pa.array([u in kept for u in table["user_id"].to_pylist()]))
    pq.write_table(without, source / "de.parquet")
    _import(source, logs.with_name("without"), ("de",))
    expected = _read(logs.with_name("without"), "de")
    assert found == {d: r for d, r in expected.items() if d < "date=2014-01-04"}


def test_permuted_users_are_those_of_the_sources_alone(
    source: Path, logs: Path
) -> None:
    for domain in ("ca", "de"):
        pq.write_table(_many(), source / f"{domain}.parquet")
    placebo = logs.with_name("placebo")
    _import(source, logs, ("ca", "de"))
    _import(source, placebo, ("ca", "de"), permute_source_users=3)
    names = ("user_id", "item_id", "user_impressions", "recent_items")
    for domain, same in (("de", True), ("ca", False)):
        plain, permuted = (
            [
                [row[name] for name in names]
                for rows in _read(folder, domain).values()
                for row in rows
            ]
            for folder in (logs, placebo)
        )
        assert (plain == permuted) == same
        # Only ids change: each row keeps the history of its user.
        assert [row[1:] for row in plain] == [row[1:] for row in permuted]
    other = [
        r["recent_items_ca"] for rows in _read(placebo, "de").values() for r in rows
    ]
    own = [r["recent_items_ca"] for rows in _read(logs, "de").values() for r in rows]
    assert other != own
