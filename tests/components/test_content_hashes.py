"""A file's hash is its content's, and is read again only if the file was touched."""

import hashlib
import json
import os

import pytest

from components.log_example_gen import content_hashes
from components.log_example_gen.content_hashes import ContentHashes
from components.log_example_gen.log_files import log_days
from models.errors import DataError


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "part-0.csv"
    path.write_bytes(b"a,b\n1,2\n")
    return path


@pytest.fixture
def read(monkeypatch):
    """The files that were read, in order; their changes count as long ago."""
    found = []

    def counted(path):
        found.append(path.name)
        return short_hash_of_file(path)

    short_hash_of_file = content_hashes.short_hash_of_file
    monkeypatch.setattr(content_hashes, "short_hash_of_file", counted)
    monkeypatch.setattr(content_hashes, "_SETTLED_SECONDS", -60)
    return found


def test_the_hash_is_of_the_content_alone(log):
    expected = hashlib.sha256(b"a,b\n1,2\n").hexdigest()[:16]
    assert ContentHashes().of(str(log)) == expected
    os.utime(log, (1, 1))
    assert ContentHashes().of(str(log)) == expected


def test_a_file_is_read_once_as_long_as_nobody_touches_it(log, tmp_path, read):
    kept = tmp_path / "hashes.json"
    for _ in range(3):
        hashes = ContentHashes(kept)
        hashes.of(str(log))
        hashes.save()
    assert read == ["part-0.csv"]
    os.utime(log, (1, 1))
    ContentHashes(kept).of(str(log))
    assert read == ["part-0.csv"] * 2


def test_an_ingest_reads_what_was_planned_only_if_it_was_touched_since(tmp_path, read):
    for day in (1, 2):
        folder = tmp_path / "ads" / f"date=1970-01-0{day + 1}"
        folder.mkdir(parents=True)
        (folder / f"{day}.csv").write_text("a,b\n1,2\n")
    planned = ContentHashes(tmp_path / "hashes.json")
    before = log_days(tmp_path / "ads", 0, 9, planned)
    planned.save()
    read.clear()
    ingest = ContentHashes(tmp_path / "hashes.json")
    assert log_days(tmp_path / "ads", 0, 9, ingest) == before
    assert read == []
    (folder / "2.csv").write_text("a,b\n1,3\n")
    now = log_days(tmp_path / "ads", 0, 9, ContentHashes(tmp_path / "hashes.json"))
    assert read == ["2.csv"]
    assert now[1] == before[1]
    assert now[2] != before[2]


@pytest.mark.usefixtures("read")
def test_other_content_of_the_same_size_and_time_is_seen(log, tmp_path):
    kept = tmp_path / "hashes.json"
    hashes = ContentHashes(kept)
    before, stat = hashes.of(str(log)), log.stat()
    hashes.save()
    log.write_bytes(b"a,b\n1,3\n")
    os.utime(log, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert log.stat().st_mtime_ns == stat.st_mtime_ns
    assert ContentHashes(kept).of(str(log)) != before


def test_a_file_that_was_just_written_is_not_remembered(log, tmp_path):
    hashes = ContentHashes(tmp_path / "hashes.json")
    hashes.of(str(log))
    hashes.save()
    assert not (tmp_path / "hashes.json").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": [1, 2]}'])
@pytest.mark.usefixtures("read")
def test_what_cannot_be_parsed_is_made_again(log, tmp_path, content):
    kept = tmp_path / "hashes.json"
    kept.write_text(content)
    hashes = ContentHashes(kept)
    assert hashes.of(str(log)) == ContentHashes().of(str(log))
    hashes.save()
    assert list(json.loads(kept.read_text())) == [str(log)]


@pytest.mark.usefixtures("read")
def test_files_that_are_gone_are_forgotten(log, tmp_path):
    hashes = ContentHashes(tmp_path / "hashes.json")
    hashes.of(str(log))
    log.unlink()
    hashes.save()
    assert json.loads((tmp_path / "hashes.json").read_text()) == {}


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match=r"part-1\.csv' cannot be read \(No such file"):
        ContentHashes().of(str(tmp_path / "part-1.csv"))
