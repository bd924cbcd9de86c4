"""Model cards: copies of the artifacts' numbers, limits, history, Markdown."""

import json

import pytest

from components.evaluation.replicates import MeasuredModel
from components.publisher.card_context import CardContext
from components.publisher.card_context import CardFeature
from components.publisher.card_files import add_event
from components.publisher.card_files import card_of
from components.publisher.card_files import keep_card
from components.publisher.card_files import kept_card
from components.publisher.card_files import write_card
from components.publisher.card_text import card_text
from components.publisher.model_card import GATE
from components.publisher.model_card import Event
from components.publisher.model_card import make_card
from components.publisher.model_card import of_version
from components.publisher.model_card import with_event
from components.references.stored import StoredReference
from components.references.stored import StoredReferences
from models.artifact_files import CARD_FILE
from models.artifact_files import CARD_TEXT_FILE
from models.errors import DataError

DAY = 17897  # 2019-01-01
METRICS = {
    "auc": 0.65,
    "gauc": 0.63,
    "gauc_coverage": 0.25,
    "log_loss": 0.44,
    "normalized_entropy": 0.97,
    "calibration": 0.98,
    "click_count": 3221.0,
    "example_count": 3722.0,
}
DECISION = {
    "strategy": "ecdctr",
    "approved": True,
    "state": "compared",
    "reasons": [
        {"rule": "min_auc", "outcome": "held", "text": "AUC 0.65, needed is 0.5"}
    ],
    "candidate": METRICS,
    "intervals": {"auc": {"value": 0.65, "low": 0.61, "high": 0.69}},
    "live": {**METRICS, "auc": 0.64},
    "changes": {"auc": {"value": 0.01, "low": -0.01, "high": 0.03}},
    "constant": {**METRICS, "auc": 0.5, "click_rate": 0.87},
    "slices": [
        {
            "slice": "user_history",
            "value": "1-5",
            "candidate": {"auc": 0.6, "log_loss": 0.5, "example_count": 90.0},
            "intervals": {"auc": {"value": 0.6, "low": 0.3, "high": 0.9}},
            "few_rows": True,
        }
    ],
}
REPORT = {
    "domains": ["de"],
    "first_day": DAY - 30,
    "last_day": DAY - 1,
    "rows": 15813,
    "rows_by_domain": {"de": 15813},
    "clicks": 13709,
    "target_click_rate": 0.8669,
    "steps": 101,
    "losses": [0.36],
    "batch_size": 158,
    "parameters": {"embedding": 289312, "dense": 27441},
    "warm_start": {"copied": {"x": 1}},
    "snapshot_days": [DAY - 31],
}
CONTEXT = CardContext(
    name="xmarket",
    purpose="Ranks | ads\nin Germany.",
    owner="Ads team",
    limits=("Not for slot 3.",),
    target="de",
    sources=("ca", "uk"),
    kind="ecdctr",
    evaluation=("2019-01-01", "2019-01-30"),
    level=0.95,
    features=(
        CardFeature(name="user_id", kind="id", side="user"),
        CardFeature(name="both", kind="cross", side="item", of=("user_id", "item_id")),
    ),
    provenance={"configuration": "abc", "fingerprints": {"blocks": {"1..2": "b1"}}},
)
GBDT = StoredReference({**METRICS, "auc": 0.68}, 10, 20, "a note")
REFERENCES = StoredReferences({"gbdt": GBDT}, {}, None)


def card(decision=DECISION, report=REPORT, references=REFERENCES, context=CONTEXT):
    return make_card(decision, report, references, context, day=DAY)


def test_numbers_are_those_of_decision_report_and_references():
    found = card()
    metrics = found["metrics"]
    assert metrics["model"] == DECISION["candidate"]
    for key in ("intervals", "live", "changes", "constant"):
        assert metrics[key] == DECISION[key]
    assert found["slices"] == DECISION["slices"]
    assert found["gate"]["reasons"] == DECISION["reasons"]
    assert found["references"]["gbdt"]["metrics"] == GBDT.metrics
    assert found["evaluation"]["impressions"] == METRICS["example_count"]
    assert found["evaluation"]["clicks"] == METRICS["click_count"]
    training = found["training"]
    assert training["impressions"] == REPORT["rows"]
    assert training["clicks"] == REPORT["clicks"]
    assert training["optimizer_steps"] == REPORT["steps"]
    assert training["parameters"] == REPORT["parameters"]
    assert (training["first_day"], training["last_day"]) == ("2018-12-02", "2018-12-31")
    assert found["provenance"] == CONTEXT.provenance
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def without(key):
    return {name: value for name, value in DECISION.items() if name != key}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "Not for slot 3."),
        ({}, "Its AUC 0.6500 is not above that of gbdt, 0.6800, on the same impr"),
        ({}, "1 of 1 slices have too few impressions for the Gate's rules."),
        ({"references": None}, "No references were fitted on the same impressions."),
        (
            {"references": StoredReferences({"gbdt": GBDT}, {"rate": 0.2}, None)},
            "GAUC not usable: rate moves within the block.",
        ),
        ({"report": {**REPORT, "steps": 9, "warm_start": None}}, "with 9 optimizer"),
        ({"decision": without("intervals")}, "Its metrics have no intervals."),
        ({"decision": {**DECISION, "state": "cold_start"}}, "No model was live"),
        (
            {
                "decision": {
                    **DECISION,
                    "intervals": {"normalized_entropy": {"low": 0.9, "high": 1.01}},
                }
            },
            "normalized entropy 0.9700 (up to 1.0100) is not below 1.",
        ),
        (
            {
                "decision": {
                    **DECISION,
                    "reasons": [
                        {"rule": "x", "outcome": "refused", "text": "AUC too low"}
                    ],
                }
            },
            "The Gate refused it: AUC too low.",
        ),
    ],
)
def test_limits_follow_from_what_was_measured(changed, said):
    assert any(said in limit for limit in card(**changed)["limits"])


