"""A changed log is taken as it was ingested, on a person's word."""

import json
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from components.log_example_gen.content_hashes import ContentHashes
from components.log_example_gen.log_files import log_days
from models.days import DayRange
from models.days import to_date
from pipeline.cli.group import main
from pipeline.config.load import load_config
from pipeline.planning.accepted import AcceptedLogs
from pipeline.planning.fingerprint import LogFingerprints
from pipeline.planning.late import ingested
from pipeline.planning.late import late_logs
from pipeline.store.reader import Store
from tests.faults import cut_at
from tests.pipeline.release.refused import World

FIRST, LAST = 17896, 17897


@pytest.fixture
def world(tmp_path):
    """Two days of two domains that were ingested, of which one day changed since."""
    world = World(tmp_path)
    settings = yaml.safe_load(world.path.read_text())
    settings |= {"logs": str(tmp_path / "logs"), "sources": ["fr"], "target": "de"}
    settings["missing_days"] = {}
    world.path.write_text(yaml.safe_dump(settings))
    world.config = load_config(world.path)
    for domain in ("fr", "de"):
        for day in (FIRST, LAST):
            folder = world.config.logs / domain / f"date={to_date(day)}"
            folder.mkdir(parents=True)
            (folder / "part.csv").write_text(f"{domain} {day}")
    found = {
        domain: {
            str(to_date(day)): hashed
            for day, hashed in log_days(
                world.config.logs / domain, 0, 10**5, ContentHashes()
            ).items()
        }
        for domain in ("fr", "de")
    }
    block = tmp_path / "block"
    block.mkdir()
    (block / "log_days.json").write_text(json.dumps(found))
    world.add("Examples", block, role="raw", first_day=FIRST, last_day=LAST)
    change(world, "de", "changed")
    return world


def change(world, domain, content):
    path = world.config.logs / domain / f"date={to_date(LAST)}" / "part.csv"
    path.write_text(content)


def late(world):
    logs = LogFingerprints(world.config)
    days = DayRange(FIRST, LAST)
    store = Store(world.config.root)
    return [str(log) for log in late_logs(ingested(store), logs.by_domain(days), days)]


def accept(world, *options):
    arguments = ["accept", str(world.path), "--from", str(to_date(FIRST)), *options]
    return CliRunner().invoke(main, arguments)


WHY = ("--to", str(to_date(LAST)), "--reason", "packed anew", "--by", "Ada")


def test_what_was_accepted_is_no_longer_late_until_it_changes_again(world):
    assert late(world) == ["de 2019-01-01 changed"]
    result = accept(world, *WHY)
    assert result.exit_code == 0, result.output
    assert result.output == "Accepted as ingested: de 2019-01-01 changed\n"
    assert late(world) == []
    (entry,) = AcceptedLogs(world.config.root).entries
    assert (entry.by, entry.reason, entry.date) == ("Ada", "packed anew", "2019-01-01")
    change(world, "de", "changed again")
    assert late(world) == ["de 2019-01-01 changed"]
    accept(world, *WHY)
    assert late(world) == []


def test_only_the_domains_asked_for_are_accepted(world):
    change(world, "fr", "changed, too")
    accept(world, *WHY, "--domain", "fr")
    assert late(world) == ["de 2019-01-01 changed"]


def test_logs_that_went_away_can_be_accepted(world):
    path = world.config.logs / "de" / f"date={to_date(LAST)}" / "part.csv"
    path.unlink()
    assert late(world) == ["de 2019-01-01 gone"]
    accept(world, *WHY)
    assert late(world) == []


def test_a_cut_leaves_what_was_accepted_before(world):
    accept(world, *WHY)
    kept = AcceptedLogs(world.config.root).entries
    for number in range(4):
        accepted = AcceptedLogs(world.config.root)
        cut_at(number, lambda accepted=accepted: accepted.add(kept))
        assert AcceptedLogs(world.config.root).entries == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((*WHY, "--domain", "us"), "--domain us: expected one of fr, de"),
        (("--reason", " "), "--reason is empty"),
        (("--to", "2018-12-01", "--reason", "x"), "is after --to 2018-12-01"),
        (("--reason", "x"), "no log of fr, de of .* differs from what was ingested"),
    ],
)
def test_what_cannot_be_accepted_is_said(world, options, message):
    result = accept(world, *options)
    assert result.exit_code == 2
    assert re.search(message, " ".join(result.output.split()))
    assert not Path(world.config.root, "accepted_logs.json").exists()


def test_a_list_that_cannot_be_parsed_is_named(world):
    (world.config.root / "accepted_logs.json").write_text("{")
    result = accept(world, *WHY)
    assert result.exit_code == 2
    assert "accepted_logs.json' is not a list of accepted logs" in result.output
