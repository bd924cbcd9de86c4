"""Schemas: inferred from logs, compared with blocks, and relaxed."""

from __future__ import annotations

import contextlib
import json
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from models.days import to_date
from pipeline.cli.group import main
from pipeline.schemas.files import read_schema
from pipeline.store.reader import Store

pytestmark = pytest.mark.slow

FIRST_DAY = 19145  # 2022-06-02
ROWS_A_DAY = 300


def _settings(folder):
    return {
        "name": "feeds_ads",
        "root": str(folder / "runs"),
        "logs": str(folder / "logs"),
        "schema": str(folder / "schema.pbtxt"),
        "first_day": str(to_date(FIRST_DAY)),
        "target": "ads",
        "sources": ["feeds"],
        "columns": {
            "user_id": "user",
            "item_id": "item",
            "slot": None,
            "topics": "topics",
            "refreshes": "refreshes",
            "ctr": "ctr",
        },
        "domain_columns": {"ads": {"slot": "slot"}},
        "label": "label == 1",
        "validation": {"min_rows": 200},
        "vocabularies": {
            name: {"capacity": 900}
            for name in ("user", "item", "domain", "slot", "topic")
        },
        "features": [
            {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
            {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
            {"name": "domain", "kind": "id", "vocabulary": "domain"},
            {"name": "slot", "kind": "id", "vocabulary": "slot"},
            {"name": "topics", "kind": "ids", "vocabulary": "topic", "max_length": 3},
            {"name": "refreshes", "kind": "count"},
            {"name": "ctr", "kind": "rate"},
        ],
        "serving": {"directory": str(folder / "serving")},
    }


def _write_day(folder, day, *, slots=("top", "side"), refreshes=(0, 9)):
    """Writes a day of both domains; `slots` and `refreshes` are those of ads."""
    rng = random.Random(day)
    for domain in ("ads", "feeds"):
        lowest, highest = refreshes if domain == "ads" else (0, 9)
        columns = {
            "user": [f"u{rng.randint(0, 199)}" for _ in range(ROWS_A_DAY)],
            "item": [f"i{rng.randint(0, 199)}" for _ in range(ROWS_A_DAY)],
            "topics": [["4", "5"]] * ROWS_A_DAY,
            "refreshes": [rng.randint(lowest, highest) for _ in range(ROWS_A_DAY)],
            "ctr": [rng.random() for _ in range(ROWS_A_DAY)],
            "label": [rng.randint(0, 1) for _ in range(ROWS_A_DAY)],
        }
        if domain == "ads":
            chosen = [rng.choice(slots) for _ in range(ROWS_A_DAY)]
            columns["slot"] = pa.array(chosen, pa.string())
        path = folder / "logs" / domain / f"date={to_date(day)}" / "part.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)


class World:
    """Logs of two domains and a configuration; commands run in this process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.schema = folder / "schema.pbtxt"
        self.config = folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(_settings(folder)))

    def run(self, *command: str) -> tuple[int, str]:
        """Runs a command and returns its exit code and what a person saw.

        The commands redirect file descriptors, so these are what is captured.
        """
        *words, options = command
        arguments = [*words, str(self.config), *options.split()]
        with (self.folder / "shown.txt").open("w+b") as shown, _descriptors_to(shown):
            result = CliRunner().invoke(main, arguments)
            shown.seek(0)
            return result.exit_code, shown.read().decode() + result.output

    def ingest(self, day: int) -> tuple[int, str]:
        """Ingests up to the `day`-th day of logs."""
        return self.run("ingest", f"--to {to_date(FIRST_DAY + day)}")

    def reports(self) -> dict[str, dict]:
        """Returns the Guard's reports by the first day of their block."""
        found = [
            json.loads((Path(stored.uri) / "report.json").read_text())
            for stored in Store(self.folder / "runs").artifacts("GuardReport")
        ]
        return {report["days"][:10]: report for report in found}


@contextlib.contextmanager
def _descriptors_to(file):
    saved = os.dup(1)
    os.dup2(file.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _day(offset, days=1):
    return f"--day {to_date(FIRST_DAY + offset)} --days {days}"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two healthy days and a third; a schema inferred from the first two."""
    made = World(tmp_path_factory.mktemp("schema"))
    for offset in range(3):
        _write_day(made.folder, FIRST_DAY + offset)
    code, shown = made.run("schema", "infer", _day(1, days=2))
    assert code == 0, shown
    made.inferred = shown
    return made


@pytest.fixture
def features(world):
    return {feature.name: feature for feature in read_schema(world.schema).feature}


def test_infer_says_what_it_does(world):
    # A spinner shows the import on a terminal alone.
    assert "mporting TensorFlow" not in world.inferred
    assert "ads: 600 rows" in world.inferred
    assert f"9 features in {world.schema}" in world.inferred


def test_infer_leaves_features_with_a_vocabulary_open(features):
    kinds = {
        name: feature.WhichOneof("domain_info") for name, feature in features.items()
    }
    listed = {
        name for name, kind in kinds.items() if kind in ("domain", "string_domain")
    }
    assert listed == {"domain"}


def test_infer_writes_an_environment_per_domain(world, features):
    schema = read_schema(world.schema)
    assert list(schema.default_environment) == ["feeds", "ads", "SERVING"]
    assert list(features["slot"].not_in_environment) == ["feeds"]
    assert features["slot"].presence.min_fraction == 1.0
    assert list(features["label"].not_in_environment) == ["SERVING"]


def test_infer_takes_ranges_and_lists_from_the_configuration(features):
    assert (features["ctr"].float_domain.min, features["ctr"].float_domain.max) == (
        0,
        1,
    )
    assert features["topics"].value_count.max == 3
    assert features["refreshes"].int_domain.min == 0
    assert list(features["domain"].string_domain.value) == ["feeds", "ads"]
    assert not features["user_id"].HasField("domain")


def test_infer_does_not_overwrite_what_somebody_curated(world):
    before = world.schema.read_bytes()
    code, shown = world.run("schema", "infer", _day(1))
    assert code == 2
    assert "--force" in shown
    assert world.schema.read_bytes() == before


def test_diff_is_silent_about_logs_that_fit(world):
    code, shown = world.run("schema", "diff", _day(2))
    assert (code, "The logs fit the schema." in shown) == (0, True), shown


def test_a_planted_drift_stops_its_block_until_it_is_accepted(world):
    code, shown = world.ingest(1)
    assert code == 0, shown
    code, shown = world.ingest(2)
    assert code == 0, shown
    assert "largest drift from the block before: " in shown
    report = world.reports()[str(to_date(FIRST_DAY + 2))]
    assert report["previous_days"].endswith(str(to_date(FIRST_DAY + 1)))
    ads, feeds = report["domains"]["ads"], report["domains"]["feeds"]
    assert (ads["rows"], ads["previous_rows"]) == (300, 600)
    assert "slot" in ads["drift"]
    assert "slot" not in feeds["drift"]  # declared as lacking
    assert not ads["domain_distance"]
    assert feeds["domain_distance"]["refreshes"]["threshold"] is None
    assert all(distance["value"] < 0.3 for distance in ads["drift"].values())

    _write_day(world.folder, FIRST_DAY + 3, refreshes=(1000, 9000))
    blocks = len(Store(world.folder / "runs").artifacts("Vocabulary"))
    code, shown = world.ingest(3)
    assert code == 2
    flat = " ".join(shown.split())
    assert "ads: refreshes: High approximate Jensen-Shannon divergence" in flat
    assert "feeds: refreshes" not in flat
    assert "accept CONFIG --feature refreshes --max-drift" in flat
    assert len(Store(world.folder / "runs").artifacts("Vocabulary")) == blocks

    code, shown = world.run("schema", "accept", "--feature refreshes --max-drift 1")
    assert code == 0, shown
    assert "+  drift_comparator {" in shown
    code, shown = world.ingest(3)
    assert code == 0, shown
    assert "1/1 ingest" in shown  # blocks that passed are not validated again


def _list_slots(schema):
    """Closes the list of slots by hand."""
    text = schema.read_text().replace(
        'name: "slot"', 'name: "slot"\n  domain: "slot"', 1
    )
    values = 'string_domain {\n  name: "slot"\n  value: "side"\n  value: "top"\n}\n'
    schema.write_text(text + values)


def test_new_values_are_named_and_can_be_accepted(world):
    _list_slots(world.schema)
    _write_day(world.folder, FIRST_DAY + 10, slots=("top", "foot"))
    code, shown = world.run("schema", "diff", _day(10))
    assert code == 1
    assert "ads: slot: Unexpected string values." in shown
    assert "foot" in shown
    before = world.schema.read_text()
    code, shown = world.run("schema", "accept", f"-f slot --dry-run {_day(10)}")
    assert '+  value: "foot"' in shown
    assert world.schema.read_text() == before
    code, shown = world.run("schema", "accept", f"-f slot {_day(10)}")
    assert code == 0, shown
    assert world.schema.with_name("schema.pbtxt.bak").read_text() == before
    assert world.schema.read_text().startswith("# Inferred by")
    code, shown = world.run("schema", "diff", _day(10))
    assert code == 0, shown


def test_a_feature_a_domain_should_have_is_missed_until_the_lack_is_declared(world):
    _write_day(world.folder, FIRST_DAY + 11, slots=(None,))
    code, shown = world.run("schema", "diff", _day(11))
    assert code == 1
    assert "ads: slot: Column dropped." in shown
    assert "feeds: slot" not in shown
    code, shown = world.run("schema", "accept", f"-f slot {_day(11)}")
    assert "slot: declared as lacking in ads" in shown
    code, shown = world.run("schema", "diff", _day(11))
    assert code == 0, shown


def test_accepting_an_unknown_feature_names_the_closest(world):
    code, shown = world.run("schema", "accept", f"-f slots {_day(1)}")
    assert code == 2
    assert "did you mean 'slot'?" in shown


def test_days_without_logs_are_refused(world):
    code, shown = world.run("schema", "diff", _day(400))
    assert code == 2
    assert "no domain has a row of" in shown
