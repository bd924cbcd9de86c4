"""Promotion of a version to stable or canary, by a person, and its record."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import Literal

from ml_metadata.proto import metadata_store_pb2

from components.gate.reasons import reasons_of
from components.publisher import labels
from components.publisher.card_files import add_event
from components.publisher.card_files import card_of
from components.publisher.card_files import kept_card
from components.publisher.labels import Labels
from components.publisher.logic import versions_in
from components.publisher.model_card import Card
from components.publisher.model_card import Event
from components.publisher.model_card import make_card
from components.publisher.releases import ModelRepository
from models.artifact_files import REQUESTS_FILE
from models.artifact_files import SERVING_FOLDER
from models.artifact_files import model_report
from models.days import to_date
from models.errors import DataError
from pipeline.config.schema import Config
from pipeline.store.integrity import refuse_lost_metadata
from pipeline.store.reader import Store
from pipeline.store.reader import Stored
from pipeline.store.results import decision_of

# The execution type in ML Metadata.
EXECUTION_TYPE = "Promotion"


@dataclass(frozen=True)
class Override:
    """A person's decision that overrides the Gate.

    Attributes:
        who: Name of the person.
        when: Time in UTC, ISO 8601.
        why: Their reason.
    """

    who: str
    when: str
    why: str

    @classmethod
    def now(cls, who: str, why: str) -> Override:
        """Returns an override with the current time."""
        now = datetime.datetime.now(tz=datetime.timezone.utc)
        return cls(who, now.isoformat(timespec="seconds"), why)


@dataclass(frozen=True)
class Promotion:
    """Result of `promote`.

    Attributes:
        path: Version folder.
        was_published: Whether it was published before.
        changed: Whether the promotion changed anything.
        refusals: Why Gate and server refused it.
        labels: The labels in `models.config`.
        newer: Highest published version, if it is above this one.
    """

    path: Path
    was_published: bool
    changed: bool
    refusals: tuple[str, ...]
    labels: Labels
    newer: int | None


def repository_of(config: Config) -> ModelRepository:
    """Returns the repository of the configuration's published versions."""
    serving = config.serving
    return ModelRepository(
        serving.directory, config.name, serving.server_path, serving.keep
    )


def promote(
    config: Config, day: int, override: Override, *, as_canary: bool = False
) -> Promotion:
    """Makes the newest model that the Gate judged for `day` the stable version.

    It is published if the Gate or the server had refused it, as the Publisher would
    have. A promotion that was killed is finished by the same command.

    Args:
        config: The configuration; its `strategy` is the one that is published.
        day: The run's day.
        override: Who decides, and why.
        as_canary: Whether it becomes the canary instead.

    Raises:
        DataError: No model was judged for `day`, or its files are no longer stored.
    """
    store = Store(config.root, config.metadata)
    refuse_lost_metadata(store)
    newest = _newest_judged(config, store, day)
    decision = decision_of(store, newest.fingerprint)
    refusals = _refusals(newest, decision)
    repository = repository_of(config)
    path = Path(str(newest.properties.get("path", "")))
    # A version whose folder was lost is published again.
    if newest.properties.get("pushed") and path.is_dir():
        changed, after = _relabel(
            repository, int(path.name), override, as_canary=as_canary
        )
        if changed:
            _note(store, newest, override, "canary" if as_canary else "stable")
        newer = _above(repository.folder, path)
        return Promotion(path, True, changed, refusals, after, newer)
    versions = versions_in(repository.folder)
    path, after = _publish(config, store, newest, decision, override, as_canary)
    newer = _above(repository.folder, path)
    # An earlier day of the same model may have published it.
    known = int(path.name) in versions
    return Promotion(path, known, True, refusals, after, newer)


def _newest_judged(config: Config, store: Store, day: int) -> Stored:
    """Returns the newest artifact of a target model that the Gate judged for `day`.

    Raises:
        DataError: There is none.
    """
    judged = [s for s in store.artifacts("PublishedModel") if _day_of(s) == day]
    if not judged:
        raise DataError(
            f"no model of {to_date(day)} was judged under {str(config.root)!r}; run "
            f"`crossctr run` for this day first"
        )
    return judged[-1]


def _refusals(judged: Stored, decision: dict[str, Any]) -> tuple[str, ...]:
    """Returns why the Gate and the server refused a model; empty if neither did."""
    refusals = [str(r) for r in reasons_of(decision) if r.outcome == "refused"]
    unfit = judged.properties.get("infra_reason")
    if unfit:
        refusals.append(f"not fit to be served: {unfit}")
    return tuple(refusals)


