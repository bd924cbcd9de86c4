"""Meaning of a configuration: paths, overrides by level, strategy and domain."""

import copy
import inspect
import re
import typing
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from models.errors import ConfigError
from pipeline.config.load import dump
from pipeline.config.load import load_config
from pipeline.config.schema import Config

MINIMAL = {
    "name": "ads",
    "root": "../runs/ads",
    "logs": "logs",
    "schema": "ads.pbtxt",
    "first_day": "2020-01-01",
    "target": "de",
    "sources": ["ca", "uk"],
    "columns": {"user_id": "uid", "item_id": "ad", "shown": "n"},
    "label": "clicked == 1",
    "vocabularies": {"user": {"capacity": 5}, "item": {"capacity": 4}},
    "features": [
        {"name": "user_id", "kind": "id", "vocabulary": "user", "tpm": True},
        {"name": "item_id", "kind": "id", "vocabulary": "item", "tpm": True},
        {"name": "shown", "kind": "count"},
    ],
    "serving": {"directory": "/srv/models"},
}


@pytest.fixture
def load(tmp_path):
    """Returns a function that loads `MINIMAL` with changes from `configs/`."""

    def load_changed(**changes):
        path = tmp_path / "configs" / "ads.yaml"
        path.parent.mkdir(exist_ok=True)
        settings = copy.deepcopy(MINIMAL) | changes
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return load_config(path)

    return load_changed


def refusal(load, **changes):
    """Returns why a configuration is refused: always a single line."""
    with pytest.raises(ConfigError) as raised:
        load(**changes)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_paths_are_relative_to_the_file(load, tmp_path):
    config = load(**{"import": {"data": "../data", "last_day": "2020-02-01"}})
    assert config.root == tmp_path / "runs" / "ads"
    assert config.logs == tmp_path / "configs" / "logs"
    assert config.schema_path == tmp_path / "configs" / "ads.pbtxt"
    assert config.imports.data == tmp_path / "data"
    assert config.serving.directory == Path("/srv/models")
    folder = config.domain_log("ca").folder
    assert folder == str(tmp_path / "configs" / "logs" / "ca")


def test_where_the_command_runs_does_not_matter(load, tmp_path, monkeypatch):
    before = load()
    monkeypatch.chdir(tmp_path / "configs")
    assert load_config(Path("ads.yaml")) == before


def test_a_rule_on_an_interval_needs_an_interval(load):
    without = {"draws": 0}
    message = refusal(load, intervals=without)
    assert "gate.max_normalized_entropy_high 1 is a rule on an interval" in message
    assert "intervals.draws 0 makes none" in message
    assert "`gate: {max_normalized_entropy_high: null}`" in message
    said = load(intervals=without, gate={"max_normalized_entropy_high": None})
    assert said.gate.max_normalized_entropy == 1.0
    # What needs no value needs no interval either.
    assert load(intervals=without, gate={"min_auc": 0.0}).intervals.draws == 0


def test_an_import_is_optional(load):
    assert load().imports is None


def test_every_level_trains_alike_unless_it_says_otherwise(load):
    levels = {"cpm": {"training": {"epochs": 2, "batch_size": 32}}}
    config = load(training={"epochs": 3, "batch_size": 64}, levels=levels)
    training = {level: config.training_of(level) for level in ("tpm", "cpm", "target")}
    sizes = {level: (own.epochs, own.batch_size) for level, own in training.items()}
    assert sizes == {"tpm": (3, 64), "cpm": (2, 32), "target": (3, 64)}


def test_a_level_keeps_the_general_settings_it_does_not_name(load):
    levels = {"target": {"training": {"epochs": 2}}}
    config = load(training={"epochs": 3, "batch_size": 64, "seed": 5}, levels=levels)
    target = config.training_of("target")
    assert (target.epochs, target.batch_size, target.seed) == (2, 64, 5)


@pytest.mark.parametrize(
    ("strategy", "kind", "snapshots"),
    [
        ("ecdctr", "ecdctr", 2),
        ("no_tpm", "ecdctr", 0),
        ("more", "ecdctr", 5),
        ("target_only", "target_only", 0),
        ("plain", "target_only", 0),
    ],
)
def test_a_strategy_is_a_kind_and_its_snapshots(load, strategy, kind, snapshots):
    config = load(
        levels={"tpm": {"snapshots": 2}},
        strategies={
            "ecdctr": {},
            "no_tpm": {"kind": "ecdctr", "snapshots": 0},
            "more": {"kind": "ecdctr", "snapshots": 5},
            "target_only": {},
            "plain": {"kind": "target_only"},
        },
    )
    assert config.kind_of(strategy) == kind
    assert config.needs(strategy).tpm_periods == snapshots


