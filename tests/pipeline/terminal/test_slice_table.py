"""Table of metrics by slice, as printed."""

import io

import pytest

from pipeline.store.results import TargetResult
from pipeline.terminal.plain_text import Console
from pipeline.terminal.slice_table import slice_table


def part(name, value, rows, auc, *, few=False):
    """Returns one entry of a decision, with intervals unless it has few rows."""
    metrics = {
        "example_count": rows,
        "auc": auc,
        "gauc": None,
        "log_loss": 0.25,
        "calibration": 1.0,
    }
    ends = {"low": None, "high": None} if few else {"low": 0.1234, "high": 0.9876}
    intervals = {name: {"value": metrics[name], **ends} for name in ("auc", "log_loss")}
    return {
        "slice": name,
        "value": value,
        "few_rows": few,
        "candidate": metrics,
        "live": metrics,
        "intervals": intervals,
        "changes": {"auc": {"value": -0.0123, **ends}},
    }


@pytest.fixture
def printed():
    """Returns a function that prints a decision's table."""

    def show(**changes):
        decision = {
            **part("", "", 1234.0, 0.7),
            "slices": [
                part("user_history", "0", 1200.0, 0.6543),
                part("user_history", "21+", 34.0, None, few=True),
                part("hour", "7", 1234.0, 0.7),
                part("hour", "8", 2.0, None, few=True),
                part("hour", "9", 1000.0, 0.5, few=True),
            ],
            **changes,
        }
        console = Console(file=io.StringIO(), width=160)
        console.print(slice_table(TargetResult("ecdctr", decision, {}, None), "ads"))
        lines = console.file.getvalue().splitlines()
        return lines, {
            cells[0]: cells[1:]
            for cells in ([c.strip() for c in line.split("│")[1:-1]] for line in lines)
            if cells
        }

    return show


def test_rows_are_slices_with_intervals_and_marks(printed):
    lines, rows = printed(live=None)
    assert lines[0].strip() == "ecdctr on ads by slice"
    interval = "0.654 (0.123, 0.988)"
    assert rows["user history 0"][:3] == ["1,200", interval, "undefined"]
    assert rows["user history 0"][-1] == ""
    assert rows["user history: 1 value"] == ["34", "", "", "", "", "few rows"]
    assert rows["hour: 2 values"] == ["1,002", "", "", "", "", "few rows each"]
    assert rows["all"][0] == "1,234"
    assert not any("against live" in line for line in lines)


def test_the_change_against_the_live_model_fits_on_one_line_each(printed):
    lines, rows = printed()
    assert rows["hour 7"][-2] == "-0.012 (+0.123, +0.988)"
    assert len(rows) == 5
    # Three lines of head, three of frame between and below the sections, the rows.
    assert len(lines) == 1 + 3 + 5 + 3


def test_without_slices_there_is_one_line_for_all_rows(printed):
    _, rows = printed(slices=[], live=None)
    assert rows["all"][0] == "1,234"
    assert "hour 7" not in rows
