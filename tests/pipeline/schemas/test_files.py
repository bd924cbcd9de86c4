"""Schema files: the part that blocks depend on, and comments."""

from pathlib import Path

import pytest

from models.errors import ConfigError
from pipeline.config.load import load_config
from pipeline.schemas.files import has_inner_comments
from pipeline.schemas.files import leading_comments
from pipeline.schemas.files import parse_schema
from pipeline.schemas.files import read_schema
from pipeline.schemas.files import transform_part

ROOT = Path(__file__).parents[3]
A = 'feature { name: "a" type: INT presence { min_fraction: 1.0 } }\n'
B = 'feature { name: "b" type: BYTES value_count { min: 1 } }\n'


@pytest.mark.parametrize(
    "changed",
    [
        B + A,
        A.replace("1.0", "0.5") + B,
        A + B.replace("min: 1", "min: 0 max: 9"),
        A + B.replace("type", 'string_domain { value: "x" } type'),
        A + B.replace("type", 'not_in_environment: "ads" type'),
        A.replace("type", "int_domain { min: 3 } type") + B,
        A.replace("type", "drift_comparator { infinity_norm { threshold: 0.1 } } type")
        + B,
        f'# why\ndefault_environment: "ads"\n{A}{B}string_domain {{ name: "s" }}',
    ],
    ids=["order", "presence", "count", "values", "lack", "range", "drift", "top"],
)
def test_what_only_validates_leaves_stored_blocks_as_they_are(changed):
    assert transform_part(parse_schema(changed)) == transform_part(parse_schema(A + B))


@pytest.mark.parametrize(
    "changed",
    [
        A,
        A.replace("INT", "FLOAT") + B,
        A.replace('"a"', '"c"') + B,
        A.replace("type", "shape { dim { size: 1 } } type") + B,
        A.replace("type", "lifecycle_stage: DEPRECATED type") + B,
    ],
    ids=["removed", "type", "name", "shape", "deprecated"],
)
def test_what_transform_reads_makes_blocks_stale(changed):
    assert transform_part(parse_schema(changed)) != transform_part(parse_schema(A + B))


def test_presence_counts_where_a_feature_has_a_shape():
    dense = 'feature { name: "a" type: INT shape {} presence { min_fraction: 1.0 } }'
    assert transform_part(parse_schema(dense)) != transform_part(
        parse_schema(dense.replace("1.0", "0.5"))
    )


def test_a_broken_schema_is_named_with_its_line(tmp_path):
    path = tmp_path / "x.pbtxt"
    path.write_text('feature { nme: "a" }')
    with pytest.raises(ConfigError, match=r"x\.pbtxt.*1:11"):
        read_schema(path)
    with pytest.raises(ConfigError, match="crossctr schema infer"):
        read_schema(tmp_path / "none.pbtxt")


def test_comments_before_the_first_entry_are_told_from_those_inside():
    assert leading_comments(f"# one\n\n# two\n{A}# three\n") == "# one\n\n# two\n"
    assert has_inner_comments(f"# one\n{A}# three\n")
    assert not has_inner_comments(f"# one\n{A}")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_shipped_schema_has_the_features_of_its_configuration(path):
    config = load_config(path)
    found = {feature.name for feature in read_schema(config.schema_path).feature}
    assert found == {"day", "label", "domain", *config.columns}
