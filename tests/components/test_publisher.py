"""Publishing: dated versions, and a copy that servers never see partly."""

import datetime
import json

import pytest

from components.publisher.logic import next_version
from components.publisher.logic import publish
from components.publisher.logic import version_of
from components.publisher.logic import versions_in
from components.publisher.model_card import make_card
from components.publisher.model_card import of_version
from models.artifact_files import CARD_FILE
from models.artifact_files import CARD_TEXT_FILE
from models.artifact_files import LINEAGE_FILE
from models.days import to_day
from models.errors import DataError

DAY = to_day(datetime.date(2019, 1, 1))
DECISION = {"strategy": "ecdctr", "approved": True, "reasons": []}
CARD = make_card(DECISION, {}, None, None, day=DAY)


def _publish(source, folder, day, lineage):
    return publish(source, folder, day, lineage, CARD, [])


@pytest.fixture
def saved_model(tmp_path):
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "variables" / "variables.index").write_bytes(b"weights")
    return folder


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], 2019010100),
        ([2019010100], 2019010101),
        ([2019010100, 2019010104], 2019010105),
        ([2018123199, 2019010200], 2019010100),
    ],
)
def test_the_next_version_is_the_days_next_attempt(taken, expected):
    assert next_version(DAY, taken) == expected


def test_a_backfilled_day_never_becomes_the_highest_version():
    later = version_of(DAY + 1, 0)
    assert next_version(DAY, [later, version_of(DAY, 98)]) < later


def test_a_day_with_all_attempts_used_says_so():
    with pytest.raises(DataError, match="2019-01-01 has 100 published attempts"):
        next_version(DAY, [version_of(DAY, 99)])


def test_publishing_copies_the_model_and_its_lineage(saved_model, tmp_path):
    folder = tmp_path / "serving" / "ads"
    version = publish(
        saved_model, folder, DAY, {"model_fingerprint": "a", "day": "x"}, CARD, []
    )
    assert version == folder / "2019010100"
    assert (version / "saved_model.pb").read_bytes() == b"graph"
    assert (version / "variables" / "variables.index").read_bytes() == b"weights"
    lineage = json.loads((version / LINEAGE_FILE).read_text())
    assert lineage == {"version": 2019010100, "model_fingerprint": "a", "day": "x"}
    card = json.loads((version / CARD_FILE).read_text())
    assert card == of_version(CARD, 2019010100, [])
    assert "version 2019010100" in (version / CARD_TEXT_FILE).read_text()
    assert versions_in(folder) == [2019010100]


def test_the_same_model_is_published_once(saved_model, tmp_path):
    first = publish(
        saved_model, tmp_path / "ads", DAY, {"model_fingerprint": "a"}, CARD, []
    )
    again = publish(
        saved_model, tmp_path / "ads", DAY, {"model_fingerprint": "a"}, CARD, []
    )
    other = publish(
        saved_model, tmp_path / "ads", DAY, {"model_fingerprint": "b"}, CARD, []
    )
    assert first == again
    assert versions_in(tmp_path / "ads") == [2019010100, 2019010101]
    assert other.name == "2019010101"
