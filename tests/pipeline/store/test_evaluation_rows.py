"""Impressions that a run will be judged on, counted after its ingest."""

import json
from types import SimpleNamespace

import pytest

from models.artifact_files import ENCODING_FILE
from models.days import DayRange
from pipeline.planning.steps import Block
from pipeline.store.evaluation_rows import rows_of_days
from pipeline.store.evaluation_rows import too_few_to_publish
from pipeline.store.reader import Store
from pipeline.store.reader import Stored

# Days 10 and 11 in block "a", day 12 in block "b".
ROWS = {"a": {"ads": [5, 7], "feeds": [50, 70]}, "b": {"ads": [11], "feeds": [110]}}
DATES = {"a": ["1970-01-11", "1970-01-12"], "b": ["1970-01-13"]}
BLOCKS = (
    Block(DayRange(10, 11), "a", None),
    Block(DayRange(12, 12), "b", "a"),
)


@pytest.fixture
def store(tmp_path):
    """A store of the two blocks."""
    stored = []
    for name, domains in ROWS.items():
        (tmp_path / name).mkdir()
        counts = {
            domain: {"user_id": {"rows": rows}, "slot": {"rows": rows}}
            for domain, rows in domains.items()
        }
        content = {"days": DATES[name], "domains": counts}
        (tmp_path / name / ENCODING_FILE).write_text(json.dumps(content))
        properties = {"role": "transformed", "fingerprint": name}
        stored.append(Stored(len(stored), str(tmp_path / name), properties))
    # Raw blocks have no encoding.
    stored.append(Stored(9, "raw", {"role": "raw", "fingerprint": "a"}))
    found = Store(tmp_path)
    found.artifacts = lambda kind: stored if kind == "Examples" else []
    return found


def test_transformed_blocks_are_those_with_encoded_impressions(store):
    assert [block.fingerprint for block in store.transformed_blocks()] == ["a", "b"]
    assert [block.id for block in store.transformed_blocks()] == [0, 1]


def target_step(evaluation, *, done=False):
    return SimpleNamespace(
        kind="target", done=done, evaluation=evaluation, evaluation_blocks=BLOCKS
    )


def config(min_examples):
    return SimpleNamespace(
        target="ads", gate=SimpleNamespace(min_examples=min_examples)
    )


@pytest.mark.parametrize(
    ("days", "domain", "rows"),
    [((10, 12), "ads", 23), ((11, 12), "ads", 18), ((12, 12), "feeds", 110)],
)
def test_impressions_of_the_days_alone_are_counted(store, days, domain, rows):
    assert rows_of_days(store, BLOCKS, DayRange(*days), domain) == rows


def test_a_block_that_is_not_stored_gives_no_number(store, tmp_path):
    (tmp_path / "b" / ENCODING_FILE).unlink()
    assert rows_of_days(store, BLOCKS, DayRange(10, 12), "ads") is None
    assert rows_of_days(store, BLOCKS[:1], DayRange(10, 11), "ads") == 12
    assert too_few_to_publish(config(24), store, [target_step(DayRange(11, 12))]) == ""


def test_too_few_impressions_are_said_with_both_numbers(store):
    step = target_step(DayRange(11, 12))
    text = too_few_to_publish(config(19), store, [step])
    assert text.startswith("1970-01-12..1970-01-13 has 18 impressions of ads")
    assert "needs 19 (`gate.min_examples`)" in text
    assert too_few_to_publish(config(18), store, [step]) == ""


@pytest.mark.parametrize(
    "step",
    [
        target_step(None),
        target_step(DayRange(12, 12), done=True),
        SimpleNamespace(kind="cpm", done=False, evaluation=None),
    ],
)
def test_steps_that_publish_nothing_are_not_warned_of(store, step):
    assert too_few_to_publish(config(1_000), store, [step]) == ""
