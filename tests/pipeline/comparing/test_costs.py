"""Costs of a strategy: every level it depends on, counted once."""

from __future__ import annotations

import json

import pytest

from models.days import DayRange
from models.errors import DataError
from pipeline.comparing.costs import cost_of
from pipeline.comparing.costs import needed
from pipeline.comparing.costs import summary
from pipeline.planning.steps import Step
from pipeline.store.reader import Stored
from tests.pipeline.comparing.examples import cost

DAYS = DayRange(1, 9)


def step(kind, name, **reads):
    return Step(kind, name, 10, 10, DAYS, name, True, **reads)


INGEST = step("ingest", "block")
OLD_TPM = step("tpm", "tpm1")
TPM = step("tpm", "tpm2", warm_start="tpm1")
CPM = step("cpm", "cpm1", snapshots=("tpm1",))
PLAIN_CPM = step("cpm", "cpm2")
ECDCTR = step("target", "t1", training="m1", warm_start="cpm1", snapshots=("tpm2",))
FINETUNE = step("target", "t2", training="m2", warm_start="cpm2")
CONTINUED = step("target", "t3", training="m3", warm_start="of an earlier day")
PLAN = [INGEST, OLD_TPM, TPM, CPM, PLAIN_CPM, ECDCTR, FINETUNE, CONTINUED]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (ECDCTR, [OLD_TPM, TPM, CPM, ECDCTR]),
        (FINETUNE, [PLAIN_CPM, FINETUNE]),
        (CONTINUED, [CONTINUED]),
    ],
    ids=["all levels", "CPM", "its own model of an earlier day"],
)
def test_a_strategy_needs_the_levels_it_reads(target, expected):
    assert needed(target, PLAN) == expected


class Models:
    """A store of models with their reports."""

    def __init__(self, folder, **reports):
        self._stored = []
        for number, (name, report) in enumerate(reports.items()):
            path = folder / name
            for part in ("Format-Train", "Format-Serving/variables"):
                (path / part).mkdir(parents=True)
            (path / "Format-Train" / "report.json").write_text(json.dumps(report))
            (path / "Format-Serving" / "saved_model.pb").write_bytes(b"x" * 1024)
            (path / "Format-Serving" / "variables" / "v").write_bytes(b"x" * 3072)
            self._stored.append(Stored(number, str(path), {"fingerprint": name}))

    def artifacts(self, kind):
        assert kind == "Model"
        return self._stored


def report(rows, epochs, seconds, **more):
    known = {"rows": rows, "losses": [0.5] * epochs, "seconds": seconds, "steps": 9}
    return {**known, **more}


def test_rows_and_seconds_add_up_and_the_most_memory_counts(tmp_path):
    store = Models(
        tmp_path,
        cpm2=report(1_000, 3, 5.0, memory_before_mib=1_000.0, peak_memory_mib=1_700.0),
        m2=report(
            100,
            1,
            2.0,
            memory_before_mib=1_400.0,
            peak_memory_mib=1_800.0,
            held_out=[0.4, 0.3],
        ),
    )
    found = cost_of(store, FINETUNE, PLAN, 1.5)
    assert found.levels == {"cpm": 1, "target": 1}
    # 3 epochs of CPM; one of the target after a search of two.
    assert found.rows_read == 3 * 1_000 + 3 * 100
    assert found.train_seconds == 7.0
    assert (found.peak_memory_mib, found.added_memory_mib) == (1_800.0, 700.0)
    assert found.model_mib == 4_096 / 2**20
    assert found.milliseconds == 1.5


def test_mixed_source_impressions_count_as_far_as_they_were_read(tmp_path):
    store = Models(
        tmp_path,
        cpm2=report(1_000, 3, 5.0),
        m2=report(
            5_000,
            2,
            2.0,
            domains=["feeds", "ads"],
            rows_by_domain={"feeds": 4_900, "ads": 100},
            source_rows=1_600,
        ),
    )
    found = cost_of(store, FINETUNE, PLAN, 1.5)
    assert found.rows_read == 3 * 1_000 + 2 * 100 + 1_600


def test_a_model_that_kept_no_memory_has_none(tmp_path):
    store = Models(
        tmp_path,
        cpm2=report(1, 1, 1.0),
        m2=report(1, 1, 1.0, memory_before_mib=1.0, peak_memory_mib=9.0),
    )
    assert cost_of(store, FINETUNE, PLAN, None).peak_memory_mib is None


def test_a_model_that_is_not_stored_is_named(tmp_path):
    store = Models(tmp_path, m2=report(1, 1, 1.0))
    with pytest.raises(DataError, match="'cpm2' is not stored"):
        cost_of(store, FINETUNE, PLAN, None)


def test_seeds_are_summed_up():
    found = summary(
        [
            cost(train_seconds=1.0, peak_memory_mib=10.0, milliseconds=1.0),
            cost(train_seconds=2.0, peak_memory_mib=30.0, milliseconds=9.0),
            cost(train_seconds=6.0, peak_memory_mib=20.0, milliseconds=2.0),
        ]
    )
    assert found.train_seconds == 3.0
    assert found.peak_memory_mib == 30.0
    assert found.milliseconds == 1.0
    assert summary([cost(added_memory_mib=None), cost()]).added_memory_mib is None
    assert summary([cost(milliseconds=None)]).milliseconds is None


def test_steps_are_those_of_the_shortest_training_of_each_level(tmp_path):
    store = Models(
        tmp_path,
        tpm1=report(1_000, 1, 5.0, steps=40, batch_size=25),
        tpm2=report(1_000, 1, 5.0, steps=12, batch_size=80),
        cpm1=report(1_000, 1, 5.0, steps=31, batch_size=32),
        m1=report(100, 2, 2.0, steps=14, batch_size=16),
    )
    found = cost_of(store, ECDCTR, PLAN, None)
    assert found.steps == {"tpm": 12, "cpm": 31, "target": 14}
    assert found.batch_size == 16
    assert summary([found, found]).steps == found.steps
    assert summary([found, found]).batch_size == 16
