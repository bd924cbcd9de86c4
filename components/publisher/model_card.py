"""Model card: purpose, data, metrics, limits and provenance of a judged model.

It is made where a model is judged, whether the Gate approves it or not, and written
beside the SavedModel in the same rename, so that no version lacks one. Its numbers are
copies of what the artifacts contain.

| key           | content                                                              |
| ------------- | -------------------------------------------------------------------- |
| `model_card`  | version of this format                                               |
| `model`       | name, version, day, strategy, kind, target and source domains        |
| `purpose`     | what it is for and who answers for it                                |
| `training`    | domains, days, impressions, clicks, optimizer steps, parameters      |
| `evaluation`  | domain, days, impressions, clicks                                    |
| `features`    | inputs of the served model: name, kind, side                         |
| `metrics`     | of the model, the live model and the constant, as in `decision.json` |
| `references`  | of each reference, as in `references.json`, with intervals           |
| `slices`      | metrics by slice, as in `decision.json`                              |
| `gate`        | the decision and its reasons                                         |
| `limits`      | sentences                                                            |
| `provenance`  | digest of the configuration, code, package versions, fingerprints    |
| `events`      | publication, labels given by a person, withdrawal                    |

What is not recorded is null: a model that a version before 0.2.0 judged has no
`features`, say, if it is promoted later.

References:
    Mitchell et al., Model Cards for Model Reporting, FAT* 2019, for the sections.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import asdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from components.gate.reasons import reasons_of
from components.publisher.card_context import CardContext
from components.publisher.card_limits import limits_of
from models.days import to_date

if TYPE_CHECKING:
    from components.references.stored import StoredReferences

FORMAT = 1
# Who published a version that no person did.
GATE = "the Gate"

Card = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """Change of a version's state.

    Attributes:
        event: `published`, `stable` or `canary` (a label given by a person), or
            `withdrawn`.
        version: The version.
        when: Time in UTC, ISO 8601.
        who: Name of the person, or `GATE`.
        why: The reason.
    """

    event: Literal["published", "stable", "canary", "withdrawn"]
    version: int
    when: str
    who: str
    why: str


def make_card(
    decision: Mapping[str, Any],
    report: Mapping[str, Any],
    references: StoredReferences | None,
    context: CardContext | None,
    *,
    day: int,
) -> Card:
    """Returns the card of a judged model that has no version yet.

    Args:
        decision: Content of `decision.json`.
        report: The trainer's report; empty if it is not stored.
        references: References on the same impressions; None without any.
        context: Facts from the configuration and the plan; None if they were not
            recorded.
        day: The run's day, days since 1970-01-01.
    """
    limits = limits_of(decision, report, references)
    return {
        "model_card": FORMAT,
        "model": {
            "name": context.name if context else None,
            "version": None,
            "day": str(to_date(day)),
            "strategy": decision["strategy"],
            "kind": context.kind if context else None,
            "target": context.target if context else None,
            "sources": list(context.sources) if context else None,
        },
        "purpose": {
            "statement": _purpose(context),
            "owner": (context.owner or None) if context else None,
        },
        "training": _training(report),
        "evaluation": _evaluation(decision, context),
        "features": [
            feature.model_dump(mode="json")
            for feature in (context.features if context else ())
        ]
        or None,
        "metrics": {
            "model": decision.get("candidate"),
            "intervals": decision.get("intervals"),
            "level": context.level if context else None,
            "live": decision.get("live"),
            "changes": decision.get("changes"),
            "constant": decision.get("constant"),
        },
        "references": _references(references, context),
        "slices": decision.get("slices"),
        "gate": {
            "approved": decision["approved"],
            "state": decision.get("state"),
            "reasons": [reason.to_json() for reason in reasons_of(decision)],
        },
        "limits": [*(context.limits if context else ()), *limits],
        "provenance": context.provenance if context else None,
        "events": [],
    }


def of_version(card: Card, version: int, events: Sequence[Event]) -> Card:
    """Returns the card of a published version.

    Args:
        card: The card of the judged model.
        version: The version.
        events: Events of the model so far, the newest last; the version of an event
            that has none (0) is this one.
    """
    told = [asdict(event) | {"version": event.version or version} for event in events]
    return {**card, "model": {**card["model"], "version": version}, "events": told}


def with_event(card: Card, event: Event) -> Card:
    """Returns a card with a further event.

    An event replaces the same one at the end of the list: a command that was killed is
    finished by repeating it, and is one event.
    """
    events = list(card["events"])
    new = asdict(event)
    same = ("event", "version", "who", "why")
    if events and all(events[-1][key] == new[key] for key in same):
        events.pop()
    return {**card, "events": [*events, new]}


def _purpose(context: CardContext | None) -> str | None:
    if context is None:
        return None
    if context.purpose:
        return context.purpose
    return (
        f"Predicts the probability that an impression of {context.target} is clicked. "
        "It was evaluated on no other domain."
    )


def _training(report: Mapping[str, Any]) -> dict[str, Any]:
    def date(key: str) -> str | None:
        return str(to_date(report[key])) if key in report else None

    warm_start = report.get("warm_start")
    return {
        "domains": report.get("domains"),
        "first_day": date("first_day"),
        "last_day": date("last_day"),
        "impressions": report.get("rows"),
        "impressions_by_domain": report.get("rows_by_domain"),
        "source_impressions_read": report.get("source_rows"),
        "clicks": report.get("clicks"),
        "target_click_rate": report.get("target_click_rate"),
        "optimizer_steps": report.get("steps"),
        "passes": len(report["losses"]) if "losses" in report else None,
        "batch_size": report.get("batch_size"),
        "parameters": report.get("parameters"),
        "warm_start": None if not report else warm_start is not None,
        "snapshot_days": [str(to_date(d)) for d in report.get("snapshot_days", ())],
        "calibration": report.get("calibration"),
        "served_like_trained": report.get("skew"),
    }


def _evaluation(
    decision: Mapping[str, Any], context: CardContext | None
) -> dict[str, Any]:
    metrics = decision.get("candidate", {})
    first, last = context.evaluation if context else (None, None)
    return {
        "domain": context.target if context else None,
        "first_day": first,
        "last_day": last,
        "impressions": metrics.get("example_count"),
        "clicks": metrics.get("click_count"),
    }


def _references(
    references: StoredReferences | None, context: CardContext | None
) -> dict[str, Any] | None:
    if references is None or context is None:
        return None
    found = {}
    for name, one in references.by_name.items():
        drawn = {m: one.measured.interval(m, context.level) for m in one.replicates}
        found[name] = {
            "metrics": dict(one.metrics),
            "intervals": {m: i.to_json() for m, i in drawn.items() if i is not None},
            "fitted_rows": one.fitted_rows,
            "window_rows": one.window_rows,
            "note": one.note,
        }
    return found
