"""World of a shop and its ads whose features are of all kinds, with odd values."""

from __future__ import annotations

import csv
import datetime
import io
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from pipeline.config.load import load_config
from tests.pipeline.feeds_ads import OPEN_GATE
from tests.pipeline.in_process import run_here

ROOT = Path(__file__).parents[2]
FIRST_DAY = datetime.date(2024, 1, 1)
DAY, NEXT_DAY = "2024-01-04", "2024-01-05"
NUM_DAYS = 5
ROWS_A_DAY = 100
LENGTH = 4

COLUMNS = ("user_id", "item_id", "category", "history")
COLUMNS += ("views", "rate", "change", "title")

# Rows of a day with an odd value, by domain: number of the row, column, what it has.
ODD = {
    "shop": {
        0: ("change", float("nan")),
        1: ("change", None),
        2: ("change", float("inf")),
        3: ("title", [1.0, 2.0]),
        4: ("title", None),
        5: ("title", [1.0, float("nan"), 0.0, 1.0]),
        6: ("views", None),
        7: ("rate", None),
        8: ("history", None),
        9: ("category", None),
    },
    "ads": {
        0: ("change", "nan"),
        1: ("change", ""),
        2: ("change", "n/a"),
        3: ("title", "1^2"),
        4: ("title", ""),
        5: ("change", "-inf"),
        6: ("views", ""),
        7: ("rate", ""),
    },
}
# Why some of these are in the quarantine.
QUARANTINED = {
    "shop": {2: "change is infinite", 3: "title is not a vector of 4 numbers"},
    "ads": {
        2: "change is not a number",
        3: "title is not a vector of 4 numbers",
        5: "change is not a number",
    },
}


def settings(folder):
    """Returns the configuration of the world in `folder`."""
    spaces = ("user", "item", "domain", "category", "shelf")
    return {
        "name": "all_kinds",
        "root": str(folder / "runs"),
        "logs": str(folder / "logs"),
        "schema": str(folder / "schema.pbtxt"),
        "first_day": str(FIRST_DAY),
        "target": "ads",
        "sources": ["shop"],
        "columns": {name: name for name in COLUMNS},
        "domain_columns": {
            "shop": {"shelf": "shelf", "margin": "margin"},
            "ads": {
                "title": {"column": "title", "separator": "^"},
                "history": {"column": "history", "separator": "^"},
            },
        },
        "label": "click == 1",
        "max_bad_share": 0.1,
        "vocabularies": {name: {"capacity": 300} for name in spaces},
        "features": [
            {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
            {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
            {"name": "domain", "kind": "id", "vocabulary": "domain", "side": "context"},
            {"name": "category", "kind": "id", "vocabulary": "category"},
            {
                "name": "history",
                "kind": "ids",
                "vocabulary": "item",
                "max_length": 3,
                "counts": True,
                "side": "user",
            },
            {"name": "views", "kind": "count"},
            {"name": "rate", "kind": "rate", "side": "user"},
            {"name": "change", "kind": "number", "buckets": 4},
            {"name": "title", "kind": "vector", "length": LENGTH, "width": 3},
            {
                "name": "user_category",
                "kind": "cross",
                "of": ["user_id", "category"],
                "buckets": 512,
            },
            # The shop's alone.
            {
                "name": "shelf",
                "kind": "id",
                "vocabulary": "shelf",
                "domains": ["shop"],
            },
            {"name": "margin", "kind": "number", "buckets": 4, "domains": ["shop"]},
        ],
        "anchor_day": DAY,
        "levels": {
            "tpm": {"every_days": 2, "window_days": 2, "snapshots": 1},
            "cpm": {"every_days": 2, "window_days": 2},
            "target": {"window_days": 3},
        },
        "evaluation_days": 1,
        "network": {"width": 4, "hidden_units": [8]},
        "training": {"batch_size": 64, "min_steps_per_pass": 0, "seed": 17},
        "strategy": "target_only",
        "strategies": {"target_only": {}},
        "references": {"rows": 0},
        "gate": OPEN_GATE,
        "serving": {"directory": str(folder / "serving")},
    }


def rows_of(domain, day, number=ROWS_A_DAY):
    """Returns the rows of a domain's log of a day, the odd ones first."""
    rng = random.Random(f"{domain} {day}")
    rows = []
    for i in range(number):
        item = rng.randrange(20)
        rows.append(
            {
                "click": int(rng.random() < 0.2 + 0.03 * item),
                "user_id": f"u{rng.randrange(30)}",
                "item_id": f"{domain}{item}",
                "category": f"c{item % 5}",
                "history": [f"seen{rng.randrange(9)}" for _ in range(rng.randrange(4))],
                "views": rng.randrange(50),
                "rate": rng.random(),
                "change": rng.gauss(-10, 5),
                "title": [rng.gauss(j, 1) for j in range(LENGTH)],
            }
        )
        if domain == "shop":
            rows[i] |= {"shelf": f"s{item % 3}", "margin": float(item)}
        if i in ODD[domain]:
            column, value = ODD[domain][i]
            rows[i][column] = value
    return rows


def write_log(folder, domain, day, number=ROWS_A_DAY):
    """Writes a domain's log of a day: the shop's as Parquet, the ads' as CSV."""
    rows = rows_of(domain, day, number)
    path = folder / "logs" / domain / f"date={day}"
    path.mkdir(parents=True, exist_ok=True)
    if domain == "shop":
        pq.write_table(pa.Table.from_pylist(rows), path / "part-0.parquet")
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        for row in rows:
            cells = {
                name: "^".join(map(str, value)) if isinstance(value, list) else value
                for name, value in row.items()
            }
            writer.writerow(cells)
        (path / "part-0.csv").write_text(text.getvalue())
    (path / "_SUCCESS").touch()


def prepare(folder, **changes):
    """Writes the logs of all days, configuration and schema into `folder`."""
    for offset in range(NUM_DAYS):
        for domain in ("shop", "ads"):
            write_log(folder, domain, FIRST_DAY + datetime.timedelta(offset))
    configure(folder, **changes)
    write_schema(folder)


def write_schema(folder):
    """Writes the schema with the limits that the kinds set in an inferred one."""
    types = {"string": schema_pb2.BYTES, "int64": schema_pb2.INT}
    schema = schema_pb2.Schema()
    for name in ("day", "label"):
        schema.feature.add(name=name, type=schema_pb2.INT)
    for feature in load_config(folder / "config.yaml").table.logged:
        kind = feature.feature_kind
        declared = schema.feature.add(
            name=feature.name, type=types.get(kind.tensor_type, schema_pb2.FLOAT)
        )
        kind.limit(declared, feature)
    (folder / "schema.pbtxt").write_text(text_format.MessageToString(schema))


def configure(folder, **changes):
    """Writes the configuration with changed keys."""
    text = yaml.safe_dump({**settings(folder), **changes}, sort_keys=False)
    (folder / "config.yaml").write_text(text)


def run(folder, command, *options):
    """Runs a command on the configuration."""
    return run_here(command, str(folder / "config.yaml"), *options)
