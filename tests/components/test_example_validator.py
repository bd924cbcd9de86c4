"""What a domain is held against: environments, yesterday, the target."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_validator.logic import REPORT_ONLY
from components.example_validator.logic import ValidationThresholds
from components.example_validator.logic import empty_as_missing
from components.example_validator.logic import environment_of
from components.example_validator.logic import num_rows
from components.example_validator.logic import with_comparators
from models.errors import DataError

SCHEMA = """
default_environment: "feeds"
default_environment: "ads"
feature { name: "day" type: INT }
feature { name: "clicks" type: INT }
feature { name: "slot" type: BYTES }
feature {
  name: "rate"
  type: FLOAT
  float_domain { min: 0 max: 1 }
  drift_comparator { jensen_shannon_divergence { threshold: 0.25 } }
}
"""


def schema_of(text=SCHEMA):
    return text_format.Parse(text, schema_pb2.Schema())


def statistics_of(rows=2000, values=2000, mean=0.5, std_dev=0.2):
    """Returns statistics of the schema's features, all with `values` values."""
    common = f"common_stats {{ num_non_missing: {rows} tot_num_values: {values} }}"
    number = f"{common} mean: {mean} std_dev: {std_dev}"
    features = "".join(
        f'features {{ path {{ step: "{name}" }} num_stats {{ {number} }} }}'
        for name in ("day", "clicks", "rate")
    )
    text = f'features {{ path {{ step: "slot" }} string_stats {{ {common} }} }}'
    return text_format.Parse(
        f"datasets {{ num_examples: {rows} {features} {text} }}",
        statistics_pb2.DatasetFeatureStatisticsList(),
    )


def thresholds_in(schema, key):
    """Returns norm and threshold of every feature that is compared."""
    found = {}
    for feature in schema.feature:
        if feature.HasField(key):
            ((norm, value),) = getattr(feature, key).ListFields()
            found[feature.name] = (norm.name, round(value.threshold, 6))
    return found


def test_a_domain_has_the_environment_of_its_name():
    assert environment_of(schema_of(), "ads") == "ads"


def test_a_schema_without_environments_holds_for_every_domain():
    assert environment_of(schema_of('feature { name: "a" }'), "ads") is None


def test_a_domain_without_environment_is_refused_with_the_line_to_add():
    with pytest.raises(DataError, match='default_environment: "shop"'):
        environment_of(schema_of(), "shop")


def test_numbers_are_compared_by_divergence_and_text_by_its_largest_change():
    compared = with_comparators(
        schema_of(),
        ValidationThresholds(max_drift=0.7),
        statistics_of(),
        previous=statistics_of(),
    )
    assert thresholds_in(compared, "drift_comparator") == {
        "clicks": ("jensen_shannon_divergence", 0.7),
        "slot": ("infinity_norm", 0.7),
        "rate": ("jensen_shannon_divergence", 0.25),  # the schema's own
    }
    assert thresholds_in(compared, "skew_comparator") == {}


def test_distances_from_the_target_are_only_reported_unless_a_threshold_is_set():
    sides = {"previous": None, "target": statistics_of()}
    default = ValidationThresholds()
    compared = with_comparators(schema_of(), default, statistics_of(), **sides)
    assert thresholds_in(compared, "drift_comparator") == {}
    assert {t for _, t in thresholds_in(compared, "skew_comparator").values()} == {
        REPORT_ONLY
    }
    strict = ValidationThresholds(max_domain_distance=0.1)
    compared = with_comparators(schema_of(), strict, statistics_of(), **sides)
    assert thresholds_in(compared, "skew_comparator")["slot"] == ("infinity_norm", 0.1)


@pytest.mark.parametrize(("rows", "previous_rows"), [(999, 2000), (2000, 999)])
def test_few_rows_on_either_side_are_measured_and_never_stop(rows, previous_rows):
    compared = with_comparators(
        schema_of(),
        ValidationThresholds(min_rows=1000),
        statistics_of(rows),
        previous=statistics_of(previous_rows),
    )
    found = thresholds_in(compared, "drift_comparator")
    assert set(found) == {"clicks", "slot", "rate"}
    assert {threshold for _, threshold in found.values()} == {REPORT_ONLY}


@pytest.mark.parametrize("side", ["statistics", "previous"])
def test_a_feature_without_values_on_one_side_is_not_compared(side):
    sides = {"statistics": statistics_of(), "previous": statistics_of()}
    sides[side] = empty_as_missing(statistics_of(values=0))
    compared = with_comparators(schema_of(), ValidationThresholds(), **sides)
    assert thresholds_in(compared, "drift_comparator") == {}


@pytest.mark.parametrize(
    ("mean", "compared"), [(0.205, False), (0.6, True)], ids=["same", "moved"]
)
def test_a_rate_that_is_one_constant_is_compared_only_if_it_moves(mean, compared):
    schema = with_comparators(
        schema_of(),
        ValidationThresholds(),
        statistics_of(mean=mean, std_dev=1e-6),
        previous=statistics_of(mean=0.2, std_dev=1e-6),
    )
    assert ("rate" in thresholds_in(schema, "drift_comparator")) is compared


def test_the_schema_itself_is_left_alone():
    schema = schema_of()
    with_comparators(
        schema, ValidationThresholds(), statistics_of(), previous=statistics_of()
    )
    assert schema == schema_of()


def test_empty_lists_in_every_row_are_a_missing_feature():
    found = empty_as_missing(statistics_of(rows=7, values=0))
    for feature in found.datasets[0].features:
        common = getattr(feature, feature.WhichOneof("stats")).common_stats
        assert (common.num_missing, common.num_non_missing) == (7, 0)
    assert empty_as_missing(statistics_of()) == statistics_of()


def test_no_statistics_are_no_rows():
    assert num_rows(None) == 0
    assert num_rows(statistics_pb2.DatasetFeatureStatisticsList()) == 0
    assert num_rows(statistics_of(5)) == 5