def test_a_variant_of_no_known_kind_is_refused(load):
    strategies = {"ecdctr": {}, "mine": {"kind": "ecdtcr"}}
    message = refusal(load, strategies=strategies)
    assert "strategies.mine.kind: strategy 'ecdtcr'" in message
    assert "did you mean 'ecdctr'?" in message


def test_a_domain_reads_its_own_columns(load):
    config = load(
        columns={"user_id": "uid", "item_id": "ad", "shown": None},
        domain_columns={"ca": {"user_id": "visitor"}, "de": {"shown": "views"}},
        domain_labels={"de": "bought == 1"},
        missing_days={"uk": "skip"},
    )
    read = {domain: config.domain_log(domain) for domain in config.domains}
    columns = {
        domain: {name: source and source.column for name, source in log.columns.items()}
        for domain, log in read.items()
    }
    assert columns == {
        "ca": {"user_id": "visitor", "item_id": "ad", "shown": None},
        "uk": {"user_id": "uid", "item_id": "ad", "shown": None},
        "de": {"user_id": "uid", "item_id": "ad", "shown": "views"},
    }
    labels = {domain: log.label for domain, log in read.items()}
    assert labels == {"ca": "clicked == 1", "uk": "clicked == 1", "de": "bought == 1"}
    gaps = {domain: log.missing_days for domain, log in read.items()}
    assert gaps == {"ca": "fail", "uk": "skip", "de": "fail"}


def test_a_domain_writes_its_csv_in_its_own_way(load):
    config = load(csv={"uk": {"quote": "'", "escape": "\\", "null_values": ["NULL"]}})
    uk, ca = config.domain_log("uk").csv, config.domain_log("ca").csv
    assert (uk.quote, uk.escape, uk.null_values) == ("'", "\\", ("NULL",))
    assert (ca.quote, ca.escape, ca.null_values) == ('"', None, ())


def test_the_feature_domain_needs_no_column(load):
    domain = {"name": "domain", "kind": "id", "vocabulary": "domain"}
    features = [*MINIMAL["features"], domain]
    vocabularies = {**MINIMAL["vocabularies"], "domain": {"capacity": 3}}
    config = load(features=features, vocabularies=vocabularies)
    assert config.table["domain"].table == "domain"


