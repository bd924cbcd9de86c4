"""CSV: every line of a file is in a record or quarantined, whatever it contains.

The reference is a reader that goes through the file character by character, and
Python's `csv` module for files without faults.
"""

import csv
import io

import pyarrow as pa
import pytest
from hypothesis import assume
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.log_example_gen import csv_records
from components.log_example_gen import text_lines
from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.wanted import Wanted
from models.errors import DataError

HEADER = b"a,b,c\n"
SPARK = CsvDialect(escape="\\")


def read(path, text, dialect=None, block_bytes=1 << 20):
    """Returns rows and reasons by line, and the number of line breaks in values."""
    path.write_bytes(text)
    rows, reasons, line_breaks = {}, {}, 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "BLOCK_BYTES", block_bytes)
        for piece in read_pieces(str(path), 1000, dialect or CsvDialect(), {}):
            names = piece.table.column_names
            kinds = pa.schema([(name, pa.binary()) for name in names])
            found = piece.table.cast(kinds).to_pylist()
            rows |= dict(zip(piece.numbers.tolist(), found, strict=True))
            reasons |= {line: reason for line, _, reason in piece.rejected}
            line_breaks += piece.line_breaks
    return rows, reasons, line_breaks


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("csv") / "log.csv"


def reference(text, escape=None, columns=3):
    """Reads a CSV character by character; returns what `read` does."""
    lines = text.removesuffix("\n").split("\n") if text else []
    rows, rejected, at, joined = {}, set(), 0, 0
    while at < len(lines):
        taken, cells = _record(lines, at, escape, columns)
        if cells is None or len(cells) != columns:
            # An empty line is a row without values.
            if lines[at] in ("", "\r"):
                rows[at] = dict.fromkeys("abc")
            else:
                rejected.add(at)
        else:
            values = [cell.encode() or None for cell in cells]
            rows[at] = dict(zip("abc", values, strict=True))
        at += taken
        joined += taken - 1
    return rows, rejected, joined


def _record(lines, first, escape, columns):
    """Returns the lines that the record at `first` takes and its cells, None if bad."""
    cells, cell, state = [], "", "start"
    for line in range(first, len(lines)):
        content = lines[line]
        if state == "quoted" and line > first:
            whole = line < len(lines) and _record([content], 0, escape, columns)[1]
            if whole and len(whole) == columns and _stays_quoted(content, escape):
                return 1, None
        i = 0
        while i < len(content):
            char, rest = content[i], content[i + 1 :]
            if state == "quoted":
                if char == escape and rest[:1] in ('"', escape):
                    cell += rest[0]
                    i += 1
                elif char == '"' and rest[:1] == '"':
                    cell += '"'
                    i += 1
                elif char == '"':
                    state = "closed"
                else:
                    cell += char
            elif char == "\r" and not rest:
                break
            elif char == ",":
                cells.append(cell)
                cell, state = "", "start"
            elif state == "closed" or char in '"\r' and state == "plain":
                return 1, None
            elif char == '"' and state == "start":
                state = "quoted"
            elif char == "\r":
                return 1, None
            else:
                cell, state = cell + char, "plain"
            i += 1
        if state != "quoted":
            return line - first + 1, [*cells, cell]
        cell += "\n"
    return 1, None


def _stays_quoted(content, escape):
    """Whether a line inside a quoted value does not close it."""
    i = 0
    while i < len(content):
        if content[i] == escape and content[i + 1 : i + 2] in ('"', escape):
            i += 1
        elif content[i] == '"':
            if content[i + 1 : i + 2] != '"':
                return False
            i += 1
        i += 1
    return True


CELLS = st.text(alphabet='x1,"\n\r\\ ', max_size=5)


@given(st.lists(st.lists(CELLS, min_size=7, max_size=7)), st.booleans())
@settings(max_examples=100, deadline=None)
def test_what_the_csv_module_writes_is_read_as_the_csv_module_reads_it(
    path, table, all_quoted
):
    out = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if all_quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(out, quoting=quoting, lineterminator="\r\n")
    writer.writerow(list("abcdefg"))
    for cells in table:
        before = len(out.getvalue())
        writer.writerow(cells)
        # A line inside a value that has as many columns as the header is taken for a
        # record that a stray quotation mark swallowed: see "Every record is accounted
        # for" in docs/reference/ingest.md.
        inside = out.getvalue()[before:].split("\n")[1:-2]
        assume(all(line.count(",") != 6 for line in inside))
    text = out.getvalue()
    expected = list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]
    rows, reasons, line_breaks = read(path, text.encode(), block_bytes=64)
    assert not reasons
    assert [
        [(value or b"").decode() for value in row.values()] for row in rows.values()
    ] == expected
    assert len(rows) + line_breaks == text.count("\n") - 1


