"""Promotion of refused models: files, records and errors."""

import datetime
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2

from components.publisher.card_files import keep_card
from components.publisher.labels import Labels
from components.publisher.labels import read_labels
from components.publisher.model_card import make_card
from models.artifact_files import CARD_FILE
from models.artifact_files import CARD_TEXT_FILE
from models.days import to_day
from pipeline.cli.group import main
from pipeline.release.promotion import EXECUTION_TYPE
from pipeline.store.results import known_state
from tests.pipeline.release.refused import DAY
from tests.pipeline.release.refused import DECISION
from tests.pipeline.release.refused import World

ROOT = Path(__file__).parents[3]
LINEAGE = Path("assets.extra", "crossctr.json")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


PROMOTE = ("--day", DAY, "--reason", "  checked by hand ", "--by", "Ada")


def test_a_refused_model_is_published_with_the_override_beside_it(world):
    world.judged()
    result = world.run(*PROMOTE)
    assert result.exit_code == 0, result.output
    version = world.serving / "2019010200"
    assert f"Published SavedModel: {version}" in result.output
    assert "despite: AUC 0.4: refused" in result.output
    assert "10 rows" not in result.output
    assert (version / "saved_model.pb").read_text() == "m"
    lineage = json.loads((version / LINEAGE).read_text())
    assert lineage["version"] == 2019010200
    assert lineage["decision"] == DECISION
    override = lineage["override"]
    assert (override["who"], override["why"]) == ("Ada", "checked by hand")
    when = datetime.datetime.fromisoformat(override["when"])
    assert when.utcoffset() == datetime.timedelta(0)


def test_the_override_is_in_ml_metadata_and_the_model_is_live(world):
    refused = world.judged()
    world.run(*PROMOTE)
    metadata = world.store.connect()
    (execution,) = metadata.get_executions_by_type(EXECUTION_TYPE)
    recorded = {name: v.string_value for name, v in execution.properties.items()}
    assert (recorded["who"], recorded["why"]) == ("Ada", "checked by hand")
    events = metadata.get_events_by_execution_ids([execution.id])
    by_kind = {
        kind: [e.artifact_id for e in events if e.type == kind]
        for kind in (metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.OUTPUT)
    }
    read, (written,) = by_kind.values()
    kinds = [a.type for a in metadata.get_artifacts_by_id(read)]
    assert sorted(kinds) == ["GateDecision", "Model", "PublishedModel"]
    assert refused in read
    published = world.store.artifacts("PublishedModel")[-1]
    assert published.id == written
    assert published.properties["override_reason"] == "checked by hand"
    assert published.properties["override_by"] == "Ada"
    assert published.properties["override_at"] == recorded["when"]
    (context,) = metadata.get_contexts_by_artifact(published.id)
    assert context.name == "xmarket"
    live = known_state(world.store).live
    assert live == ((to_day(datetime.date.fromisoformat(DAY)), "m-model"),)


def _card(folder):
    return json.loads((folder / CARD_FILE).read_text())


def _events(folder):
    return [
        (one["event"], one["version"], one["who"], one["why"])
        for one in _card(folder)["events"]
    ]


def test_a_promoted_model_has_the_card_of_its_judgement(world):
    world.judged()
    card = make_card({**DECISION, "candidate": {"auc": 0.4}}, {}, None, None, day=1)
    keep_card(world.folder / "published-m", card)
    world.run(*PROMOTE)
    version = world.serving / "2019010200"
    assert _card(version)["metrics"] == card["metrics"]
    assert _events(version) == [("published", 2019010200, "Ada", "checked by hand")]
    assert "published by Ada: checked by hand" in (version / CARD_TEXT_FILE).read_text()


def test_a_model_that_was_judged_without_a_card_gets_one_with_its_promotion(world):
    world.judged()
    world.run(*PROMOTE)
    card = _card(world.serving / "2019010200")
    assert card["limits"][-1] == "The Gate refused it: AUC 0.4."
    assert card["provenance"] is None


def test_the_card_tells_of_labels_withdrawal_and_return(world):
    _published(world, "old", 2019010100)
    world.judged("new")
    world.run(*PROMOTE, "--canary")
    world.run(*PROMOTE)
    version = world.serving / "2019010200"
    told = [
        ("published", 2019010200, "Ada", "checked by hand"),
        ("stable", 2019010200, "Ada", "checked by hand"),
    ]
    assert _events(version) == told
    _roll_back(world)
    (kept,) = (world.serving / ".withdrawn").iterdir()
    told.append(("withdrawn", 2019010200, "Ada", "clicks fell"))
    assert _events(kept) == told
    world.run(*PROMOTE)
    assert _events(version) == [*told, told[0]]
    # That of a release without cards is left as it is.
    assert not (world.serving / "2019010100" / CARD_FILE).exists()


