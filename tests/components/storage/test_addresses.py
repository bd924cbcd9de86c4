"""Addresses in object stores: what is one, and what each wrong one is told."""

import pytest

from components.storage.addresses import checked_address
from components.storage.addresses import is_uri
from models.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("gs://bucket/a b/", "gs://bucket/a b"),
        ("hdfs:///logs", "hdfs:///logs"),
        ("hdfs://node:8020/logs//", "hdfs://node:8020/logs"),
    ],
)
def test_an_address_has_no_slash_at_its_end(text, expected):
    assert checked_address(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file:///logs", r"no storage has the scheme file://; expected .*s3://, gs://"),
        ("s3a://bucket/logs", "no storage has the scheme s3a://.*mount other storage"),
        ("s3://", "is no address of a folder.*<bucket>"),
        ("s3:/bucket/logs", "is no address of a folder"),
        ("s3:///logs", "is no address of a folder"),
        ("s3://bucket//logs", "without empty parts"),
        ("s3://bucket/../logs", "without empty parts, `.` and `..`"),
        ("s3://bucket/logs?region=x", "settings of a store come from the environment"),
        ("s3://bucket/logs/*", "patterns are not read"),
    ],
)
def test_what_is_none_is_refused_with_what_is_one(text, message):
    with pytest.raises(ConfigError, match=message):
        checked_address(text)


def test_credentials_are_refused_and_not_repeated():
    with pytest.raises(ConfigError) as caught:
        checked_address("s3://key:hunter2@bucket/logs")
    assert "set them in the environment" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["logs", "/a://b", "a b://c", "~/logs", "date=1:/x"])
def test_a_path_is_no_uri(text):
    assert not is_uri(text)
