"""Files of curated schemas, and the hash of the part that Transform depends on."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from models.errors import ConfigError
from models.errors import listed
from models.errors import shortened

# Fields of a feature that only validation uses. Transform parses Examples by the others
# (name, type, shape, sparse and struct features, ...).
_ONLY_VALIDATES = (
    "value_count",
    "domain",
    "int_domain",
    "float_domain",
    "string_domain",
    "bool_domain",
    "distribution_constraints",
    "unique_constraints",
    "annotation",
    "drift_comparator",
    "skew_comparator",
    "in_environment",
    "not_in_environment",
)


def parse_schema(text: str, where: str = "the schema") -> schema_pb2.Schema:
    """Parses a TFMD schema in text format.

    Args:
        text: The schema.
        where: Name of the schema in errors.

    Raises:
        ConfigError: The text is not a valid schema, or has a feature twice.
    """
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ConfigError(
            f"{where} is not a TFMD schema in text format: {shortened(str(error))}; "
            "correct that line, or write a new one with `crossctr schema infer`"
        ) from error
    counted = Counter(feature.name for feature in schema.feature)
    twice = [name for name, count in counted.items() if count > 1]
    if twice:
        raise ConfigError(
            f"{where} has {listed(twice)} twice; keep one of each feature"
        )
    return schema


def read_schema(path: Path) -> schema_pb2.Schema:
    """Reads the schema at `path`.

    Raises:
        ConfigError: There is no such file, or it is not a valid schema.
    """
    if not path.is_file():
        raise ConfigError(
            f"there is no schema file {str(path)!r}; write one with `crossctr schema "
            "infer`, or set `schema` in the configuration"
        )
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not a TFMD schema in text format: byte {error.start:,} is not "
            "UTF-8; set `schema` to a schema, or write one with `crossctr schema infer`"
        ) from error
    return parse_schema(text, str(path))


def transform_part(schema: schema_pb2.Schema) -> str:
    """Returns a hash of what of a schema shapes the transformed rows.

    A schema that only validates otherwise gives the same rows, so it must not make
    stored blocks stale. Features count in any order.
    """
    part = schema_pb2.Schema()
    part.CopyFrom(schema)
    for feature in part.feature:
        for field in _ONLY_VALIDATES:
            feature.ClearField(field)
        # A dense feature that may be missing is parsed in another way.
        if not feature.HasField("shape"):
            feature.ClearField("presence")
    for field in ("default_environment", "string_domain", "annotation"):
        part.ClearField(field)
    part.ClearField("dataset_constraints")
    ordered = sorted(part.feature, key=lambda feature: feature.name)
    del part.feature[:]
    part.feature.extend(ordered)
    return hashlib.sha256(part.SerializeToString(deterministic=True)).hexdigest()


def to_text(schema: schema_pb2.Schema) -> str:
    """Returns a schema in text format."""
    return text_format.MessageToString(schema, as_utf8=True)


def leading_comments(text: str) -> str:
    """Returns the comment lines that a schema file starts with."""
    lines = []
    for line in text.splitlines(keepends=True):
        if line.strip() and not line.startswith("#"):
            break
        lines.append(line)
    return "".join(lines)


def has_inner_comments(text: str) -> bool:
    """Whether there are comment lines that `leading_comments` would not keep."""
    rest = text[len(leading_comments(text)) :]
    return any(line.lstrip().startswith("#") for line in rest.splitlines())