def test_promoting_again_says_so_and_changes_nothing(world):
    world.judged()
    world.run(*PROMOTE)
    before = (world.serving / "2019010200" / LINEAGE).read_text()
    again = world.run("--day", DAY, "--reason", "another", "--by", "Bob")
    assert again.exit_code == 0
    assert f"{DAY} is published already: {world.serving / '2019010200'}" in again.output
    assert (world.serving / "2019010200" / LINEAGE).read_text() == before
    assert [p.name for p in world.serving.iterdir()] == ["2019010200"]
    assert len(world.store.artifacts("PublishedModel")) == 2


def _labels(world):
    return read_labels(world.serving.parent, "xmarket")


def test_a_model_that_the_gate_approved_is_published_already(world):
    _published(world, "approved", 2019010200)
    result = world.run(*PROMOTE)
    there = world.serving / "2019010200"
    assert f"{DAY} is published already: {there}" in result.output
    assert "stable: 2019010200" in result.output
    assert _labels(world) == Labels(2019010200)


def test_a_canary_waits_for_its_promotion_and_an_older_day_can_be_brought_back(world):
    _published(world, "old", 2019010100)
    world.judged("new")
    result = world.run(*PROMOTE, "--canary")
    assert result.exit_code == 0, result.output
    assert "canary: 2019010200" in result.output
    assert _labels(world) == Labels(2019010100, 2019010200, None)
    result = world.run(*PROMOTE)
    assert f"Labelled {world.serving / '2019010200'}" in result.output
    assert _labels(world) == Labels(2019010200, None, 2019010100)
    noted = world.store.artifacts("PublishedModel")[-1].properties
    assert noted["stable_by"] == "Ada"
    assert noted["stable_reason"] == "checked by hand"
    refused = world.run(*PROMOTE, "--canary")
    assert refused.exit_code == 2
    assert "stable is 2019010200" in refused.output


def test_a_model_that_no_server_could_load_is_named_when_promoted(world):
    world.judged(infra_reason="rank of 3 row(s) answered INTERNAL")
    result = world.run(*PROMOTE)
    assert "despite: not fit to be served: rank of 3 row(s)" in result.output


def test_a_promotion_that_was_killed_is_finished_by_the_same_command(
    world, monkeypatch
):
    world.judged()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("pipeline.release.promotion._record", killed)
        assert world.run(*PROMOTE).exit_code != 0
    assert len(world.store.artifacts("PublishedModel")) == 1
    assert world.run(*PROMOTE).exit_code == 0
    assert [p.name for p in world.serving.iterdir()] == ["2019010200"]
    assert len(world.store.artifacts("PublishedModel")) == 2


def test_the_newest_refused_attempt_is_the_one_that_is_promoted(world):
    world.judged("first", pushed=1, path=str(world.serving / "2019010200"))
    (world.serving / "2019010200").mkdir(parents=True)
    world.judged("second")
    world.run(*PROMOTE)
    version = world.serving / "2019010201"
    assert (version / "saved_model.pb").read_text() == "second"


def test_a_later_day_stays_ahead_and_is_named(world):
    world.judged()
    (world.serving / "2019010300").mkdir(parents=True)
    result = world.run(*PROMOTE)
    assert "Version 2019010300 is of a later day or attempt" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--day", DAY, "--reason", " "), "--reason is empty; say why"),
        (("--day", "2019-01-03", "--reason", "x"), "no model of 2019-01-03 was judged"),
    ],
)
def test_refuses(world, arguments, message):
    world.judged()
    result = world.run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert not world.serving.exists()
    assert len(world.store.artifacts("PublishedModel")) == 1


def test_a_model_that_is_gone_is_refused(world):
    world.judged()
    model = world.folder / "model-m" / "Format-Serving"
    model.rename(world.folder / "elsewhere")
    result = world.run(*PROMOTE)
    assert result.exit_code == 2
    assert "the model m-model of 2019-01-02 is not stored" in result.output


def test_without_a_name_the_override_is_the_process_users(world, monkeypatch):
    world.judged()
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    world.run("--day", DAY, "--reason", "checked")
    lineage = json.loads((world.serving / "2019010200" / LINEAGE).read_text())
    assert lineage["override"]["who"] == "ada"


def _published(world, name, version):
    folder = world.serving / str(version)
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_text(name)
    return world.judged(name, pushed=1, path=str(folder))


def _roll_back(world, *options, reason="clicks fell"):
    arguments = ["rollback", str(world.path), "--reason", reason, "--by", "Ada"]
    return CliRunner().invoke(main, [*arguments, *options])