PLAIN = b'1,"x, y",3\n4,5,6\n"7","8\nand 9",0\n"","say ""hi""",2\n,,\na,b,c\n'
ESCAPED = (
    b'1,"x\\", y",3\n4,5\\,6\n"7\\\\","8\nand 9",0\n"","say \\"hi\\"",2\n,,\na,\\b,c\n'
)


@st.composite
def damaged(draw, healthy):
    """Returns a CSV with some bytes put in, taken out or exchanged."""
    text = bytearray(healthy * draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 2))] = draw(
            st.sampled_from([b"", b'"', b'""', b",", b"\n", b"\r", b"\\", b"\0", b"z"])
        )
    if not text.endswith(b"\n"):
        text += b"\n"
    return bytes(text)


@pytest.mark.parametrize(
    ("healthy", "dialect"), [(PLAIN, CsvDialect()), (ESCAPED, SPARK)], ids=["", "spark"]
)
def test_every_line_of_a_damaged_file_is_read_or_quarantined_by_the_rules(
    path, healthy, dialect
):
    @given(damaged(healthy), st.sampled_from([24, 64, 1 << 20]))
    @settings(max_examples=200, deadline=None)
    def check(text, block_bytes):
        rows, reasons, line_breaks = read(path, HEADER + text, dialect, block_bytes)
        expected, rejected, joined = reference(text.decode(), dialect.escape)
        # The file's own lines, counted by nothing but their ends.
        assert len(rows) + len(reasons) + line_breaks == text.count(b"\n")
        assert set(reasons) == rejected
        assert rows == expected
        assert line_breaks == joined

    check()


@pytest.mark.parametrize("block_bytes", [64, 1 << 20])
def test_a_stray_quotation_mark_costs_its_own_line(path, block_bytes):
    lines = [f"{i},s{i % 3},u{i}" for i in range(3000)]
    lines[1000] = '1000,"s1,u1000'
    text = HEADER + "\n".join(lines).encode() + b"\n"
    rows, reasons, _ = read(path, text, block_bytes=block_bytes)
    assert list(rows) == [i for i in range(3000) if i != 1000]
    assert reasons == {
        1000: "a quotation mark opens a value that would hold a whole record 1 line(s) "
        "below"
    }


def test_two_stray_marks_that_would_make_one_valid_record_cost_two_lines(path):
    lines = [f"{i},s{i % 3},u{i}" for i in range(100)]
    lines[10], lines[90] = '10,"s1,u10', '90,s0",u90'
    rows, reasons, _ = read(path, HEADER + "\n".join(lines).encode())
    assert list(rows) == [i for i in range(100) if i not in (10, 90)]
    assert list(reasons) == [10, 90]


def test_spark_files_are_read_with_their_escape_and_quarantined_without(path):
    text = HEADER + b'1,"TV 13\\"",x\n2,plain\\,y\n3,"back\\\\",z\n'
    rows, reasons, _ = read(path, text, SPARK)
    assert [row["b"] for row in rows.values()] == [b'TV 13"', b"plain\\", b"back\\"]
    assert not reasons
    rows, reasons, _ = read(path, text)
    assert list(reasons) == [0]
    assert [row["b"] for row in rows.values()] == [b"plain\\", b"back\\\\"]


def test_without_quotes_a_quotation_mark_is_a_character(path):
    text = HEADER + b'1,"TV 13,"x\n2,a"b,""\n'
    rows, reasons, _ = read(path, text, CsvDialect(quote=None))
    assert [row["b"] for row in rows.values()] == [b'"TV 13', b'a"b']
    assert not reasons