def test_a_good_model_has_the_general_limit_alone():
    better = StoredReferences({"gbdt": StoredReference(METRICS, 1, 1, "")}, {}, None)
    decision = {**DECISION, "candidate": {**METRICS, "auc": 0.7}, "slices": []}
    context = CONTEXT.model_copy(update={"limits": ()})
    found = card(decision=decision, references=better, context=context)["limits"]
    assert len(found) == 1
    assert found[0].startswith("Trained once")


def test_markdown_says_the_same():
    event = Event("published", 0, "2026-12-01T00:00:00+00:00", GATE, "approved")
    text = card_text(of_version(card(), 2019010100, [event]))
    for said in (
        "# Model card: xmarket, version 2019010100",
        "Ranks | ads in Germany.\n\nOwner: Ads team",
        "* Impressions: 15,813 (de 15,813), clicks: 13,709",
        "| **this model** | 0.6500 (0.6100 to 0.6900) |",
        "| difference | +0.0100 (-0.0100 to +0.0300) |",
        "| gbdt | 0.6800 |",
        "* gbdt: a note",
        # Grey on the page, without an interval here, too.
        "| user history 1-5 (too few impressions) | 90 | 0.6000 |",
        "* held: AUC 0.65, needed is 0.5",
        "| both | cross user_id item_id | item |",
        "* fingerprints blocks 1..2: `b1`",
        "* 2026-12-01T00:00:00+00:00: 2019010100 published by the Gate: approved",
    ):
        assert said in text, said


def test_what_was_not_recorded_is_said_to_be_unknown():
    found = make_card(
        {"strategy": "old", "approved": False, "reasons": ["AUC 0.4: refused"]},
        {},
        None,
        None,
        day=DAY,
    )
    assert found["features"] is None
    assert found["provenance"] is None
    text = card_text(of_version(found, 2019010100, []))
    assert "# Model card: not recorded, version 2019010100" in text
    assert "The Gate refused it: AUC 0.4." in text
    assert "None" not in text.replace("None recorded", "")


def test_intervals_of_references_are_of_the_judgements_level():
    drawn = {"auc": [0.6 + i / 1000 for i in range(101)]}
    one = StoredReference({**METRICS, "auc": 0.65}, 1, 1, "", drawn_as_arrays(drawn))
    found = card(references=StoredReferences({"gbdt": one}, {}, None))
    interval = found["references"]["gbdt"]["intervals"]["auc"]
    assert interval == pytest.approx({"value": 0.65, "low": 0.6025, "high": 0.6975})
    assert MeasuredModel(one.metrics, one.replicates).interval("gauc", 0.95) is None


def drawn_as_arrays(drawn):
    import numpy as np

    return {name: np.array(values) for name, values in drawn.items()}


def test_a_repeated_command_is_one_event():
    first = Event("withdrawn", 7, "2026-12-01T00:00:00+00:00", "Ada", "CTR fell")
    later = Event("withdrawn", 7, "2026-12-01T00:01:00+00:00", "Ada", "CTR fell")
    other = Event("stable", 7, "2026-12-01T00:02:00+00:00", "Ada", "all good")
    events = with_event(with_event(with_event(card(), first), later), other)["events"]
    assert [(e["event"], e["when"][14:16]) for e in events] == [
        ("withdrawn", "01"),
        ("stable", "02"),
    ]


def test_an_event_changes_nothing_else_and_reaches_both_files(tmp_path):
    write_card(tmp_path, of_version(card(), 7, []))
    before = card_of(tmp_path)
    add_event(tmp_path, Event("canary", 7, "2026-12-01", "Ada", "try it"))
    after = card_of(tmp_path)
    assert after.pop("events") != before.pop("events")
    assert after == before
    text = (tmp_path / CARD_TEXT_FILE).read_text()
    assert "7 made the canary by Ada: try it" in text


def test_a_version_without_a_card_stays_without(tmp_path):
    add_event(tmp_path, Event("canary", 7, "2026-12-01", "Ada", "try it"))
    assert list(tmp_path.iterdir()) == []
    assert card_of(tmp_path) is None


def test_the_card_of_a_judged_model_is_kept(tmp_path):
    assert kept_card(tmp_path) is None
    keep_card(tmp_path, card())
    assert kept_card(tmp_path) == card()


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_card_is_named(tmp_path, text):
    path = tmp_path / CARD_FILE
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(DataError, match="model_card.json is not"):
        card_of(tmp_path)
