"""Truncated TFRecord files are found; the records of whole ones are counted."""

import gzip
import struct

import pytest

from components.log_example_gen import tfrecord_framing
from components.log_example_gen.tfrecord_framing import count_records
from models.errors import DataError


def framed(*contents):
    """Returns the bytes of a TFRecord file whose checksums are left out."""
    return b"".join(
        struct.pack("<QI", len(content), 0) + content + bytes(4) for content in contents
    )


WHOLE = [0, 21, 37, 53 + 40]
CONTENT = framed(b"hello", b"", b"x" * 40)


@pytest.mark.parametrize("block_bytes", [1, 7, 12, 30, 10**6])
def test_a_file_is_whole_only_where_a_record_ends(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(tfrecord_framing, "_BLOCK_BYTES", block_bytes)
    path = tmp_path / "part-0.tfrecord"
    for length in range(len(CONTENT) + 1):
        path.write_bytes(CONTENT[:length])
        if length in WHOLE:
            assert count_records(str(path)) == WHOLE.index(length)
        else:
            inside = sum(end < length for end in WHOLE)
            with pytest.raises(DataError, match=rf"ends inside record {inside}\)"):
                count_records(str(path))


def test_a_packed_file_is_whole_only_with_its_last_byte(tmp_path):
    path = tmp_path / "part-0.tfrecord.gz"
    packed = gzip.compress(CONTENT)
    for length in range(1, len(packed)):
        path.write_bytes(packed[:length])
        with pytest.raises(DataError, match="part-0.tfrecord.gz cannot be read as TF"):
            count_records(str(path))
    path.write_bytes(packed + packed)
    assert count_records(str(path)) == 6
    path.write_bytes(packed[:0])
    assert count_records(str(path)) == 0


def test_a_packed_file_under_a_plain_name_is_told_apart(tmp_path):
    path = tmp_path / "part-0.tfrecord"
    path.write_bytes(gzip.compress(CONTENT))
    with pytest.raises(DataError, match="it begins like gzip; rename it so that"):
        count_records(str(path))


def test_a_record_may_be_as_long_as_what_gzip_begins_with_says(tmp_path):
    path = tmp_path / "part-0.tfrecord"
    content = framed(b"x" * 0x8B1F)
    assert content.startswith(b"\x1f\x8b")
    path.write_bytes(content)
    assert count_records(str(path)) == 1
