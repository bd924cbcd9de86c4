"""Listing and reading of a store, what its errors become, and faults on the way."""

import gzip
import io
import random

import pyarrow as pa
import pytest

from components.storage import stores
from components.storage.files import local_copy
from components.storage.files import open_input
from components.storage.files import size_of
from components.storage.places import Info
from components.storage.places import ObjectPath
from components.storage.places import each
from components.storage.places import entries
from components.storage.places import name_below
from components.storage.places import place
from models.errors import ConfigError
from models.errors import ExitCode
from models.errors import StoreError
from models.errors import StoreUnreachableError
from tests.object_store import BUCKET

MIB = 1 << 20


def test_a_path_is_local_and_an_address_is_in_a_store(tmp_path):
    assert place(tmp_path) == tmp_path
    assert place("s3://clicks/logs") == ObjectPath("s3://clicks/logs")
    assert str(place("gs://clicks/logs") / "ads") == "gs://clicks/logs/ads"
    assert place("hdfs://node:8020/logs").parent == ObjectPath("hdfs://node:8020")


def test_a_folder_has_its_folders_and_files_by_name(store):
    for key in ("logs/b.csv", "logs/a/1.csv", "logs/a/x/2.csv", "logs.csv"):
        store.put(key, "u,v\n")
    folder = place(f"s3://{BUCKET}/logs")
    found = entries(folder)
    assert [(one.name, one.is_dir(), one.is_file()) for one in found] == [
        ("a", True, False),
        ("b.csv", False, True),
    ]
    assert found[1].info[:2] == (False, 4)
    assert found[1].info.modified > 0
    below = entries(found[0])
    assert [name_below(one, folder) for one in below] == ["a/1.csv", "a/x"]
    # What the listing said is not asked for again.
    assert not [one for one in store.faults.requests if one.startswith("HEAD")]


def test_names_are_taken_as_they_are(store):
    name = "a%20b #1?é*.csv"
    store.put(f"logs/{name}", b"12")
    (found,) = entries(place(f"s3://{BUCKET}/logs"))
    assert found.name == name
    with open_input(found.uri) as file:
        assert file.read() == b"12"


def test_nothing_is_there_until_it_is(store):
    path = place(f"s3://{BUCKET}/logs")
    assert not path.exists()
    assert not path.is_dir()
    store.put("logs/a.csv", "")
    assert path.is_dir()
    assert not path.is_file()
    assert (path / "a.csv").is_file()
    assert size_of(f"{path}/a.csv") == 0