def test_a_rollback_keeps_the_files_and_the_next_run_compares_with_what_is_left(world):
    _published(world, "good", 2019010200)
    _published(world, "bad", 2019010201)
    assert [name for _, name in known_state(world.store).live] == [
        "good-model",
        "bad-model",
    ]
    result = _roll_back(world)
    assert result.exit_code == 0, result.output
    assert "2019010201 is withdrawn by Ada" in result.output
    assert "stable: 2019010200" in result.output
    assert _labels(world) == Labels(2019010200)
    assert [path.name for path in world.serving.iterdir() if path.name.isdigit()] == [
        "2019010200"
    ]
    (kept,) = (world.serving / ".withdrawn").iterdir()
    assert (kept / "saved_model.pb").read_text() == "bad"
    state = known_state(world.store)
    assert [name for _, name in state.live] == ["good-model"]
    # It is judged all the same, so the day is not trained again.
    assert "bad-step" in state.published
    withdrawn = world.store.artifacts("PublishedModel")[-1].properties
    assert withdrawn["withdrawn_by"] == "Ada"
    assert withdrawn["withdrawn_reason"] == "clicks fell"


def test_a_rollback_that_was_killed_is_finished_by_the_same_command(world, monkeypatch):
    for name, version in (("a", 2019010200), ("b", 2019010201), ("c", 2019010202)):
        _published(world, name, version)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("models.durable_files.move_folder", killed)
        assert _roll_back(world).exit_code != 0
    assert (world.serving / "2019010202").is_dir()
    assert _roll_back(world).exit_code == 0
    left = [path.name for path in world.serving.iterdir() if path.name.isdigit()]
    assert sorted(left) == ["2019010200", "2019010201"]
    assert _labels(world) == Labels(2019010201, None, 2019010200)
    assert [name for _, name in known_state(world.store).live] == ["a-model", "b-model"]


def test_a_canary_is_rolled_back_before_the_stable_version(world):
    _published(world, "old", 2019010100)
    world.judged("new")
    world.run(*PROMOTE, "--canary")
    assert _roll_back(world).exit_code == 0
    assert _labels(world) == Labels(2019010100)


def test_what_was_rolled_back_can_be_promoted_again(world):
    _published(world, "good", 2019010200)
    _published(world, "bad", 2019010201)
    assert _roll_back(world).exit_code == 0
    result = world.run(*PROMOTE)
    assert result.exit_code == 0, result.output
    assert (world.serving / "2019010201" / "saved_model.pb").read_text() == "bad"
    assert [name for _, name in known_state(world.store).live][-1] == "bad-model"


def test_where_nothing_is_published_nothing_is_rolled_back(world):
    result = _roll_back(world, "--take-offline")
    assert result.exit_code == 2
    assert "nothing is published" in result.output


def test_the_only_version_goes_when_that_is_asked_for(world):
    _published(world, "only", 2019010200)
    refused = _roll_back(world)
    assert refused.exit_code == 2
    assert "2019010200 is the only version" in refused.output
    assert "--take-offline" in refused.output
    assert (world.serving / "2019010200").is_dir()
    assert known_state(world.store).live

    result = _roll_back(world, "--take-offline")
    assert result.exit_code == 0, result.output
    assert "2019010200 is withdrawn by Ada" in result.output
    assert "no version of xmarket is left: servers unload it" in result.output
    assert "NOT_FOUND" in result.output
    assert _labels(world) is None
    assert not known_state(world.store).live
    (kept,) = (world.serving / ".withdrawn").iterdir()
    assert (kept / "saved_model.pb").read_text() == "only"

    back = world.run(*PROMOTE)
    assert back.exit_code == 0, back.output
    assert _labels(world) == Labels(2019010200)


def test_taking_offline_that_was_killed_is_finished_by_the_same_command(
    world, monkeypatch
):
    _published(world, "only", 2019010200)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("models.durable_files.move_folder", killed)
        assert _roll_back(world, "--take-offline").exit_code != 0
    assert (world.serving / "2019010200").is_dir()
    assert _roll_back(world, "--take-offline").exit_code == 0
    assert not (world.serving / "2019010200").exists()
    assert _labels(world) is None


def test_a_version_that_several_days_reuse_is_withdrawn_for_all_of_them(world):
    _published(world, "good", 2019010100)
    folder = world.serving / "2019010200"
    _published(world, "bad", 2019010200)
    # The next day reuses the model: another judgement, the same version.
    world.add(
        "PublishedModel",
        world.folder / "again",
        fingerprint="bad-step-of-the-next-day",
        model_fingerprint="bad-model",
        day=to_day(datetime.date.fromisoformat("2019-01-03")),
        pushed=1,
        path=str(folder),
    )
    assert _roll_back(world).exit_code == 0
    assert [name for _, name in known_state(world.store).live] == ["good-model"]


def test_a_rollback_wants_a_reason(world):
    result = _roll_back(world, reason=" ")
    assert result.exit_code == 2
    assert "--reason is empty" in result.output
