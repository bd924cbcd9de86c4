"""Comparisons of the validator: environments, the previous block, the target."""

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.example_validator.logic import REPORT_ONLY
from components.example_validator.logic import empty_as_missing
from components.example_validator.logic import environment_of
from components.example_validator.logic import num_rows
from components.example_validator.logic import with_comparators
from components.example_validator.thresholds import ValidationThresholds
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


def test_missing_statistics_count_as_zero_rows():
    assert num_rows(None) == 0
    assert num_rows(statistics_pb2.DatasetFeatureStatisticsList()) == 0
    assert num_rows(statistics_of(5)) == 5


@pytest.fixture(scope="module")
def validate(tmp_path_factory):
    """Returns a function that runs the component on columns by domain.

    It returns the anomalies by domain.
    """
    import pyarrow as pa
    import tensorflow_data_validation as tfdv
    from tensorflow_data_validation.statistics import stats_impl
    from tensorflow_metadata.proto.v0 import anomalies_pb2
    from tfx.types import artifact_utils
    from tfx.types import standard_artifacts

    from components.example_validator.executor import Executor

    options = tfdv.StatsOptions(use_sketch_based_topk_uniques=True)

    def written(domains, folder):
        artifact = standard_artifacts.ExampleStatistics()
        artifact.uri = str(folder)
        artifact.split_names = artifact_utils.encode_split_names(list(domains))
        for domain, columns in domains.items():
            arrays = [pa.array(column, pa.large_list(kind)) for column, kind in columns]
            batch = pa.RecordBatch.from_arrays(arrays, ["slot", "clicks"])
            found = stats_impl.generate_statistics_in_memory(batch, options)
            split = folder / f"Split-{domain}"
            split.mkdir(parents=True)
            (split / "FeatureStats.pb").write_bytes(found.SerializeToString())
        return artifact

    def run(text, domains, previous=None, **thresholds):
        folder = tmp_path_factory.mktemp("validated")
        schema = standard_artifacts.Schema()
        schema.uri = str(folder / "schema")
        (folder / "schema").mkdir()
        (folder / "schema" / "schema.pbtxt").write_text(text)
        inputs = {
            "statistics": [written(domains, folder / "now")],
            "schema": [schema],
        }
        if previous:
            inputs["previous_statistics"] = [written(previous, folder / "before")]
        anomalies = standard_artifacts.ExampleAnomalies()
        anomalies.uri = str(folder / "anomalies")
        properties = {
            "target": "ads",
            "thresholds": ValidationThresholds(**thresholds).model_dump_json(),
            "exclude_splits": "[]",
        }
        Executor().Do(inputs, {"anomalies": [anomalies]}, properties)
        return {
            domain: anomalies_pb2.Anomalies.FromString(
                (
                    folder / "anomalies" / f"Split-{domain}" / "SchemaDiff.pb"
                ).read_bytes()
            )
            for domain in domains
        }

    def columns(slots, clicks):
        return (slots, pa.large_binary()), (clicks, pa.int64())

    run.columns = columns
    return run


STRICT = """
default_environment: "feeds"
default_environment: "ads"
feature {
  name: "clicks"
  type: INT
}
feature {
  name: "slot"
  type: BYTES
  value_count { min: 1 max: 1 }
  presence { min_fraction: 1.0 min_count: 1 }
  not_in_environment: "feeds"
}
"""
NO_SLOT, SLOTS = [[]] * 8, [[b"top"], [b"side"]] * 4
FEW, MANY = [[0], [1]] * 4, [[900], [901]] * 4


@pytest.mark.slow
def test_only_the_domain_that_should_have_a_feature_is_told_that_it_is_gone(validate):
    lacks = validate.columns(NO_SLOT, FEW)
    found = validate(STRICT, {"feeds": lacks, "ads": lacks})
    assert list(found["ads"].anomaly_info) == ["slot"]
    assert not found["feeds"].anomaly_info


@pytest.mark.slow
def test_a_feature_in_a_domain_declared_as_lacking_it_is_an_anomaly(validate):
    has = validate.columns(SLOTS, FEW)
    found = validate(STRICT, {"feeds": has, "ads": has})
    assert list(found["feeds"].anomaly_info) == ["slot"]
    assert not found["ads"].anomaly_info


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "stopped"), [(None, []), (0.5, ["clicks"])], ids=["reported", "stopped"]
)
def test_a_source_is_compared_with_the_target(validate, limit, stopped):
    found = validate(
        STRICT,
        {
            "feeds": validate.columns(NO_SLOT, MANY),
            "ads": validate.columns(SLOTS, FEW),
        },
        min_rows=8,
        max_domain_distance=limit,
    )
    assert list(found["feeds"].anomaly_info) == stopped
    (info,) = found["feeds"].drift_skew_info
    assert info.skew_measurements[0].value == pytest.approx(1.0)
    assert not found["ads"].drift_skew_info


@pytest.mark.slow
def test_a_domain_is_compared_with_its_own_rows_of_the_block_before(validate):
    found = validate(
        STRICT,
        {
            "feeds": validate.columns(NO_SLOT, FEW),
            "ads": validate.columns([[b"top"]] * 8, FEW),
        },
        previous={
            "feeds": validate.columns(NO_SLOT, MANY),
            "ads": validate.columns(SLOTS, FEW),
        },
        min_rows=8,
    )
    assert list(found["feeds"].anomaly_info) == ["clicks"]
    assert not found["ads"].anomaly_info
    drift = {
        info.path.step[0]: info.drift_measurements[0].value
        for info in found["ads"].drift_skew_info
    }
    # `top` was half of the rows and is all of them.
    assert drift == pytest.approx({"slot": 0.5, "clicks": 0.0}, abs=1e-9)


@pytest.mark.slow
def test_a_domain_new_to_the_pipeline_has_no_yesterday(validate):
    now = validate.columns(SLOTS, FEW)
    found = validate(STRICT, {"ads": now}, previous={"feeds": now}, min_rows=8)
    assert not found["ads"].anomaly_info
    assert not found["ads"].drift_skew_info