_USER, _ITEM, _SHOWN = MINIMAL["features"]


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        (
            {"columns": {"user_id": "uid", "item_id": "ad"}},
            ["feature 'shown' has no entry in columns", "`shown: <the log's column>`"],
        ),
        (
            {"columns": {**MINIMAL["columns"], "shwon": "m"}},
            ["columns.shwon: 'shwon'", "did you mean 'shown'?"],
        ),
        (
            {"domain_columns": {"dee": {"shown": "m"}}},
            ["domain_columns.dee: 'dee' is not one of ca, uk, de", "mean 'de'?"],
        ),
        (
            {"domain_columns": {"de": {"shwon": "m"}}},
            ["domain_columns.de.shwon: 'shwon'", "did you mean 'shown'?"],
        ),
        (
            {"domain_labels": {"dee": "clicked == 1"}},
            ["domain_labels: 'dee'", "mean 'de'?"],
        ),
        ({"domain_labels": {"de": "clicked"}}, ["'clicked'", "<comparison>"]),
        ({"csv": {"dee": {}}}, ["csv: 'dee'", "mean 'de'?"]),
        ({"csv": {"de": {"qoute": "'"}}}, ["csv.de.qoute", "did you mean 'quote'?"]),
        ({"csv": {"de": {"quote": "''"}}}, ["csv.de.quote", "received \"''\""]),
        ({"csv": {"de": {"quote": ","}}}, ["csv.de.quote", "received ','"]),
        ({"csv": {"de": {"quote": ";", "delimiter": ";"}}}, ["csv.de.quote", "';'"]),
        ({"csv": {"de": {"quote": "x"}}}, ["csv.de.quote", "neither a letter", "'x'"]),
        ({"csv": {"de": {"escape": '"'}}}, ["`escape` and `quote` are both"]),
        (
            {"csv": {"de": {"quote": None, "escape": "\\"}}},
            ["`quote` is null; remove `escape`"],
        ),
        ({"csv": {"de": {"null_values": [""]}}}, ["csv.de.null_values", "remove"]),
        (
            {"csv": {"de": {"null_values": [None]}}},
            ["csv.de.null_values", 'write it in quotes: "NULL"'],
        ),
        (
            {"vocabularies": {"item": {"capacity": 5}}},
            ["'user_id' names vocabulary 'user'", "not declared", "one of item"],
        ),
        ({"vocabularies": {}}, ["vocabulary 'user'", "(none declared)"]),
        (
            {"features": [_USER, _ITEM, _SHOWN, _USER]},
            ["feature 'user_id' is declared twice; keep one"],
        ),
        (
            {"features": [{"name": "label", "kind": "count"}]},
            ["feature name 'label' is reserved; rename it"],
        ),
        (
            {"features": [{**_USER, "vocabulary": None}, _ITEM, _SHOWN]},
            ["feature 'user_id' is of kind 'id' and names no vocabulary"],
        ),
        (
            {"features": [{**_USER, "tpm": False}, {**_ITEM, "tpm": False}, _SHOWN]},
            ["marked `tpm: true`", "set levels.tpm.snapshots to 0"],
        ),
        (
            {"slices": {"history": "shwon"}},
            ["slices.history: 'shwon'", "did you mean 'shown'?"],
        ),
        (
            {"slices": {"history": "shown"}},
            ["slices.history: 'shown' holds numbers", "`upto: [0, 5, 20]`"],
        ),
        (
            {"slices": {"who": {"feature": "user_id", "upto": [3]}}},
            ["slices.who: 'user_id' holds ids, which have no order for `upto` [3]"],
        ),
        (
            {
                "slices": {"who": "user_id"},
                "vocabularies": {"user": {"capacity": 101}, "item": {"capacity": 4}},
            },
            ["slices.who: 'user_id' may have 101 values; expected at most 100"],
        ),
        (
            {"slices": {"history": {"feature": "shown", "uptoo": [1]}}},
            ["unknown key 'slices.history.uptoo'", "did you mean 'upto'?"],
        ),
    ],
    ids=[
        "feature without column",
        "column of no feature",
        "columns of no domain",
        "domain's column of no feature",
        "label of no domain",
        "domain's label",
        "csv of no domain",
        "csv key unknown",
        "quote of two characters",
        "quote is the comma",
        "quote is the delimiter",
        "quote is a letter",
        "escape is the quote",
        "escape without quote",
        "empty null value",
        "null as null value",
        "vocabulary not declared",
        "no vocabulary declared",
        "two features of one name",
        "reserved name",
        "id without vocabulary",
        "nothing for TPM",
        "slice of no feature",
        "slice without buckets",
        "slice of ids with buckets",
        "slice with too many values",
        "slice with a key unknown",
    ],
)
def test_what_does_not_fit_together_is_named(load, changes, texts):
    message = refusal(load, **changes)
    for text in texts:
        assert text in message


def test_the_usual_slices_are_those_whose_features_are_there(load):
    assert load().slice_rules == {}
    features = [
        *MINIMAL["features"],
        {"name": "user_impressions", "kind": "count"},
        # Of another kind, so no age in days.
        {"name": "item_age_days", "kind": "id", "vocabulary": "item"},
    ]
    columns = {**MINIMAL["columns"], "user_impressions": "m", "item_age_days": "a"}
    config = load(features=features, columns=columns)
    (rule,) = config.slice_rules.values()
    assert (rule.feature, rule.upto) == ("user_impressions", (0, 5, 20))
    assert load(features=features, columns=columns, slices={}).slice_rules == {}


def test_a_slice_is_a_feature_or_a_feature_and_its_buckets(load):
    config = load(
        slices={
            "user_history": "shown",
            "shown": {"feature": "shown", "upto": [9]},
            "item": "item_id",
        }
    )
    rules = {name: (r.feature, r.upto) for name, r in config.slice_rules.items()}
    assert rules == {
        "user_history": ("shown", (0, 5, 20)),
        "shown": ("shown", (9,)),
        "item": ("item_id", ()),
    }


@pytest.mark.parametrize("name", ["no", "on", "yes", "off", "007", "1e3", "2024-01-01"])
def test_a_plain_name_is_text_whatever_else_it_may_look_like(load, tmp_path, name):
    load()
    path = tmp_path / "configs" / "ads.yaml"
    text = path.read_text().replace("- ca\n", f"- {name}\n")
    path.write_text(f"{text}domain_columns: {{{name}: {{shown: {name}}}}}\n")
    config = load_config(path)
    assert config.sources == (name, "uk")
    assert config.domain_log(name).columns["shown"].column == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [("no", False), ("off", False), ("yes", True), ("true", True), ("False", False)],
)
def test_a_yes_or_no_is_read_as_before(load, tmp_path, text, expected):
    load(strategies={"ecdctr": {"warm_start": True}})
    path = tmp_path / "configs" / "ads.yaml"
    path.write_text(path.read_text().replace("warm_start: true", f"warm_start: {text}"))
    assert load_config(path).strategies["ecdctr"].warm_start is expected


