"""Command `vocabularies`: statistics of ids by feature and day."""

from models.features.feature import Feature
from models.features.id_space import IdSpace
from models.features.table import FeatureTable
from pipeline.cli.vocabularies import DayOfIds
from pipeline.cli.vocabularies import by_day

FEATURES = FeatureTable(
    features=(
        Feature(name="item_id", kind="id", vocabulary="item"),
        Feature(name="topic", kind="id", vocabulary="topic"),
        Feature(name="shown", kind="count"),
    ),
    vocabularies={
        "item": IdSpace(capacity=10),
        "topic": IdSpace(capacity=5, encoding="hash"),
    },
)
SUMMARY = {
    "item": {
        "encoding": "append_only",
        "capacity": 10,
        "ids_before": 2,
        "grown": [["1970-01-02", 5]],
    },
    "topic": {"encoding": "hash", "capacity": 5, "collision_rate": 0.25},
}


def test_what_sources_know_of_the_targets_ids_is_shown_by_day():
    shared = {"days": ["1970-01-02"], "ids": [4], "known": {"feeds": [3]}}
    summary = {**SUMMARY, "item": {**SUMMARY["item"], "shared": shared}}
    days = ["1970-01-02", "1970-01-03"]
    domain = {name: counts([1, 1], [0, 0], [0, 0]) for name in ("item_id", "topic")}
    found = by_day({"days": days, "domains": {"ads": domain}}, summary, FEATURES)
    assert [one.known for one in found] == [{"feeds": 0.75}, {}, {}, {}]


def counts(ids, oov, new):
    return {"rows": [9, 9], "missing": [0, 0], "ids": ids, "oov": oov, "new": new}


def test_rates_are_over_all_domains_and_the_table_fills_by_day():
    item = {
        "ads": counts([4, 0], [1, 0], [3, 0]),
        "feeds": counts([6, 0], [1, 0], [1, 0]),
    }
    topic = counts([2, 2], [0, 0], [0, 0])
    domains = {name: {"item_id": found, "topic": topic} for name, found in item.items()}
    encoding = {"days": ["1970-01-02", "1970-01-03"], "domains": domains}
    assert list(by_day(encoding, SUMMARY, FEATURES)) == [
        DayOfIds("1970-01-02", "item_id", 10, 0.2, 0.4, 0.5, None),
        DayOfIds("1970-01-03", "item_id", 0, None, None, 0.5, None),
        DayOfIds("1970-01-02", "topic", 4, None, None, None, 0.25),
        DayOfIds("1970-01-03", "topic", 4, None, None, None, 0.25),
    ]