@pytest.mark.parametrize("size", [0, 1, 3 * MIB, 9 * MIB + 1])
def test_a_file_is_read_whole_and_anywhere(store, size):
    content = bytes(i % 251 for i in range(1000)) * (size // 1000 + 1)
    content = content[:size]
    uri = store.put("a.bin", content)
    assert size_of(uri) == size
    with open_input(uri) as file:
        assert file.size() == size
        assert file.read() == content
    with open_input(uri) as file:
        file.seek(size // 2)
        assert file.read(100) == content[size // 2 :][:100]
    with local_copy(uri) as path:
        assert io.FileIO(path).read() == content
    with pytest.raises(FileNotFoundError):
        io.FileIO(path)


def test_a_packed_file_takes_few_requests(store):
    content = random.Random(0).randbytes(9 * MIB)
    uri = store.put("a.csv.gz", gzip.compress(content, 0))
    store.faults.clear()
    with pa.input_stream(open_input(uri), "gzip") as stream:
        assert stream.read() == content
    # Its size, and 4 MiB at a time.
    assert len(store.faults.requests) <= 5


def test_a_content_has_one_name_wherever_and_whenever_it_was_put(store):
    first = ObjectPath(store.put("a.csv", "1,2\n")).content_name()
    assert ObjectPath(store.put("b.csv", "1,2\n")).content_name() == first
    assert ObjectPath(store.put("a.csv", "1,2\n")).content_name() == first
    assert ObjectPath(store.put("a.csv", "1,3\n")).content_name() != first


def test_a_store_without_hashes_names_content_by_size_and_time(monkeypatch):
    class File(io.BytesIO):
        def size(self):
            return 4

        def metadata(self):
            return {}

    path = ObjectPath("hdfs://node/a.csv")
    monkeypatch.setattr(ObjectPath, "open", lambda _: File())
    names = set()
    for modified in (1, 2, 2):
        monkeypatch.setattr(ObjectPath, "look", lambda _, m=modified: Info(False, 4, m))
        names.add(path.content_name())
    assert len(names) == 2


class _Flat:
    """Google's store as Arrow lists it: files alone, however deep."""

    def __init__(self, system):
        self._system = system

    def get_file_info(self, what):
        found = self._system.get_file_info(what)
        if isinstance(found, list):
            return [one for one in found if one.is_file]
        return found


def test_folders_that_no_listing_names_are_found_by_their_files(tmp_path, monkeypatch):
    from pyarrow import fs

    for name in ("logs/date=1/a.csv", "logs/date=1/hour=2/b.csv", "logs/_SUCCESS"):
        path = tmp_path / "clicks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    system = _Flat(fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem()))
    monkeypatch.setattr(stores, "file_system", lambda _: system)
    found = entries(place("gs://clicks/logs"))
    assert [(one.name, one.is_dir()) for one in found] == [
        ("_SUCCESS", False),
        ("date=1", True),
    ]
    inside = entries(found[1])
    assert [(one.name, one.is_dir()) for one in inside] == [
        ("a.csv", False),
        ("hour=2", True),
    ]
    assert [one.name for one in entries(inside[1])] == ["b.csv"]


def test_many_are_asked_at_once_and_stay_in_order(store):
    folder = place(f"s3://{BUCKET}/logs")
    store.faults.delay(f"GET /{BUCKET}", 8, 0.3)
    for i in range(8):
        store.put(f"logs/{i}/{i}.csv", "1")
    found = each(folder, entries, [folder / str(i) for i in range(8)])
    assert [[one.name for one in inside] for inside in found] == [
        [f"{i}.csv"] for i in range(8)
    ]


# === Faults that pass: the client asks again ===


@pytest.mark.slow
@pytest.mark.parametrize("status", ["500 Internal Error", "503 Slow Down"])
def test_an_error_of_the_store_is_asked_again(store, status):
    uri = store.put("logs/a.csv", "1,2\n")
    code = "InternalError" if status.startswith("500") else "SlowDown"
    store.faults.fail(f"GET /{BUCKET}", 2, status, code)
    with open_input(uri) as file:
        assert file.read() == b"1,2\n"
    store.faults.fail(f"GET /{BUCKET}", 2, status, code)
    assert [one.name for one in entries(place(uri).parent)] == ["a.csv"]


def test_a_slow_store_is_waited_for(store):
    uri = store.put("a.csv", "1,2\n")
    store.faults.delay("", 3, 0.3)
    assert size_of(uri) == 4
    with open_input(uri) as file:
        assert file.read() == b"1,2\n"


def test_what_a_lost_connection_left_out_is_read_again(store):
    content = b"0123456789" * MIB
    uri = store.put("a.bin", content)
    store.faults.cut(f"GET /{BUCKET}/a.bin", 2)
    with open_input(uri) as file:
        assert file.read() == content


# === Faults that stay: an error says what to do, and no part passes for the whole ===


@pytest.mark.slow
def test_a_file_that_never_comes_whole_is_refused(store):
    uri = store.put("a.bin", b"0123456789" * MIB)
    store.faults.cut(f"GET /{BUCKET}/a.bin", 10**6)
    with open_input(uri) as file, pytest.raises(StoreUnreachableError) as caught:
        file.read()
    assert f"does not answer for {uri!r}" in str(caught.value)
    with pytest.raises(StoreError, match=r"'s3://.*a\.bin'"), local_copy(uri):
        pass


def test_a_store_that_only_fails_is_to_be_tried_later(store):
    uri = store.put("a.csv", "1")
    store.faults.fail("", 10**6, "503 Slow Down", "SlowDown")
    with pytest.raises(StoreUnreachableError) as caught:
        entries(place(uri).parent)
    assert caught.value.exit_code == ExitCode.TRY_AGAIN
    assert f"the store {store.url} does not answer" in str(caught.value)
    assert "run the same command again" in str(caught.value)


@pytest.mark.slow
def test_a_store_that_hangs_is_given_up(store):
    uri = store.put("a.csv", "1")
    store.faults.delay("", 3, 3.0)
    with pytest.raises(StoreUnreachableError, match="does not answer"):
        size_of(uri)


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_nobody_listens(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StoreUnreachableError) as caught:
        place("s3://clicks/logs").is_dir()
    assert "the store http://127.0.0.1:9 does not answer for 's3://clicks/logs'" in str(
        caught.value
    )
    assert "correct AWS_ENDPOINT_URL and AWS_REGION" in str(caught.value)


def test_a_missing_bucket_is_named(store):
    with pytest.raises(StoreError) as caught:
        place("s3://nobody/logs").is_dir()
    assert str(caught.value).startswith(
        f"there is no bucket 'nobody' in the store {store.url}, so no "
        "'s3://nobody/logs'; expected an existing bucket; create it, or correct"
    )
    with pytest.raises(StoreError, match="there is no bucket 'nobody'"):
        entries(place("s3://nobody/logs"))


def test_missing_credentials_are_named(store, monkeypatch):
    uri = store.put("a.csv", "1")
    store.faults.refuse_strangers()
    assert size_of(uri) == 1
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    stores._file_system.cache_clear()
    for ask in (size_of, lambda found: entries(place(found).parent)):
        with pytest.raises(StoreError) as caught:
            ask(uri)
        assert f"the store {store.url} denies 's3://clicks" in str(caught.value)
        assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in str(caught.value)
        assert not isinstance(caught.value, StoreUnreachableError)


def test_a_file_that_is_listed_and_gone_is_named(store):
    uri = store.put("logs/a.csv", "1")
    (found,) = entries(place(uri).parent)
    store.client.delete_object(Bucket=BUCKET, Key="logs/a.csv")
    with pytest.raises(StoreError, match=r"there is no 's3://clicks/logs/a\.csv'"):
        open_input(found.uri)
    with pytest.raises(StoreError, match="any more"):
        size_of(uri)


@pytest.mark.usefixtures("store")
def test_an_endpoint_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "ftp://x")
    with pytest.raises(ConfigError, match=r"'ftp://x' is no address of a store"):
        place("s3://clicks/logs").is_dir()


def test_hadoop_without_its_client_says_what_to_install(monkeypatch):
    def fail(*_):
        raise OSError("Unable to load libjvm: /usr/java/libjvm.so: no such file")

    monkeypatch.setattr(stores, "_file_system", fail)
    with pytest.raises(StoreError, match=r"hdfs://node/logs.*set JAVA_HOME"):
        place("hdfs://node/logs").is_dir()
