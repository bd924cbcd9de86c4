"""Finished run of two ingested blocks, a CPM and an evaluated model, without TFX.

Nothing is trained: ML Metadata and the files that components leave are what a page is
made from, so they are put there literally.
"""

import dataclasses
import json
from pathlib import Path

import ml_metadata
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from ml_metadata.proto import metadata_store_pb2

from models.days import DayRange
from pipeline.config.load import load_config
from pipeline.execution.run_records import RunRecorder
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Step
from pipeline.store.reader import METADATA_FILE

ROOT = Path(__file__).parents[3]
DAY = 17897  # 2019-01-01
HISTORY = Block(DayRange(17893, 17896), "history0", None)
TODAY = Block(DayRange(17897, 17897), "today000", "history0")


def _reason(rule, outcome, text):
    return {"rule": rule, "outcome": outcome, "text": text}


DECISION = {
    "strategy": "ecdctr",
    "approved": True,
    "state": "compared",
    "reasons": [
        _reason("min_examples", "held", "3,722 evaluation rows, needed are 1,000"),
        _reason(
            "max_auc_drop",
            "held",
            "AUC +0.0123 against the live model, allowed is -0.0100",
        ),
        _reason(
            "min_slice_examples",
            "noted",
            "2 of 4 slices have fewer than 500 rows and were not judged",
        ),
    ],
    "candidate": {
        "auc": 0.6543,
        "gauc": 0.6321,
        "gauc_coverage": 0.25,
        "log_loss": 0.4433,
        "normalized_entropy": 0.9731,
        "calibration": 0.987,
        "click_count": 3221.0,
        "example_count": 3722.0,
    },
    "live": {
        "auc": 0.642,
        "gauc": None,
        "gauc_coverage": 0.25,
        "log_loss": 0.4501,
        "normalized_entropy": 0.9881,
        "calibration": 1.01,
        "click_count": 3221.0,
        "example_count": 3722.0,
    },
    "constant": {
        "click_rate": 0.8669,
        "auc": 0.5,
        "gauc": 0.5,
        "gauc_coverage": 0.25,
        "log_loss": 0.4555,
        "normalized_entropy": 1.0001,
        "calibration": 1.002,
        "click_count": 3221.0,
        "example_count": 3722.0,
    },
}
WITH_SLICES = {
    **DECISION,
    "intervals": {"auc": {"value": 0.6543, "low": 0.6111, "high": 0.6999}},
    "changes": {"auc": {"value": 0.0123, "low": 0.0011, "high": 0.0234}},
    "slices": [
        {
            "slice": "user_history",
            "value": "1-5",
            "candidate": {"auc": 0.6001, "gauc": None, "example_count": 1553.0},
            "live": {"auc": 0.59, "gauc": None, "example_count": 1553.0},
            "intervals": {"auc": {"value": 0.6001, "low": 0.55, "high": 0.65}},
            "changes": {"auc": {"value": 0.0101, "low": -0.1, "high": 0.2}},
            "few_rows": False,
        },
        {
            "slice": "user_history",
            "value": "21+",
            "candidate": {"auc": None, "gauc": None, "example_count": 67.0},
            "live": None,
            "intervals": {},
            "changes": {},
            "few_rows": True,
        },
    ],
}
TRAINER_REPORT = {
    "level": "target",
    "rows": 15813,
    "clicks": 13709,
    "steps": 31,
    "seconds": 18.8,
    "losses": [0.354, 0.312],
    "parameters": {"embedding": 289312, "dense": 27441},
    "warm_start": {
        "copied": {"cross_0/kernel": 96},
        "resized": {"embedding/user/table": 24018},
        "new": {},
        "left_out": {"hidden_0_norm/gamma": 64, "hidden_0_norm/beta": 64},
    },
}
GUARD_REPORT = {
    "days": "2019-01-01..2019-01-01",
    "previous_days": "2018-12-28..2018-12-31",
    "target": "de",
    "domains": {
        "ca": {
            "rows": 5000,
            "previous_rows": 9000,
            "drift": {
                "item_id": {"measure": "l_infinity", "value": 0.91, "threshold": 0.8}
            },
            "domain_distance": {
                "item_id": {"measure": "l_infinity", "value": 0.12, "threshold": None}
            },
        },
        "de": {
            "rows": 4000,
            "previous_rows": 8000,
            "drift": {
                "item_id": {"measure": "l_infinity", "value": 0.05, "threshold": 0.8}
            },
            "domain_distance": {},
        },
    },
}


def accounts(day, **rows):
    """Entries of `accounting.json`: by domain (read, quarantined)."""
    return [
        {
            "domain": domain,
            "shard": 0,
            "day": day,
            "read": read,
            "written": read - bad,
            "quarantined": bad,
            "cut": 1,
        }
        for domain, (read, bad) in rows.items()
    ]


def encoding(first, days, oov):
    """`encoding.json` of one feature in two domains, 100 ids a day each."""
    counts = {
        "rows": [100] * days,
        "missing": [0] * days,
        "ids": [100] * days,
        "oov": [oov] * days,
        "new": [5] * days,
    }
    dates = [
        f"2018-12-{28 + i}" if first == 17893 else "2019-01-01" for i in range(days)
    ]
    quiet = {**counts, "oov": [0] * days}
    domains = {"ca": {"user_id": quiet}, "de": {"user_id": counts}}
    return {"days": dates, "domains": domains}


