"""Files that survive a power cut at any moment, and what is said when none fits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models import durable_files
from models.errors import StorageError
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at
from tests.faults import operations


def contents(folder: Path) -> dict[str, bytes]:
    """Returns every file below a folder, by its path inside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_file_is_the_one_before_or_the_one_after(tmp_path: Path) -> None:
    def replace() -> None:
        durable_files.write_text(tmp_path / "a.json", "after")

    (tmp_path / "a.json").write_text("before")
    total = operations(replace)
    assert total == 4  # written, synced, renamed, the folder synced
    for number in range(total):
        (tmp_path / "a.json").write_text("before")
        cut_at(number, replace)
        assert (tmp_path / "a.json").read_text() == "before"
        replace()
        assert contents(tmp_path) == {"a.json": b"after"}


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / "a").write_bytes(b"1")
    (source / "inner" / "b").write_bytes(b"2")

    def publish(place: Path) -> None:
        durable_files.copy_tree(source, place / ".writing")
        durable_files.move_folder(place / ".writing", place / "final")

    total = operations(lambda: publish(tmp_path / "counted"))
    assert total == 2 + 4 + 2  # copies; files and folders; rename and its folder
    for number in range(total):
        place = tmp_path / str(number)
        cut_at(number, lambda place=place: publish(place))
        assert not (place / "final").exists()
        publish(place)
        assert contents(place / "final") == contents(source)


@pytest.mark.parametrize("disk", UNWRITABLE)
def test_a_disk_that_takes_nothing_is_named_and_the_same_again_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: str
) -> None:
    for number in range(4):
        Faults(monkeypatch, at=number, error=UNWRITABLE[disk])
        path = tmp_path / f"{number}.json"
        with pytest.raises(StorageError, match="repeat the same command") as raised:
            durable_files.write_text(path, "content")
        assert repr(str(tmp_path)) in str(raised.value)
        durable_files.write_text(path, "content")
        assert path.read_text() == "content"
        monkeypatch.undo()


def test_another_error_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable_files.write_text(tmp_path / "missing" / "a", "text")


LIMITED = """
import resource, sys
from pathlib import Path
from models.durable_files import write_text
from models.errors import StorageError

path = Path(sys.argv[1]) / "a.json"
write_text(path, "before")
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
try:
    write_text(path, "x" * 2000)
except StorageError as error:
    print(error)
print(path.read_text())
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
write_text(path, "x" * 2000)
print(len(path.read_text()))
"""


def test_a_limit_on_the_size_of_files_is_named(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    said, *contents_now = ran.stdout.splitlines()
    assert said.startswith(f"cannot write in {str(tmp_path)!r}: a file there may not")
    assert contents_now == ["before", "2000"]
