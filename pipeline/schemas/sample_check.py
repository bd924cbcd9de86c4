"""Check of some raw Examples against a schema, without importing TFDV.

An ingest validates with TFDV, on whole blocks. This looks at a sample in a second and
knows what usually goes wrong at first: types, values, ranges, numbers of values and
presence. Distances from the block before need the block before.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from tensorflow_metadata.proto.v0 import schema_pb2

from components.example_validator.logic import environment_of
from models.features.table import DAY

_TYPES = {
    schema_pb2.BYTES: (pa.large_binary(), "BYTES"),
    schema_pb2.INT: (pa.int64(), "INT"),
    schema_pb2.FLOAT: (pa.float32(), "FLOAT"),
}


def schema_problems(
    schema: schema_pb2.Schema, domain: str, rows: pa.Table
) -> Iterator[str]:
    """Yields what a sample of a domain's rows shows and the schema does not allow.

    Args:
        schema: The curated schema.
        domain: The domain.
        rows: Raw Examples.

    Raises:
        DataError: The schema has environments, but none for this domain.
    """
    environment = environment_of(schema, domain)
    declared = {feature.name: feature for feature in schema.feature}
    lists = {entry.name: set(entry.value) for entry in schema.string_domain}
    for name in rows.column_names:
        if name not in declared:
            yield f"{name}: not in the schema; `crossctr schema accept` adds it"
            continue
        feature = declared[name]
        column = rows.column(name).combine_chunks()
        values = column.flatten()
        kind, kind_name = _TYPES.get(feature.type, (values.type, ""))
        if values.type != kind:
            yield (
                f"{name}: the schema says {kind_name}, and the feature's kind makes it "
                f"{_name_of(values.type)}"
            )
            continue
        yield from _presence(feature, environment, column)
        if name != DAY:
            yield from _values(feature, values, lists)


def _name_of(kind: pa.DataType) -> str:
    return next((name for known, name in _TYPES.values() if known == kind), str(kind))


def _presence(
    feature: schema_pb2.Feature, environment: str | None, column: pa.Array
) -> Iterator[str]:
    """Yields problems of how many values rows have."""
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    # As in `empty_as_missing`: an empty list is present unless all lists are empty.
    share = float((lengths > 0).any())
    expected = environment is None or environment not in feature.not_in_environment
    if not expected:
        if share:
            yield (
                f"{feature.name}: the schema does not expect it in {environment!r}, "
                f"and {(lengths > 0).mean():.1%} of the rows have it"
            )
        return
    least = feature.presence.min_fraction
    if feature.HasField("presence") and (not share or share < least):
        needed = f"in at least {least:.1%} of the rows" if least else "in some rows"
        yield (
            f"{feature.name}: in {share:.1%} of the rows; the schema wants it {needed}"
        )
    least = feature.value_count.min
    if share and lengths.min() < least:
        yield (
            f"{feature.name}: {int(lengths.min())} values in a row; the schema wants "
            f"{least}"
        )
    most = feature.value_count.max
    if most and len(lengths) and lengths.max() > most:
        yield (
            f"{feature.name}: {int(lengths.max())} values in a row; the schema allows "
            f"{most}"
        )


def _values(
    feature: schema_pb2.Feature, values: pa.Array, lists: dict[str, set[str]]
) -> Iterator[str]:
    """Yields values that the schema does not list, or that lie outside its range."""
    if not len(values):
        return
    if pa.types.is_large_binary(values.type):
        allowed = set(feature.string_domain.value) or lists.get(feature.domain, set())
        found = pc.unique(values).to_pylist() if allowed else []
        texts = [value.decode("utf-8", "backslashreplace") for value in found]
        other = [text for text in texts if text not in allowed]
        if other:
            yield (
                f"{feature.name}: {other[0]!r} is not one of the {len(allowed)} values "
                f"that the schema lists ({len(other)} such values)"
            )
        return
    whole = pa.types.is_integer(values.type)
    limits = feature.int_domain if whole else feature.float_domain
    if not (feature.HasField("int_domain") or feature.HasField("float_domain")):
        return
    extremes = pc.min_max(values).as_py()
    for side, is_beyond in (("min", operator.lt), ("max", operator.gt)):
        value, limit = extremes[side], getattr(limits, side)
        if limits.HasField(side) and is_beyond(value, limit):
            yield f"{feature.name}: {value:g} lies beyond the schema's limit {limit:g}"
