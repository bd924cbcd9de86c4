"""`--json`: one document on standard output, with the keys that the page names."""

import datetime
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.artifact_files import LINEAGE_FILE
from models.artifact_files import SAVED_MODEL_FILE
from pipeline import api
from pipeline.cli import vocabularies
from pipeline.cli.group import main
from pipeline.cli.output import plain_json
from pipeline.cli.vocabularies import DayOfIds
from tests.misuse.world import build
from tests.pipeline.comparing.examples import comparison
from tests.pipeline.world_without_graphs import World

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "commands.md"
ALWAYS = {"error", "exit_code"}


def documented(command):
    """Returns by key of a command's document the keys of its entries, from the page."""
    section = PAGE.read_text().partition(f"### `{command} --json`\n")[2]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section.partition("\n#")[0], re.M)
    return {
        key: set(re.findall(r"`(\w+)`", text.partition("each: ")[2]))
        for key, text in rows
    }


def assert_documented(command, document):
    expected = documented(command)
    assert document.keys() - ALWAYS == expected.keys()
    for key, inner in expected.items():
        if inner:
            assert document[key], key
            assert set(document[key][0]) == inner


def called(*words):
    """Returns the exit code and the document; the text before it is not JSON."""
    result = CliRunner().invoke(main, [*words, "--json"])
    document = json.loads(result.stdout)
    assert document["exit_code"] == result.exit_code
    return result, document


@pytest.fixture
def world(tmp_path):
    build(tmp_path / "world", {})
    return tmp_path / "world"


def test_a_plan_is_one_document_of_a_real_process(world):
    words = ["plan", str(world / "config.yaml"), "--day", "2024-03-01", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *words], capture_output=True, text=True
    )
    document = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert_documented("plan", document)
    assert (document["exit_code"], document["error"]) == (0, None)
    first = document["steps"][0]
    assert (first["kind"], first["done"]) == ("ingest", False)
    assert (first["first_day"], first["last_day"]) == ("2024-02-28", "2024-02-29")
    assert first["why"] == "not made yet"
    assert document["steps"][-1]["evaluation"] == ["2024-03-01", "2024-03-01"]


def test_validate_gives_the_problems_of_each_log(world):
    log = world / "logs" / "ads" / "date=2024-02-29" / "part-0.csv"
    log.write_text(log.read_text().replace("click,", "clicks,"))
    result, document = called(
        "validate", str(world / "config.yaml"), "--day", "2024-02-29"
    )
    assert_documented("validate", document)
    assert result.exit_code == 2
    ads = next(one for one in document["logs"] if one["domain"] == "ads")
    assert any("click" in problem for problem in ads["stops"])
    assert document["error"]["headline"] == "Bad data"
    # People read the same on standard error.
    assert f"ads: {ads['stops'][0]}" in result.stderr


def test_versions_say_which_has_no_model(world):
    for version in (2024030100, 2024030200):
        folder = world / "serving" / "tiny" / str(version)
        (folder / LINEAGE_FILE).parent.mkdir(parents=True)
    (world / "serving" / "tiny" / "2024030100" / SAVED_MODEL_FILE).touch()
    _, document = called("versions", str(world / "config.yaml"))
    assert_documented("versions", document)
    found = {one["version"]: one["has_model"] for one in document["versions"]}
    assert found == {2024030200: False, 2024030100: True}


def test_vocabularies_give_the_ids_of_each_day(world, monkeypatch):
    class Store:
        def __init__(self, *_):
            self.last_day = 19_783
            self.properties = {"num_rows": 1}

        def artifacts(self, _):
            return [self]

    one = DayOfIds("2024-03-01", "user_id", 9, 0.5, math.nan, None, None, {"feeds": 1})
    monkeypatch.setattr(vocabularies, "Store", Store)
    monkeypatch.setattr(vocabularies, "ingested_ids", lambda *_: [one])
    _, document = called("vocabularies", str(world / "config.yaml"))
    assert_documented("vocabularies", document)
    (ids,) = document["ids"]
    assert (ids["oov_rate"], ids["new_rate"], ids["known"]) == (0.5, None, {"feeds": 1})


def test_a_comparison_is_its_record(world, monkeypatch):
    monkeypatch.setattr(api, "compare", lambda *_, **__: comparison())
    result, document = called(
        "compare", str(world / "config.yaml"), "--day", "2024-03-01"
    )
    assert_documented("compare", document)
    assert document["day"] == "2024-02-23"
    assert "NaN" not in result.stdout


def test_a_run_gives_results_and_what_failed(monkeypatch, tmp_path):
    done = World(monkeypatch, tmp_path)
    done.fails = lambda step: step.kind == "source"
    result, document = called("run", "a.yaml", "--day", "1970-02-08", "--compare")
    assert_documented("run", document)
    assert result.exit_code == 3
    assert [one["strategy"] for one in document["results"]] == [
        *("ecdctr", "target_only", "finetune"),
    ]
    assert document["results"][0]["metrics"]["auc"] == 0.7
    assert "source:ctnet broke" in document["failed"]["ctnet"]
    assert document["error"]["headline"] == "Strategies failed"


def test_a_doctors_findings_are_counted(world, monkeypatch):
    from pipeline.cli import doctor
    from pipeline.doctor.finding import ok
    from pipeline.doctor.finding import problem

    found = [ok("paths", "there"), problem("disk", "full", "make room")]
    monkeypatch.setattr(doctor, "examine", lambda *_, **__: found)
    _, document = called("doctor", str(world / "config.yaml"))
    assert_documented("doctor", document)
    assert (document["ok"], document["problem"], document["exit_code"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("words", "headline", "message"),
    [
        (["plan", "none.yaml", "--day", "2024-03-01"], "Bad configuration", "no file"),
        (["plan", "none.yaml", "--day", "soon"], "Bad arguments", "received 'soon'"),
        (["plan"], "Bad arguments", "Missing argument 'CONFIG'"),
        (["serve", "none.yaml"], "Bad arguments", "No such option '--json'"),
    ],
    ids=["configuration", "day", "nothing", "a command without"],
)
def test_an_error_is_a_document_too(words, headline, message):
    result, document = called(*words)
    assert result.exit_code == 2
    assert document["error"]["headline"] == headline
    assert message in document["error"]["message"]
    assert document.keys() == ALWAYS


def test_help_is_text_all_the_same():
    result = CliRunner().invoke(main, ["plan", "--help", "--json"])
    assert result.stdout.startswith("Usage: ")


def test_plain_values_are_what_json_has():
    assert plain_json((Path("/a"), datetime.date(2024, 3, 1), math.inf, 1, None)) == [
        *("/a", "2024-03-01", None, 1, None),
    ]