def _publish(
    config: Config,
    store: Store,
    judged: Stored,
    decision: dict[str, Any],
    override: Override,
    as_canary: bool,
) -> tuple[Path, Labels]:
    """Publishes a model that was not published; returns its folder and all labels.

    Raises:
        DataError: The model's files are no longer stored.
    """
    day = _day_of(judged)
    fingerprint = str(judged.properties["model_fingerprint"])
    model = store.newest("Model", fingerprint)
    if model is None or not Path(model.uri, SERVING_FOLDER).is_dir():
        raise DataError(
            f"the model {fingerprint} of {to_date(day)} is not stored under "
            f"{str(config.root)!r} any more; run the day again"
        )
    repository = repository_of(config)
    events = [
        *repository.former_events(fingerprint),
        Event("published", 0, override.when, override.who, override.why),
    ]
    lineage = {
        "day": str(to_date(day)),
        "strategy": decision["strategy"],
        "fingerprint": judged.fingerprint,
        "model_fingerprint": fingerprint,
        "decision": decision,
        "override": vars(override),
    }
    blessing = store.newest("InfraBlessing", judged.fingerprint)
    warmup = Path(blessing.uri, REQUESTS_FILE) if blessing else None
    released = repository.release(
        Path(model.uri, SERVING_FOLDER),
        day,
        lineage,
        _card(judged, model, decision),
        events,
        warmup=warmup if warmup and warmup.is_file() else None,
        as_canary=as_canary,
        force=True,
    )
    gate = store.newest("GateDecision", judged.fingerprint)
    _record(store, judged, [model, *([gate] if gate else [])], released.path, override)
    return released.path, released.labels


def _card(judged: Stored, model: Stored, decision: dict[str, Any]) -> Card:
    """Returns the card of a judged model, made anew if it was judged without one."""
    # After a promotion the artifact is the version's folder.
    folder = Path(judged.uri)
    card = kept_card(folder) or card_of(folder)
    if card is not None:
        return card
    path = model_report(Path(model.uri))
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return make_card(decision, report, None, None, day=_day_of(judged))


def _relabel(
    repository: ModelRepository, version: int, override: Override, *, as_canary: bool
) -> tuple[bool, Labels]:
    """Gives a published version a label; returns whether it changed, and all labels."""
    with labels.alone_in(repository.directory):
        before = repository.labels()
        if as_canary:
            after = labels.published(before, version, as_canary=True)
            if version not in after.by_name().values() or after.stable == version:
                stable = f"stable is {after.stable}"
                raise DataError(
                    f"{version} cannot be the canary, as {stable}; expected a version "
                    "above it. Promote it without --canary to make it the stable one"
                )
        else:
            after = labels.promoted(before, version)
        if after != before:
            # First, so that a command that was killed in between repeats both.
            label: Literal["canary", "stable"] = "canary" if as_canary else "stable"
            told = (override.when, override.who, override.why)
            add_event(repository.folder / str(version), Event(label, version, *told))
        repository.write(after)
    return after != before, after


def _note(store: Store, stored: Stored, override: Override, label: str) -> None:
    """Records in ML Metadata who labelled a published model."""
    metadata = store.connect()
    (artifact,) = metadata.get_artifacts_by_id([stored.id])
    who = {"by": override.who, "at": override.when, "reason": override.why}
    set_properties(artifact, {f"{label}_{key}": text for key, text in who.items()})
    metadata.put_artifacts([artifact])


def _day_of(stored: Stored) -> int:
    return int(stored.properties.get("day", -1))


def _above(folder: Path, path: Path) -> int | None:
    highest = max(versions_in(folder), default=0)
    return highest if path.name.isdigit() and highest > int(path.name) else None


def _record(
    store: Store, refused: Stored, inputs: list[Stored], path: Path, override: Override
) -> None:
    """Adds an execution with a PublishedModel as its output to ML Metadata."""
    metadata = store.connect()
    kind = metadata_store_pb2.ExecutionType(name=EXECUTION_TYPE)
    for name in ("who", "when", "why"):
        kind.properties[name] = metadata_store_pb2.STRING
    execution = metadata_store_pb2.Execution(
        type_id=metadata.put_execution_type(kind),
        last_known_state=metadata_store_pb2.Execution.COMPLETE,
    )
    for name, text in vars(override).items():
        execution.properties[name].string_value = text
    (former,) = metadata.get_artifacts_by_id([refused.id])
    published = metadata_store_pb2.Artifact(
        type_id=former.type_id,
        uri=str(path),
        state=metadata_store_pb2.Artifact.LIVE,
        custom_properties=former.custom_properties,
    )
    set_properties(published, {"pushed": 1, "path": str(path)})
    names = {"who": "by", "when": "at", "why": "reason"}
    set_properties(
        published, {f"override_{names[k]}": v for k, v in vars(override).items()}
    )
    read = [
        (a, _event(metadata_store_pb2.Event.INPUT, a.id))
        for a in metadata.get_artifacts_by_id([s.id for s in [*inputs, refused]])
    ]
    written = (published, _event(metadata_store_pb2.Event.OUTPUT))
    contexts = metadata.get_contexts_by_artifact(refused.id)
    metadata.put_execution(execution, [*read, written], contexts)


def _event(kind: Any, artifact_id: int | None = None) -> metadata_store_pb2.Event:
    return metadata_store_pb2.Event(type=kind, artifact_id=artifact_id)


def set_properties(
    artifact: metadata_store_pb2.Artifact, values: dict[str, int | str]
) -> None:
    """Sets custom properties of an artifact, in memory."""
    for name, value in values.items():
        if isinstance(value, int):
            artifact.custom_properties[name].int_value = value
        else:
            artifact.custom_properties[name].string_value = value
