"""Logs with the columns of a feeds -> ads company, with bad rows."""

from __future__ import annotations

import gzip
import json
import random

import yaml

from models.days import to_date
from tests.pipeline.in_process import run_here

FIRST_DAY = 19145  # 2022-06-02
NUM_DAYS, ROWS_A_DAY = 3, 40

# For tests that need a published model and are not about the Gate: on a few dozen
# impressions any model may look worse than the click rate.
OPEN_GATE = {
    "min_examples": 1,
    "min_clicks": 1,
    "min_auc": 0.0,
    "min_calibration": 0.0,
    "max_calibration": 1e6,
    "max_normalized_entropy": None,
    "max_normalized_entropy_high": None,
    "max_auc_drop": 1.0,
}
ADS_HEADER = "label,user_id,adv_id,slot_id,pt_d,u_newsCatInterestsST,u_refreshTimes"

_FEATURE = """feature {{
  name: "{name}"
  type: {type}
  value_count {{ min: 0 max: {most} }}
}}
"""


def schema():
    """Returns the schema of the raw features."""
    names = {"item_id": "BYTES", "slot": "BYTES", "hour": "BYTES", "user_id": "BYTES"}
    features = [
        _FEATURE.format(name=name, type=kind, most=1)
        for name, kind in {
            **names,
            "day": "INT",
            "domain": "BYTES",
            "label": "INT",
            "refreshes": "INT",
        }.items()
    ]
    features.append(_FEATURE.format(name="interests", type="BYTES", most=3))
    return "".join(sorted(features, key=lambda text: text.split('"')[1]))


def settings(folder):
    """Returns the configuration that reads the logs in `folder`."""
    vocabularies = ("user", "item", "domain", "slot", "hour", "topic")
    features = {
        "user_id": "user",
        "item_id": "item",
        "domain": "domain",
        "slot": "slot",
        "hour": "hour",
    }
    return {
        "name": "feeds_ads",
        "root": str(folder / "runs"),
        "logs": str(folder / "logs"),
        "schema": str(folder / "schema.pbtxt"),
        "first_day": str(to_date(FIRST_DAY)),
        "target": "ads",
        "sources": ["feeds"],
        "columns": {
            "user_id": "user_id",
            "item_id": "adv_id",
            "slot": None,
            "hour": {"column": "pt_d", "hour_of": "%Y%m%d%H%M"},
            "interests": {"column": "u_newsCatInterestsST", "separator": "^"},
            "refreshes": "u_refreshTimes",
        },
        "domain_columns": {
            "ads": {"slot": "slot_id"},
            "feeds": {
                "user_id": "u_userId",
                "item_id": "i_docId",
                "hour": {"column": "e_et", "hour_of": "%Y%m%d%H%M"},
                "interests": {"column": "u_newsCatInterests", "separator": "^"},
                "refreshes": {"constant": "0"},
            },
        },
        "timestamp": {"ads": {"column": "pt_d"}, "feeds": {"column": "e_et"}},
        "label": "label == 1",
        "max_bad_share": 0.1,
        "vocabularies": {
            **{name: {"capacity": 200} for name in vocabularies},
            "topic": {"capacity": 8, "encoding": "hash"},
        },
        "features": [
            *(
                {"name": name, "kind": "id", "vocabulary": space, "tpm": True}
                for name, space in features.items()
            ),
            {
                "name": "interests",
                "kind": "ids",
                "vocabulary": "topic",
                "max_length": 3,
            },
            {"name": "refreshes", "kind": "count"},
        ],
        "serving": {"directory": str(folder / "serving")},
    }


def write_logs(folder):
    """Writes the logs of `NUM_DAYS` days: ads as CSV, feeds as JSON Lines."""
    rng = random.Random(0)
    for day in range(FIRST_DAY, FIRST_DAY + NUM_DAYS):
        stamp = f"{to_date(day):%Y%m%d}"
        ads = [
            f"{rng.randint(0, 1)},u{rng.randint(0, 9)},a{rng.randint(0, 5)},"
            f"{rng.choice(['', '16', '17'])},{stamp}{rng.randint(0, 23):02}30,"
            f"{'^'.join(str(rng.randint(1, 9)) for _ in range(rng.randint(0, 5)))},"
            f"{rng.choice(['', '3', '400'])}"
            for _ in range(ROWS_A_DAY)
        ]
        # One line a day that is cut off, and one of the day before.
        ads[3] = "1,u1,a1"
        ads[7] = f"0,u1,a1,16,{to_date(day - 1):%Y%m%d}0101,,1"
        feeds = [
            {
                "u_userId": f"u{rng.randint(0, 9)}",
                "i_docId": f"dÜ木{rng.randint(0, 20)}",
                "e_et": f"{stamp}{rng.randint(0, 23):02}05",
                "u_newsCatInterests": rng.choice(["4^5", "", "1^2^3^4^5"]),
                "label": rng.choice([-1, 1]),
            }
            for _ in range(ROWS_A_DAY)
        ]
        for domain, name, text in (
            ("ads", "part-0.csv.gz", "\n".join([ADS_HEADER, *ads]) + "\n"),
            ("feeds", "part-0.jsonl", "\n".join(map(json.dumps, feeds)) + "\n"),
        ):
            path = folder / "logs" / domain / f"date={to_date(day)}" / name
            path.parent.mkdir(parents=True)
            data = text.encode()
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
            (path.parent / "_SUCCESS").touch()


def prepare(folder, **changes):
    """Writes logs, schema and configuration into `folder`."""
    (folder / "schema.pbtxt").write_text(schema())
    config = {**settings(folder), **changes}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    write_logs(folder)


def ingest(folder):
    """Ingests all days and returns what was shown."""
    last = to_date(FIRST_DAY + NUM_DAYS - 1)
    ran = run_here("ingest", str(folder / "config.yaml"), "--to", str(last))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