def test_another_quote_and_texts_that_mean_missing(path):
    dialect = CsvDialect(quote="'", null_values=("NULL", "\\N"))
    text = HEADER + b"'1,\n2',NULL,\"\n\\N,,'it''s'\n"
    rows, reasons, line_breaks = read(path, text, dialect)
    assert list(rows.values()) == [
        {"a": b"1,\n2", "b": None, "c": b'"'},
        {"a": None, "b": None, "c": b"it's"},
    ]
    assert (reasons, line_breaks) == ({}, 1)


@pytest.mark.parametrize("block_bytes", [100, 1 << 20])
def test_a_value_that_never_ends_is_given_up_after_a_bounded_number_of_bytes(
    path, block_bytes, monkeypatch
):
    monkeypatch.setattr(csv_records, "MAX_RECORD_BYTES", 200)
    text = HEADER + b'1,"2\n' + b"short\n" * 100 + b"4,5,6\n"
    rows, reasons, _ = read(path, text, block_bytes=block_bytes)
    assert reasons[0] == "a quotation mark opens a value of more than 200 bytes"
    assert list(rows) == [101]
    assert len(rows) + len(reasons) == 102


@pytest.mark.parametrize("block_bytes", [16, 64, 100])
@pytest.mark.parametrize("end", [b"", b"\n4,5,6\n7,8,9\n"], ids=["last", "inside"])
def test_a_line_that_is_too_long_costs_itself_alone(
    path, monkeypatch, block_bytes, end
):
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 100)
    text = HEADER + b"1,2,3\n" + b"x" * 300 + end
    rows, reasons, _ = read(path, text, block_bytes=block_bytes)
    assert reasons == {1: "a line longer than 100 bytes"}
    assert [row["a"] for row in rows.values()] == [b"1", b"4", b"7"][: 3 if end else 1]


def test_a_line_that_is_too_long_closes_no_quoted_value(path, monkeypatch):
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 100)
    text = HEADER + b'1,"2\n' + b"x" * 300 + b'\n4,5,6\n7,8",9\n'
    rows, reasons, _ = read(path, text, block_bytes=64)
    assert list(rows) == [2]
    assert sorted(reasons) == [0, 1, 3]


def test_a_header_that_names_a_wanted_column_twice_is_refused(path):
    path.write_bytes(b"a,b,a,c,c,c,c (2)\n1,2,3,4,5,6,7\n")
    with pytest.raises(DataError, match=r"log.csv names the column 'a' 2 times"):
        list(read_pieces(str(path), 1000, CsvDialect(), {"a": Wanted()}))
    # Columns that nobody reads may be called alike.
    (piece,) = read_pieces(str(path), 1000, CsvDialect(), {"b": Wanted()})
    assert piece.table.column_names == [
        "a",
        "b",
        "a (2)",
        "c",
        "c (3)",
        "c (4)",
        "c (2)",
    ]
    assert piece.table.to_pylist()[0]["c (2)"] == "7"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_named(path, encoding):
    path.write_bytes("a,b,c\n1,2,3\n".encode(encoding))
    with pytest.raises(DataError, match=r"log.csv .*UTF-16.*write .* as UTF-8"):
        list(read_pieces(str(path), 1000, CsvDialect(), {}))


def test_another_delimiter_and_tabs(path, tmp_path):
    text = b'a;b;c\n1;"x;y";2,5\n'
    rows, _, _ = read(path, text, CsvDialect(delimiter=";"))
    assert list(rows.values()) == [{"a": b"1", "b": b"x;y", "c": b"2,5"}]
    tabs = tmp_path / "log.tsv"
    rows, _, _ = read(tabs, b'a\tb\tc\n1\t"x\ty"\t2,5\n')
    assert list(rows.values()) == [{"a": b"1", "b": b"x\ty", "c": b"2,5"}]


def test_a_header_with_an_open_quotation_mark_is_refused(path):
    with pytest.raises(DataError, match="header: a quotation mark opens a value and"):
        read(path, b'a,"b,c\n1,2,3\n')


@pytest.mark.parametrize(
    "text",
    [b'\xef\xbb\xbf"a",b,c\r\n1,2,3\r\n', b"a,b,c\n1,2,3\r", b"a,b,c\n1,2,3"],
    ids=["bom", "return at the end", "no newline at the end"],
)
def test_byte_order_mark_and_last_line_break_are_optional(path, text):
    rows, reasons, _ = read(path, text)
    assert list(rows.values()) == [{"a": b"1", "b": b"2", "c": b"3"}]
    assert not reasons
