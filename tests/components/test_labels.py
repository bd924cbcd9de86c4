"""Versions that a server is told to load, and their labels."""

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from components.publisher.labels import LABELS_FILE
from components.publisher.labels import Labels
from components.publisher.labels import is_taken_offline
from components.publisher.labels import labels_in
from components.publisher.labels import promoted
from components.publisher.labels import published
from components.publisher.labels import read_labels
from components.publisher.labels import without
from components.publisher.labels import write_labels
from components.publisher.logic import superfluous
from models.errors import DataError


@pytest.mark.parametrize(
    ("before", "version", "as_canary", "after"),
    [
        pytest.param(None, 3, False, Labels(3), id="first"),
        pytest.param(None, 3, True, Labels(3), id="first is stable in any case"),
        pytest.param(Labels(3), 4, False, Labels(4, None, 3), id="newer"),
        pytest.param(
            Labels(4, None, 3), 5, False, Labels(5, None, 4), id="newer again"
        ),
        pytest.param(Labels(4, None, 3), 2, False, Labels(4, None, 3), id="backfilled"),
        pytest.param(Labels(4, None, 3), 4, False, Labels(4, None, 3), id="repeated"),
        pytest.param(Labels(4, None, 3), 5, True, Labels(4, 5, 3), id="canary"),
        pytest.param(Labels(4, 5, 3), 6, True, Labels(4, 6, 3), id="next canary"),
        pytest.param(Labels(4, 5, 3), 6, False, Labels(6, None, 4), id="past a canary"),
    ],
)
def test_a_new_version(before, version, as_canary, after):
    assert published(before, version, as_canary=as_canary) == after


@pytest.mark.parametrize(
    ("before", "version", "after"),
    [
        pytest.param(Labels(4, 5, 3), 5, Labels(5, None, 4), id="the canary"),
        pytest.param(Labels(4, 5, 3), 4, Labels(4, 5, 3), id="it is stable"),
        # Nothing above it stays loaded, or requests without a label would go there.
        pytest.param(Labels(4, None, 3), 2, Labels(2), id="an older one"),
        pytest.param(Labels(4, 6, 3), 5, Labels(5, 6, 4), id="between"),
    ],
)
def test_a_promotion(before, version, after):
    assert promoted(before, version) == after


@pytest.mark.parametrize(
    ("before", "version", "left", "after"),
    [
        pytest.param(Labels(4, None, 3), 4, [2, 3], Labels(3, None, 2), id="stable"),
        pytest.param(Labels(4, 5, 3), 5, [3, 4], Labels(4, None, 3), id="canary"),
        pytest.param(Labels(4, 5, 3), 4, [3, 5], Labels(3, 5), id="under a canary"),
        pytest.param(Labels(2), 2, [1, 4], Labels(1), id="promoted below a newer one"),
        pytest.param(Labels(2), 2, [4], Labels(4), id="nothing below"),
        pytest.param(Labels(4, None, 3), 3, [4], Labels(4), id="the one before"),
        pytest.param(Labels(4), 4, [], None, id="the last"),
        pytest.param(None, 4, [3], None, id="no labels"),
    ],
)
def test_a_withdrawal(before, version, left, after):
    assert without(before, version, left) == after


def test_the_file_is_tf_servings_and_keeps_other_models(tmp_path):
    write_labels(tmp_path, "ads", Labels(4, 5, 3), "/models/")
    write_labels(tmp_path, "mail", Labels(7), "/models")
    assert read_labels(tmp_path, "ads") == Labels(4, 5, 3)
    assert read_labels(tmp_path, "mail") == Labels(7)
    assert read_labels(tmp_path, "other") is None
    text = (tmp_path / LABELS_FILE).read_text()
    assert 'base_path: "/models/ads"' in text
    assert text.count("specific") == 2
    write_labels(tmp_path, "ads", None, "/models")
    assert read_labels(tmp_path, "ads") is None
    assert read_labels(tmp_path, "mail") == Labels(7)
    assert [path.name for path in tmp_path.iterdir()] == [LABELS_FILE]


def test_without_a_model_the_file_says_that_there_is_none(tmp_path):
    write_labels(tmp_path, "ads", Labels(3), "/models")
    write_labels(tmp_path, "ads", None, "/models")
    config = text_format.Parse(
        (tmp_path / LABELS_FILE).read_text(),
        model_server_config_pb2.ModelServerConfig(),
    )
    # TF Serving refuses a file that says nothing, and goes on serving what it has.
    assert config.WhichOneof("config") == "model_config_list"
    assert not config.model_config_list.config


def test_a_withdrawn_model_is_told_from_a_folder_that_cannot_be_seen(tmp_path):
    assert not is_taken_offline(tmp_path, "ads", [])
    write_labels(tmp_path, "ads", Labels(3), "/models")
    assert not is_taken_offline(tmp_path, "ads", [])
    write_labels(tmp_path, "ads", None, "/models")
    assert is_taken_offline(tmp_path, "ads", [])
    assert not is_taken_offline(tmp_path, "ads", [3])


def test_an_entry_of_another_hand_has_no_labels(tmp_path):
    (tmp_path / LABELS_FILE).write_text(
        'model_config_list { config { name: "ads" base_path: "/models/ads" } }'
    )
    assert read_labels(tmp_path, "ads") is None


def test_a_misspelt_field_is_refused(tmp_path):
    (tmp_path / LABELS_FILE).write_text("model_config_lst {}")
    with pytest.raises(
        DataError, match=r"is not a ModelServerConfig: .*model_config_lst"
    ):
        read_labels(tmp_path, "ads")


@pytest.mark.parametrize(
    ("keep", "in_use", "expected"),
    [
        (3, [], [1, 2]),
        (3, [1], [2]),
        (5, [], []),
        (9, [], []),
    ],
)
def test_the_newest_and_what_is_used_stay(keep, in_use, expected):
    assert superfluous([1, 2, 3, 4, 5], keep, in_use) == expected


@pytest.mark.parametrize("content", ["", "# Written by crossctr.\n"])
def test_a_file_that_says_nothing_is_not_a_directory_without_models(tmp_path, content):
    (tmp_path / LABELS_FILE).write_text(content)
    for use in (
        lambda: read_labels(tmp_path, "ads"),
        lambda: labels_in(tmp_path, "ads", [3, 4]),
        lambda: write_labels(tmp_path, "ads", Labels(4), "/models"),
    ):
        with pytest.raises(DataError, match=r"models.config is empty .*promote"):
            use()
    assert (tmp_path / LABELS_FILE).read_text() == content
