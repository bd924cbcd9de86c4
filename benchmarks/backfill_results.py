"""Results of a backfill, in a form that two backfills can be compared in."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2

from models.artifact_files import DECISION_FILE
from models.artifact_files import TRAIN_FOLDER
from models.artifact_files import WEIGHTS_FILE
from models.artifact_files import model_report
from pipeline.store.lineage import makers
from pipeline.store.lineage import text_of
from pipeline.store.reader import Store


@dataclass(frozen=True)
class Result:
    """Results of a backfill that a repeated backfill must reproduce.

    Attributes:
        weights: Hash of every model's weights, by fingerprint and file.
        metrics: The Gate's decision and metrics, by fingerprint, to five places.
        decisions: Hash of the decision files, unrounded.
        vocabularies: Hash of every vocabulary file, by block and name.
        snapshots: Hash of every snapshot file, by fingerprint and name.
        versions: Published versions.
        artifacts: Number of finished artifacts by type, level and fingerprint. Two
            would mean that a model was trained or a block ingested twice.
        lineage: "output <- input" for every pair of artifacts with a fingerprint.
        twice: Days on which one warm-start chain was trained twice.
    """

    weights: dict[str, str]
    metrics: dict[str, str]
    decisions: dict[str, str]
    vocabularies: dict[str, str]
    snapshots: dict[str, str]
    versions: list[str]
    artifacts: dict[str, int]
    lineage: list[str]
    twice: list[int]

    def differences(self, other: Result) -> list[str]:
        """Returns the names of the parts that differ."""
        return [
            n
            for n in vars(self)
            if n != "decisions" and getattr(self, n) != getattr(other, n)
        ]


def read_result(root: Path, serving: Path) -> Result:
    """Reads the results of the backfills below `root`."""
    store = Store(root)
    kinds = ("Examples", "Model", "EmbeddingSnapshot", "GateDecision", "PublishedModel")
    counts: dict[str, int] = {}
    for kind in kinds:
        for stored in store.artifacts(kind):
            part = stored.properties.get("role") or stored.properties.get("level")
            key = f"{kind} {part or ''} {stored.fingerprint}"
            counts[key] = counts.get(key, 0) + 1
    metrics = {
        stored.fingerprint: rounded(
            Path(stored.uri, DECISION_FILE).read_text(encoding="utf-8")
        )
        for stored in store.artifacts("GateDecision")
    }
    return Result(
        weights=_hashes(store, "Model", f"{TRAIN_FOLDER}/{WEIGHTS_FILE}.data*"),
        metrics=metrics,
        decisions=_hashes(store, "GateDecision"),
        vocabularies=_hashes(store, "Vocabulary"),
        snapshots=_hashes(store, "EmbeddingSnapshot"),
        versions=sorted(path.name for path in serving.glob("*/*")),
        artifacts=counts,
        lineage=lineage(store),
        twice=sorted(
            day
            for days in warm_start_chains(store, "target")
            for day in days
            if days.count(day) > 1
        ),
    )


def rounded(decision: str) -> str:
    """Returns a decision with its numbers rounded to five places.

    With equal weights metrics can differ by 1e-8. The likely cause: Beam adapts batch
    sizes to measured time, and the last bits of a score depend on the batch size.
    """
    return json.dumps(json.loads(decision, parse_float=lambda f: round(float(f), 5)))


def _hashes(store: Store, kind: str, pattern: str = "**/*") -> dict[str, str]:
    return {
        f"{stored.fingerprint} {path.relative_to(stored.uri)}": hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for stored in store.artifacts(kind)
        for path in sorted(Path(stored.uri).glob(pattern))
        if path.is_file()
    }


def lineage(store: Store) -> list[str]:
    """Returns "output <- input" of all artifacts, by type and fingerprint."""
    found = set()
    for output, inputs in makers(store):
        found |= {f"{_name(output)} <- {_name(i)}" for i in inputs}
    return sorted(found)


def warm_start_chains(store: Store, level: str) -> list[list[int]]:
    """Returns the training days of each chain of warm starts within a level.

    Follows ML Metadata back from every model that no other model of its level starts
    from. A chain ends at a model of another level, which read other domains.
    """
    parents: dict[int, int] = {}
    models: dict[int, metadata_store_pb2.Artifact] = {}
    for output, inputs in makers(store):
        if output.type != "Model" or text_of(output, "level") != level:
            continue
        models[output.id] = output
        for one in inputs:
            if one.type == "Model" and text_of(one, "level") == level:
                parents[output.id] = one.id
    chains = []
    for start in sorted(models.keys() - set(parents.values())):
        days: list[int] = []
        at: int | None = start
        while at is not None:
            path = model_report(Path(models[at].uri))
            report = json.loads(path.read_bytes())
            if report["rows"]:
                days = [*range(report["first_day"], report["last_day"] + 1), *days]
            at = parents.get(at)
        chains.append(days)
    return chains


def _name(artifact: metadata_store_pb2.Artifact) -> str:
    part = text_of(artifact, "role") or text_of(artifact, "level")
    return " ".join(
        filter(None, (artifact.type, part, text_of(artifact, "fingerprint")))
    )