def test_a_null_where_a_name_is_wanted_says_to_quote_it(load, tmp_path):
    load()
    path = tmp_path / "configs" / "ads.yaml"
    path.write_text(path.read_text().replace("- ca\n", "- null\n"))
    with pytest.raises(ConfigError, match="sources.0: .*quote it: 'null'"):
        load_config(path)


def test_a_key_that_stands_twice_is_refused(load, tmp_path):
    load()
    path = tmp_path / "configs" / "ads.yaml"
    path.write_text(path.read_text() + "training: {epochs: 2}\ntraining: {seed: 3}\n")
    with pytest.raises(ConfigError, match=r"'training' stands here again; keep one"):
        load_config(path)


def paths_in(model, key=()):
    """Yields the key of every path of a model."""
    for name, field in model.model_fields.items():
        own = (*key, field.alias or name)
        if field.annotation is Path:
            yield own
        for inner in typing.get_args(field.annotation) or (field.annotation,):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from paths_in(inner, own)


@pytest.mark.parametrize("uri", ["s3://bucket/a", "gs://b", "hdfs:///x", "file:///x"])
@pytest.mark.parametrize("key", list(paths_in(Config)), ids=".".join)
def test_a_uri_is_no_path(load, key, uri):
    value = uri
    for part in reversed(key[1:]):
        value = {part: value}
    if key[0] == "import":
        value["last_day"] = "2020-02-01"
    message = refusal(load, **{key[0]: value})
    assert f"{'.'.join(key)}: URIs ({uri.partition(':')[0]}://) are not" in message
    assert f"received {uri!r}" in message
    assert "Mount the storage" in message


def test_a_tilde_is_the_home_folder(load, monkeypatch):
    monkeypatch.setenv("HOME", "/home/team")
    config = load(root="~/runs", logs="~")
    assert (str(config.root), str(config.logs)) == ("/home/team/runs", "/home/team")
    assert load(root="./~x").root.name == "~x"
    message = refusal(load, root="~nobody-here/runs")
    assert "'~nobody-here' is not a user of this machine" in message


@pytest.mark.parametrize("flag", ["--runner=FlinkRunner", "--direct_running_mode=x"])
def test_workers_elsewhere_need_a_root_that_is_no_pattern(load, flag):
    assert load(root="a [b]").root.name == "a [b]"
    assert load(root="a b", beam_args=[flag]).beam_args == (flag,)
    message = refusal(load, root="a [b]", beam_args=[flag])
    assert "a [b]' has one of *, ? and [" in message
    assert flag in message


def test_every_path_of_the_configuration_is_known():
    assert {".".join(key) for key in paths_in(Config)} == {
        "root",
        "schema",
        "import.data",
        "simulate.truth",
        "serving.directory",
    }


def test_every_problem_is_named_at_once(load):
    message = refusal(load, max_bad_share=2, evaluation_days=0, nmae="x")
    for key in ("max_bad_share", "evaluation_days", "nmae"):
        assert key in message


def models_in(annotation):
    """Yields the model classes in an annotation, and those in their fields."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def documented(model):
    """Returns the names under `Attributes:` of a class and its bases."""
    names = set()
    for base in model.__mro__:
        # Python 3.13 takes the indentation off docstrings itself.
        doc = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        _, _, attributes = doc.partition("Attributes:")
        names |= set(re.findall(r"^ {4}(\w[\w +]*):", attributes, re.MULTILINE))
    return names


@pytest.mark.parametrize(
    "model", dict.fromkeys(models_in(Config)), ids=lambda model: model.__name__
)
def test_every_default_is_documented(model):
    defaults = {
        field.alias or name
        for name, field in model.model_fields.items()
        if not field.is_required()
    }
    missing = sorted(defaults - documented(model))
    assert not missing, f"{model.__name__} says nothing about {', '.join(missing)}"


@pytest.mark.parametrize("odd", ["\x80", "a\x85b", "\u2028", "\ufeff", "\x7f", "😀"])
def test_what_is_written_out_is_read_again(load, tmp_path, odd):
    config = load(columns={**MINIMAL["columns"], "shown": odd})
    path = tmp_path / "written.json"
    path.write_text(dump(config))
    assert load_config(path) == config
