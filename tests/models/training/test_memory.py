"""Peak memory of a part of a process's life."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from models.training import memory

needs_linux = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc"
)
MIB = 1 << 20


def _touch(size_mib: int) -> None:
    """Makes pages resident and gives them back to the system."""
    with mmap.mmap(-1, size_mib * MIB) as pages:
        for at in range(0, len(pages), mmap.PAGESIZE):
            pages[at] = 1


@pytest.mark.slow
@needs_linux
def test_a_peak_is_counted_and_forgotten_after_a_reset():
    before = memory.reset_peak()
    _touch(200)
    peak = memory.peak_mib()
    assert 190 < peak - before < 260
    assert memory.reset_peak() < peak - 150
    assert memory.peak_mib() < peak - 150


@pytest.mark.slow
@needs_linux
def test_what_was_freed_is_given_back_before_it_is_counted():
    # A hole below what is kept: the allocator holds on to it.
    hole = [b"x" * (100_000 + i) for i in range(1_000)]
    kept = b"x" * 100_000
    with_hole = memory.reset_peak()
    del hole
    assert memory.reset_peak() < with_hole - 50
    assert len(kept) == 100_000


def test_a_system_that_cannot_reset_gives_the_whole_life_s_peak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(memory, "_PROCESS", tmp_path / "none")
    memory.reset_peak()
    assert "those of the whole process" in caplog.text
    assert memory.peak_mib() > 1
