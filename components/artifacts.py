"""Artifact types that TFX has no word for.

Every artifact that a later day may read carries these custom properties, because
selection is by day and by configuration, never by wall clock:

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
    """Append-only maps raw id -> row, one file per id space."""

    TYPE_NAME = "Vocabulary"


class GuardReport(types.Artifact):
    """The Guard's word that a block of days may be used."""

    TYPE_NAME = "GuardReport"


class EmbeddingSnapshot(types.Artifact):
    """User and item embedding tables of one TPM period, keyed by raw id."""

    TYPE_NAME = "EmbeddingSnapshot"


class ReferenceScores(types.Artifact):
    """Metrics and scores of the references on the evaluation rows."""

    TYPE_NAME = "ReferenceScores"


class GateDecision(types.Artifact):
    """Whether a candidate may be published, and why."""

    TYPE_NAME = "GateDecision"


class PublishedModel(types.Artifact):
    """A version folder that TF Serving can load, or the word that none was written."""

    TYPE_NAME = "PublishedModel"


def stamp(target: artifact.Artifact, **properties: int | str) -> None:
    """Sets custom properties on `target`, integers as integers, text as text."""
    for name, value in properties.items():
        if isinstance(value, str):
            target.set_string_custom_property(name, value)
        else:
            target.set_int_custom_property(name, int(value))
