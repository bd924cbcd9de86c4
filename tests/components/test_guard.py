"""Anomalies in words, and the block they stop."""

import datetime
import json

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.guard.logic import describe_anomalies
from models.days import to_day
from models.errors import DataError

FIRST, LAST = datetime.date(2020, 2, 28), datetime.date(2020, 3, 1)


def anomalies_of(*features, dataset=None, data_missing=False):
    """Returns TFDV's word on one domain.

    Args:
        *features: Names of the features with an anomaly.
        dataset: Short description of an anomaly of the rows as a whole.
        data_missing: Whether there was no row.
    """
    found = anomalies_pb2.Anomalies(data_missing=data_missing)
    for name in features:
        found.anomaly_info[name].short_description = "Column dropped"
        found.anomaly_info[name].description = "Column is completely missing"
    if dataset:
        found.dataset_anomaly_info.short_description = dataset
        found.dataset_anomaly_info.description = "Expected 5, got 3"
    return found


def test_no_anomaly_is_no_sentence():
    assert describe_anomalies({}) == []
    assert describe_anomalies({"de": anomalies_of(), "ca": anomalies_of()}) == []


def test_sentences_are_ordered_by_domain_then_feature():
    anomalies = {
        "uk": anomalies_of("label"),
        "fr": anomalies_of(),
        "ca": anomalies_of("user_id", "item_id"),
    }
    assert describe_anomalies(anomalies) == [
        "ca: item_id: Column dropped. Column is completely missing",
        "ca: user_id: Column dropped. Column is completely missing",
        "uk: label: Column dropped. Column is completely missing",
    ]


def test_an_anomaly_of_all_rows_comes_before_those_of_features():
    anomalies = {"de": anomalies_of("age", dataset="Low num examples in dataset")}
    sentences = describe_anomalies(anomalies)
    assert sentences == [
        "de: Low num examples in dataset. Expected 5, got 3",
        "de: age: Column dropped. Column is completely missing",
    ]


@pytest.mark.parametrize(
    ("may_be_empty", "expected"),
    [
        ([], ["ca: no row at all", "de: no row at all"]),
        (["ca"], ["de: no row at all"]),
        (["ca", "de"], []),
    ],
    ids=["none", "one", "both"],
)
def test_a_domain_without_rows_is_an_anomaly_unless_it_may_be_empty(
    may_be_empty, expected
):
    empty = anomalies_of(data_missing=True)
    assert describe_anomalies({"de": empty, "ca": empty}, may_be_empty) == expected


def test_a_domain_that_may_be_empty_is_judged_when_it_has_rows():
    anomalies = {"ca": anomalies_of("item_id")}
    assert len(describe_anomalies(anomalies, ["ca"])) == 1


@pytest.fixture
def guard(tmp_path):
    """Returns a function that runs the Guard on anomalies; it returns the report."""
    from tfx.types import artifact_utils
    from tfx.types import standard_artifacts

    from components.artifacts import GuardReport
    from components.guard.executor import Executor

    def run(anomalies, may_be_empty=()):
        found, report = standard_artifacts.ExampleAnomalies(), GuardReport()
        found.uri = str(tmp_path / "anomalies")
        found.split_names = artifact_utils.encode_split_names(list(anomalies))
        for domain, message in anomalies.items():
            folder = tmp_path / "anomalies" / f"Split-{domain}"
            folder.mkdir(parents=True)
            (folder / "SchemaDiff.pb").write_bytes(message.SerializeToString())
        report.uri = str(tmp_path / "report")
        properties = {
            "first_day": to_day(FIRST),
            "last_day": to_day(LAST),
            "may_be_empty": json.dumps(list(may_be_empty)),
        }
        Executor().Do({"anomalies": [found]}, {"report": [report]}, properties)
        return report

    return run


@pytest.mark.slow
def test_a_good_block_passes_with_a_report_and_its_days(guard, tmp_path):
    empty = anomalies_of(data_missing=True)
    report = guard({"de": anomalies_of(), "ca": empty}, may_be_empty=["ca"])
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written == {"days": "2020-02-28..2020-03-01", "domains": ["ca", "de"]}
    assert report.get_int_custom_property("first_day") == to_day(FIRST)
    assert report.get_int_custom_property("last_day") == to_day(FIRST) + 2


@pytest.mark.slow
def test_an_anomaly_stops_the_block_and_is_named(guard, tmp_path):
    anomalies = {
        "de": anomalies_of("item_id"),
        "ca": anomalies_of(),
        "fr": anomalies_of(data_missing=True),
    }
    with pytest.raises(DataError) as raised:
        guard(anomalies)
    message = str(raised.value)
    for text in (
        "2020-02-28..2020-03-01",
        "de: item_id: Column dropped",
        "fr: no row at all",
        "mend the logs, or change the schema",
    ):
        assert text in message
    assert "ca:" not in message
    assert not (tmp_path / "report" / "report.json").exists()
