"""Artifact types that TFX does not have.

Every artifact that a later day may read has these custom properties, because artifacts
are selected by day and by configuration, never by wall clock:

| property      | meaning                                                            |
| ------------- | ------------------------------------------------------------------ |
| `first_day`   | first day of rows that went into it (days since 1970-01-01)        |
| `last_day`    | last day of rows that went into it; readers on day D need < D      |
| `fingerprint` | hash of everything it was made from: config, code, logs, parents   |
"""

from __future__ import annotations

from tfx import types
from tfx.types import artifact

# What the Gate writes into a GateDecision.


class Vocabulary(types.Artifact):
    """Maps from raw id to table row by id space, and statistics of numbers."""

    TYPE_NAME = "Vocabulary"


class GuardReport(types.Artifact):
    """The Guard's approval of a block of days."""

    TYPE_NAME = "GuardReport"


class EmbeddingSnapshot(types.Artifact):
    """User and item embedding tables of one TPM period, keyed by raw id."""

    TYPE_NAME = "EmbeddingSnapshot"


class ReferenceScores(types.Artifact):
    """Metrics and scores of the references on the evaluation rows."""

    TYPE_NAME = "ReferenceScores"


class GateDecision(types.Artifact):
    """The Gate's decision whether a candidate may be published, with reasons."""

    TYPE_NAME = "GateDecision"


class PublishedModel(types.Artifact):
    """A version folder that TF Serving can load, or the note that none was written."""

    TYPE_NAME = "PublishedModel"


def stamp(target: artifact.Artifact, **properties: int | str) -> None:
    """Sets custom properties on `target`, keeping integers and text apart."""
    for name, value in properties.items():
        if isinstance(value, str):
            target.set_string_custom_property(name, value)
        else:
            target.set_int_custom_property(name, int(value))
