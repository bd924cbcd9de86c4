"""Anomalies as sentences, and the block that they stop."""

import datetime
import json

import pytest
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_validator.logic import REPORT_ONLY
from components.guard.logic import describe_anomalies
from components.guard.logic import distances
from components.guard.logic import how_to_go_on
from components.guard.logic import largest
from components.guard.logic import summary
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


def test_without_anomalies_there_is_no_sentence():
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


REASON = anomalies_pb2.AnomalyInfo
MEASURED = anomalies_pb2.DriftSkewInfo.Measurement
DRIFT = "The Jensen-Shannon divergence between current and previous is 0.9"
SKEW = "The Linfty distance between training and serving is 0.4"


def add_reason(found, name, kind, description):
    info = found.anomaly_info[name]
    info.description = " ".join(filter(None, [info.description, description]))
    info.reason.add(type=kind, description=description)


def measured(drift=None, skew=None, threshold=REPORT_ONLY):
    """Returns TFDV's word on a domain with distances of the feature `clicks`."""
    found = anomalies_pb2.Anomalies()
    info = found.drift_skew_info.add()
    info.path.step.append("clicks")
    kind = MEASURED.JENSEN_SHANNON_DIVERGENCE
    if drift is not None:
        info.drift_measurements.add(type=kind, value=drift, threshold=threshold)
    if skew is not None:
        info.skew_measurements.add(type=MEASURED.L_INFTY, value=skew, threshold=0.5)
    return found


def test_a_distance_from_the_target_is_said_in_this_projects_words():
    found = anomalies_pb2.Anomalies()
    add_reason(found, "slot", REASON.COMPARATOR_L_INFTY_HIGH, SKEW)
    (sentence,) = describe_anomalies({"feeds": found})
    assert "between feeds and the target is 0.4" in sentence


def test_each_kind_of_anomaly_names_the_command_that_helps():
    found = anomalies_pb2.Anomalies()
    js = REASON.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH
    add_reason(found, "clicks", js, DRIFT)
    add_reason(found, "slot", REASON.COMPARATOR_L_INFTY_HIGH, SKEW)
    add_reason(found, "hour", REASON.ENUM_TYPE_UNEXPECTED_STRING_VALUES, "24")
    text = how_to_go_on([found])
    accept = "crossctr schema accept CONFIG --feature"
    assert f"{accept} clicks --max-drift <threshold>`" in text
    assert f"{accept} slot --max-domain-distance <threshold>`" in text
    assert f"{accept} hour --day <last day> --days <number>`" in text


def test_an_outage_has_no_accept_command():
    text = how_to_go_on([anomalies_pb2.Anomalies(data_missing=True)])
    assert text == "mend the logs and run the same command again"


def test_distances_carry_measure_value_and_threshold():
    assert distances(measured(drift=0.25, skew=0.5)) == {
        "drift": {
            "clicks": {"measure": "jensen_shannon", "value": 0.25, "threshold": None}
        },
        "domain_distance": {
            "clicks": {"measure": "l_infinity", "value": 0.5, "threshold": 0.5}
        },
    }
    limited = distances(measured(drift=0.25, threshold=0.75))
    assert limited["drift"]["clicks"]["threshold"] == 0.75


def report_of(**rows):
    """Returns a report; rows, previous rows and distances by domain."""
    return {
        "target": "ads",
        "domains": {
            domain: {"rows": now, "previous_rows": before, **distances(found)}
            for domain, (now, before, found) in rows.items()
        },
    }


def test_the_largest_distance_is_looked_for_where_there_are_rows_enough():
    report = report_of(
        ads=(5000, 5000, measured(drift=0.125)),
        feeds=(3, 5000, measured(drift=1.0, skew=1.0)),
        shop=(5000, None, measured(skew=0.25)),
    )
    assert largest(report, "drift", 1000) == ("ads", "clicks", 0.125)
    assert largest(report, "domain_distance", 1000) == ("shop", "clicks", 0.25)
    assert largest(report, "drift", 1) == ("feeds", "clicks", 1.0)
    assert summary(report, 1000) == (
        "largest drift from the block before: ads clicks 0.12; "
        "largest distance from the target: shop clicks 0.25"
    )


def test_distances_of_a_few_rows_are_said_not_to_be_judged():
    report = report_of(ads=(3, 3, measured(drift=1.0)))
    assert summary(report, 1000) == (
        "largest drift from the block before: not judged, fewer than 1,000 rows"
    )
    assert summary(report_of(ads=(3, None, measured())), 1000) == ""


@pytest.fixture
def guard(tmp_path):
    """Returns a function that runs the Guard on anomalies; it returns the report."""
    from tfx.types import artifact_utils
    from tfx.types import standard_artifacts

    from components.artifacts import GuardReport
    from components.guard.component import Guard

    def run(anomalies, may_be_empty=()):
        found, report = standard_artifacts.ExampleAnomalies(), GuardReport()
        described = standard_artifacts.ExampleStatistics()
        described.uri = str(tmp_path / "statistics")
        found.uri = str(tmp_path / "anomalies")
        found.split_names = artifact_utils.encode_split_names(list(anomalies))
        for domain, message in anomalies.items():
            folder = tmp_path / "anomalies" / f"Split-{domain}"
            folder.mkdir(parents=True)
            (folder / "SchemaDiff.pb").write_bytes(message.SerializeToString())
            rows = statistics_pb2.DatasetFeatureStatisticsList()
            rows.datasets.add(num_examples=0 if message.data_missing else 9)
            folder = tmp_path / "statistics" / f"Split-{domain}"
            folder.mkdir(parents=True)
            (folder / "FeatureStats.pb").write_bytes(rows.SerializeToString())
        described.split_names = found.split_names
        report.uri = str(tmp_path / "report")
        properties = {
            "first_day": to_day(FIRST),
            "last_day": to_day(LAST),
            "may_be_empty": json.dumps(list(may_be_empty)),
            "target": "de",
            "min_rows": 1,
        }
        Guard.test_call(
            anomalies=found, statistics=described, report=report, **properties
        )
        return report

    return run


@pytest.mark.slow
def test_a_good_block_passes_with_a_report_and_its_days(guard, tmp_path):
    empty = anomalies_of(data_missing=True)
    report = guard({"de": anomalies_of(), "ca": empty}, may_be_empty=["ca"])
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    nothing = {"previous_rows": None, "drift": {}, "domain_distance": {}}
    assert written == {
        "days": "2020-02-28..2020-03-01",
        "previous_days": None,
        "target": "de",
        "domains": {"ca": {"rows": 0, **nothing}, "de": {"rows": 9, **nothing}},
    }
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
        "mend the logs and run the same command again",
    ):
        assert text in message
    assert "ca:" not in message
    assert not (tmp_path / "report" / "report.json").exists()
