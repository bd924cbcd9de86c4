"""Publisher component: copies an approved model and records either outcome.

No postponed annotations here: TFX reads those of the function itself.
"""

import datetime
import json
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.component.experimental.annotations import InputArtifact
from tfx.dsl.component.experimental.annotations import OutputArtifact
from tfx.dsl.component.experimental.annotations import Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.types.standard_artifacts import InfraBlessing
from tfx.types.standard_artifacts import Model
from tfx.utils import path_utils

from components.artifacts import GateDecision
from components.artifacts import PublishedModel
from components.artifacts import ReferenceScores
from components.artifacts import stamp
from components.publisher.card_context import CardContext
from components.publisher.card_files import keep_card
from components.publisher.labels import CANARY
from components.publisher.model_card import GATE
from components.publisher.model_card import Card
from components.publisher.model_card import Event
from components.publisher.model_card import make_card
from components.publisher.releases import ModelRepository
from components.publisher.releases import describe
from components.references.stored import read_references
from models.artifact_files import DECISION_FILE
from models.artifact_files import REQUESTS_FILE
from models.artifact_files import model_report
from models.days import to_date
from models.progress import PROGRESS


@component
def Publisher(  # noqa: N802 (the name of the node and of its type)
    model: InputArtifact[Model],
    decision: InputArtifact[GateDecision],
    infra_blessing: InputArtifact[InfraBlessing],
    published: OutputArtifact[PublishedModel],
    name: Parameter[str],
    directory: Parameter[str],
    day: Parameter[int],
    fingerprint: Parameter[str],
    keep: Parameter[int],
    rollout: Parameter[str],
    server_path: Parameter[str],
    card_context: Parameter[str],
    references: InputArtifact[ReferenceScores] = None,
) -> None:
    """Publishes an approved model under a version derived from its day.

    TFX's Pusher takes versions from the wall clock, so that a backfilled day would
    become the newest.

    Args:
        model: The candidate.
        decision: The Gate's decision on it.
        infra_blessing: Whether a server could load it, and its warmup requests.
        published: The published model, or the note why it was refused.
        name: Name of the model.
        directory: Folder that a server watches.
        day: The run's day, which is the version's date.
        fingerprint: Hash of all inputs of the result.
        keep: Number of versions that are kept; older ones are removed.
        rollout: `stable` or `canary`, the label of a new version.
        server_path: Path under which servers see `directory`.
        card_context: JSON of the `CardContext`.
        references: References on the same impressions, for the model card; None if
            the run has none.
    """
    content = (Path(decision.uri) / DECISION_FILE).read_text(encoding="utf-8")
    decided = json.loads(content)
    repository = ModelRepository(Path(directory), name, server_path, keep)
    model_fingerprint = model.get_string_custom_property("fingerprint")
    refusal = _refusal(infra_blessing, repository.withdrawn(model_fingerprint), day)
    card = make_card(
        decided,
        json.loads(model_report(Path(model.uri)).read_text(encoding="utf-8")),
        read_references(Path(references.uri)) if references else None,
        CardContext.model_validate_json(card_context),
        day=day,
    )
    path = ""
    if decided["approved"] and not refusal:
        lineage = {
            "day": str(to_date(day)),
            "strategy": decided["strategy"],
            "fingerprint": fingerprint,
            "model_fingerprint": model_fingerprint,
            "decision": decided,
        }
        path = _release(repository, model, infra_blessing, day, lineage, card, rollout)
    Path(published.uri).mkdir(parents=True, exist_ok=True)
    # For a refused model, too: a person may publish it later.
    keep_card(Path(published.uri), card)
    stamp(
        published,
        day=day,
        first_day=model.get_int_custom_property("first_day"),
        last_day=model.get_int_custom_property("last_day"),
        fingerprint=fingerprint,
        model_fingerprint=model_fingerprint,
        pushed=int(bool(path)),
        path=path,
        infra_reason=refusal,
    )


def _refusal(blessing: types.Artifact, withdrawn: int | None, day: int) -> str:
    """Returns why an approved model is not published; empty if it may be.

    Args:
        blessing: InfraValidator's result.
        withdrawn: Version under which the model was withdrawn, if it was. The model may
            be that of an earlier day, as the target's clock may tick less than daily.
        day: The run's day.
    """
    if blessing.get_int_custom_property("blessed") != 1:
        return blessing.get_string_custom_property("reason") or "not checked"
    if withdrawn is None:
        return ""
    return (
        f"version {withdrawn} of this model was withdrawn by a person; "
        f"`crossctr promote CONFIG --day {to_date(day)} --reason WHY` brings it back"
    )


def _release(
    repository: ModelRepository,
    model: types.Artifact,
    blessing: types.Artifact,
    day: int,
    lineage: dict[str, Any],
    card: Card,
    rollout: str,
) -> str:
    """Publishes the model; returns the folder of its version."""
    now = datetime.datetime.now(tz=datetime.timezone.utc).isoformat(timespec="seconds")
    cold = lineage["decision"]["state"] == "cold_start"
    why = "approved; no model was live" if cold else "approved"
    released = repository.release(
        Path(path_utils.serving_model_path(model.uri)),
        day,
        lineage,
        card,
        [Event("published", 0, now, GATE, why)],
        warmup=Path(blessing.uri) / REQUESTS_FILE,
        as_canary=rollout == CANARY,
    )
    PROGRESS.info(f"published {released.path}")
    PROGRESS.info(describe(released))
    return str(released.path)
