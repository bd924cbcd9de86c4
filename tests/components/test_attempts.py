"""Files of attempts: the target is whole or as it was, and nothing else is left."""

import pytest

from components.attempts import attempt_path
from components.attempts import remove_attempts
from components.attempts import replacing


def test_the_last_attempt_that_ends_replaces_the_file(tmp_path):
    target = tmp_path / "counts.json"
    with replacing(target) as first, replacing(target) as second:
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"  # its context ends last
    assert list(tmp_path.iterdir()) == [target]


def test_an_attempt_that_fails_leaves_the_file_as_it_was(tmp_path):
    target = tmp_path / "counts.json"
    target.write_text("before")
    with pytest.raises(OSError, match="disk"), replacing(target) as beside:
        _write_half(beside)
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_files_of_killed_attempts_are_removed_and_others_kept(tmp_path):
    folder = tmp_path / "Split-de"
    folder.mkdir()
    kept = folder / "data-00000.parquet"
    for path in (kept, attempt_path(kept), attempt_path(kept)):
        path.touch()
    remove_attempts(tmp_path)
    assert list(folder.iterdir()) == [kept]


def _write_half(path):
    path.write_text("half")
    raise OSError("disk full")
