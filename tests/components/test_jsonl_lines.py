"""JSON Lines: every line that is not blank is parsed or quarantined by itself."""

import json

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from components.log_example_gen import text_lines
from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.jsonl_lines import MAX_DEPTH
from components.log_example_gen.readers import read_pieces
from components.log_example_gen.wanted import Wanted

WANTED = {"a": Wanted(), "t": Wanted(is_id=True), "l": Wanted(is_list=True)}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("jsonl") / "log.jsonl"


def read(path, text, block_bytes=1 << 20, wanted=None):
    """Returns what was read and the reasons, both by position of the line."""
    path.write_bytes(text)
    rows, reasons = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_lines, "BLOCK_BYTES", block_bytes)
        for piece in read_pieces(str(path), 1000, CsvDialect(), wanted or WANTED):
            found = piece.table.to_pylist()
            rows |= dict(zip(piece.numbers.tolist(), found, strict=True))
            reasons |= {line: reason for line, _, reason in piece.rejected}
    return rows, reasons


HEALTHY = (
    b'{"a": 1, "t": "x"}\n'
    b'{"a": 2, "t": "a } \\" { [ \\\\"}\n'
    b"\n"
    b'{"a": 3, "l": ["p", "q"], "o": {"k": 1}}\r\n'
    b' {"t": "\\u00dc"} \n'
)


@st.composite
def damaged(draw):
    """Returns JSON Lines with some bytes put in, taken out or exchanged."""
    text = bytearray(HEALTHY * draw(st.integers(1, 3)))
    parts = [*b'{}[]",:\\\n\r\0 1a', b"},{", b"}{", b"},", b'":"']
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, len(text)))
        part = draw(st.sampled_from(parts))
        text[at : at + draw(st.integers(0, 2))] = (
            bytes([part]) if isinstance(part, int) else part
        )
    return bytes(text)


def _valid(line):
    """Returns the object in a line, as Python reads it; None if there is none."""

    def pairs_of(pairs):
        names = [key for key, _ in pairs if key in WANTED]
        return dict(pairs) | {"twice": len(set(names)) < len(names)}

    try:
        value = json.loads(line.strip(b" \t\r\n"), object_pairs_hook=pairs_of)
    except ValueError:
        return None
    return value if isinstance(value, dict) and not value["twice"] else None


def _fits(value):
    """Whether the wanted values of an object are what is wanted of them."""
    single = (str, int, float, bool, type(None))
    lists = value.get("l") is None or isinstance(value["l"], list)
    return lists and all(isinstance(value.get(name), single) for name in "at")


@given(damaged(), st.sampled_from([32, 1 << 20]))
@settings(max_examples=200, deadline=None)
def test_every_line_of_a_damaged_file_is_parsed_or_set_aside(path, text, block_bytes):
    lines = [line for line in text.split(b"\n") if line.strip(b" \t\r")]
    rows, reasons = read(path, text, block_bytes)
    assert sorted([*rows, *reasons]) == list(range(len(lines)))
    for number, row in rows.items():
        expected = _valid(lines[number])
        assert expected is not None, lines[number]
        assert {k for k, v in row.items() if v not in (None, [])} <= set(expected)
    for number, reason in reasons.items():
        value = _valid(lines[number])
        assert value is None or not _fits(value), (lines[number], reason)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"a": 0}\0', "a NUL byte"),
        (b'{"a": 0, "t": "\0"}', "a NUL byte"),
        (b'{"a": 0},', "it does not end with '}'"),
        (b'{"a": 0},{"a": 0}', "something follows the object"),
        (b'{"a": 0}{"a": 0}', "something follows the object"),
        (b'{"a": {"b": 0}', "an object or a list in it is not closed"),
        (b'[{"a": 0}]', "it does not begin with '{'"),
        (b'{"a": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", "nested 20,001 deep"),
        (b'{"a": ' * 20_000 + b"0" + b"}" * 20_000, "nested 20,000 deep"),
        (b'{"a": ' + b"[" * 20_000 + b"}", "nested 20,001 deep"),
    ],
    ids=lambda value: value[:24].decode() if isinstance(value, bytes) else None,
)
def test_a_bad_line_costs_itself_alone(path, bad, reason):
    lines = [b'{"a": %d}' % i for i in range(2000)]
    lines[1000] = bad
    rows, reasons = read(path, b"\n".join(lines))
    assert [row["a"] for row in rows.values()] == list(rows)
    assert list(rows) == [i for i in range(2000) if i != 1000]
    assert list(reasons) == [1000]
    assert reason in reasons[1000]


def test_nesting_up_to_the_bound_is_read(path):
    deep = b'{"z": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}\n"
    assert len(read(path, deep * 3)[0]) == 3
    many_lists = b'{"z": [' + b",".join([b"[1]"] * 200) + b"]}\n"
    assert len(read(path, many_lists * 3)[0]) == 3


def test_braces_in_texts_and_inner_objects_are_no_fault(path):
    lines = [{"a": i, "t": "}{" * (i % 3), "o": {"k": ["\\", '"']}} for i in range(50)]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    wanted = {"a": Wanted(), "t": Wanted(is_id=True)}
    rows, reasons = read(path, text, block_bytes=200, wanted=wanted)
    expected = [{"a": line["a"], "t": line["t"]} for line in lines]
    assert (list(rows.values()), reasons) == (expected, {})