def vocabulary(before, ids, date):
    """`vocabulary.json` of one space."""
    return {
        "user": {
            "encoding": "vocabulary",
            "ids": ids,
            "ids_before": before,
            "new": ids - before,
            "grown": [[date, ids]],
            "refused": 3,
            "pending": 17,
            "capacity": 24000,
        }
    }


class StoredRun:
    """Writes the run under `folder`."""

    def __init__(self, folder, decision=DECISION):
        self.root = folder / "runs"
        self.root.mkdir()
        self._artifacts = 0
        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = str(self.root / METADATA_FILE)
        self._store = ml_metadata.MetadataStore(connection)
        settings = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
        settings |= {
            "root": str(self.root),
            "logs": str(folder / "logs"),
            "schema": str(ROOT / "schema" / "xmarket.pbtxt"),
            "serving": {"directory": str(self.root / "serving")},
        }
        self.path = folder / "config.yaml"
        self.path.write_text(yaml.safe_dump(settings))
        self.config = load_config(self.path)
        first = Step(
            StepKind.INGEST, "ingest 1", 17897, 17893, HISTORY.days, "history0", True
        )
        then = Step(
            StepKind.INGEST, "ingest 2", 17898, 17897, TODAY.days, "today000", True
        )
        self.ingest = [first, dataclasses.replace(then, blocks=(HISTORY,))]
        self.target = Step(
            kind=StepKind.TARGET,
            label="ecdctr for de on 2019-01-01",
            day=DAY,
            run_day=DAY,
            days=HISTORY.days,
            fingerprint="target00",
            done=False,
            blocks=(HISTORY,),
            warm_start="cpm00000",
            strategy="ecdctr",
            training="model000",
            evaluation=TODAY.days,
            evaluation_blocks=(TODAY,),
            live="live0000",
            note="restarts from CPM",
        )
        self.decision = decision

    def write(self, *, seconds=61.0):
        """Writes all artifacts, the scores and the run's record."""
        self.write_block(HISTORY, accounts(17896, ca=(9000, 0), de=(8000, 0)), None)
        self.write_block(
            TODAY, accounts(DAY, ca=(5100, 100), de=(4000, 0)), GUARD_REPORT
        )
        days = {"first_day": 17893, "last_day": 17896}
        model = self.put("Model", "model000", level="target", num_rows=15813, **days)
        self.json(model / "Format-Train" / "report.json", TRAINER_REPORT)
        gate = self.put("GateDecision", "target00", strategy="ecdctr", **days)
        self.json(gate / "decision.json", self.decision)
        version = str(self.root / "serving" / "xmarket" / "2019010100")
        self.put("PublishedModel", "target00", day=DAY, pushed=1, path=version, **days)
        scores = self.root / "scores" / "target00.parquet"
        scores.parent.mkdir()
        columns = {
            "user": pa.array([b"u"] * 20, pa.binary()),
            "label": pa.array([0, 1] * 10, pa.int64()),
            "score": pa.array([i / 20 for i in range(20)], pa.float32()),
        }
        pq.write_table(pa.table(columns), scores)
        self.record(seconds=seconds)
        return self

    def record(self, *, seconds=61.0, error=""):
        """Writes the run's record."""
        folder = self.root / "runs" / "20260101T000000-1"
        folder.mkdir(parents=True, exist_ok=True)
        recorder = RunRecorder(folder, [*self.ingest, self.target], DAY)
        nodes = [("TargetTrainer", 42.0), ("Gate", 0.1)]
        if error:
            recorder.failed(self.target, error, seconds=seconds, nodes=nodes)
        else:
            recorder.finished(self.target, seconds=seconds, rows=15813, nodes=nodes)
        return recorder.record

    def write_block(self, block, counts, guard):
        """Writes what the ingest of a block leaves."""
        days = {"first_day": block.days.first, "last_day": block.days.last}
        name = block.fingerprint
        raw = self.put("Examples", name, role="raw", num_rows=1, **days)
        self.json(raw / "accounting.json", counts)
        report = self.put("GuardReport", "", **days)
        if guard is not None:
            self.json(report / "report.json", guard)
        known = self.put("Vocabulary", name, **days)
        done = self.put("Examples", name, role="transformed", num_rows=12100, **days)
        if block is HISTORY:
            self.json(known / "vocabulary.json", vocabulary(0, 10000, "2018-12-31"))
            self.json(done / "encoding.json", encoding(17893, 4, 8))
        else:
            self.json(known / "vocabulary.json", vocabulary(10000, 12000, "2019-01-01"))
            self.json(done / "encoding.json", encoding(17897, 1, 6))

    def put(self, kind, fingerprint, **properties):
        """Adds a live artifact to ML Metadata and returns its folder."""
        type_id = self._store.put_artifact_type(
            metadata_store_pb2.ArtifactType(name=kind)
        )
        self._artifacts += 1
        folder = self.root / "artifacts" / kind / "model" / str(self._artifacts)
        artifact = metadata_store_pb2.Artifact(
            type_id=type_id, uri=str(folder), state=metadata_store_pb2.Artifact.LIVE
        )
        if fingerprint:
            properties["fingerprint"] = fingerprint
        for name, value in properties.items():
            field = artifact.custom_properties[name]
            if isinstance(value, int):
                field.int_value = value
            else:
                field.string_value = value
        self._store.put_artifacts([artifact])
        return folder

    def json(self, path, content):
        """Writes a JSON file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
