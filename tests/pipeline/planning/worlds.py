"""Small configurations, and the known artifacts after their plans have run."""

import datetime
from pathlib import Path

from models.strategies.registry import create
from models.strategies.registry import kinds
from pipeline.config.schema import Config
from pipeline.planning.planner import Planner
from pipeline.planning.steps import Known

ROOT = Path(__file__).parents[3]
# Strategies beside a source model differ from others only over days: test_chain.py.
ONE_DAY = [
    name
    for name in kinds()
    if name != "composed" and create(name, {}).needs(3).learns_on_first_day
]


def make_config(**changes):
    """Returns a small configuration: TPM every 10 days, CPM every 5, target daily."""
    data = {
        "name": "small",
        "root": "unused",
        "logs": "unused",
        "schema": ROOT / "schema" / "xmarket.pbtxt",
        "first_day": datetime.date(1970, 1, 2),
        "target": "ads",
        "sources": ["feeds"],
        "columns": {"user_id": "u", "item_id": "i"},
        "label": "label == 1",
        "vocabularies": {"user": {"capacity": 9}, "item": {"capacity": 9}},
        "features": [
            {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
            {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
        ],
        "levels": {
            "tpm": {"every_days": 10, "window_days": 20, "snapshots": 3},
            "cpm": {"every_days": 5, "window_days": 10},
            "target": {"window_days": 7},
        },
        "strategies": {
            "ecdctr": {},
            "ecdctr_no_tpm": {"kind": "ecdctr", "snapshots": 0},
            "ecdctr_no_cpm": {"kind": "ecdctr", "warm_start": False},
            "target_only": {},
        },
        # Plans of strategies; `test_references.py` has those of the references.
        "references": {"rows": 0},
        "serving": {"directory": "unused"},
    }
    return Config.model_validate({**data, **changes})


def make_ctnet_config(**changes):
    """Returns the small configuration with CTNet and its variants."""
    strategies = {
        "target_only": {},
        "ctnet": {},
        "kept": {"kind": "ctnet", "reload": False},
        "gate": {"kind": "ctnet", "adapter": "gate"},
        "snapshots": {"kind": "ctnet", "snapshots": 2},
    }
    return make_config(**{"strategies": strategies, "strategy": "ctnet", **changes})


def make_baselines_config(**changes):
    """Returns the small configuration with the feature `domain` and every kind."""
    plain = make_config()
    features = [f.model_dump() for f in plain.features]
    data = {
        "vocabularies": {
            **{name: {"capacity": 9} for name in ("user", "item")},
            "domain": {"capacity": 4},
        },
        "features": [
            *features,
            {"name": "domain", "kind": "id", "vocabulary": "domain"},
        ],
        "network": {"hidden_units": [8, 4]},
        "strategies": {name: {} for name in ONE_DAY}
        | {"no_tpm": {"kind": "ecdctr", "snapshots": 0}},
    }
    return make_config(**{**data, **changes})


def planner(config, known=None, logs=str, code="code"):
    """Returns the planner of a configuration; nothing is stored by default."""
    return Planner(config, known or Known(), logs, code)


def completed(steps, live=()):
    """Returns what is known once `steps` have run."""
    blocks = {s.fingerprint: s.days for s in steps if s.kind == "ingest"}
    results = frozenset(s.fingerprint for s in steps if s.kind != "ingest")
    published = frozenset(s.fingerprint for s in steps if s.kind == "target")
    models = {
        s.training or s.fingerprint: s.day
        for s in steps
        if s.kind in ("base", "target")
    }
    sources = {s.fingerprint: s.day for s in steps if s.kind == "source"}
    return Known(blocks, results, published, live, models, sources)


def merged(known, more):
    """Returns what is known after both."""
    return Known(
        {**known.blocks, **more.blocks},
        known.results | more.results,
        known.published | more.published,
        (*known.live, *more.live),
        {**known.models, **more.models},
        {**known.sources, **more.sources},
    )


def of_kind(steps, kind):
    """Returns the steps of one kind."""
    return [step for step in steps if step.kind == kind]


def run_days(days, strategies=("ecdctr",), known=None, config=None, logs=str):
    """Plans and completes the runs of `days` in this order.

    Returns what is known then, and the target step of each day and strategy.
    """
    config = config or make_config()
    known, targets = known or Known(), {}
    for day in days:
        steps = planner(config, known, logs=logs).run(day, list(strategies))
        targets.update(
            {(s.run_day, s.strategy): s for s in steps if s.kind == "target"}
        )
        known = merged(known, completed(steps))
    return known, targets
