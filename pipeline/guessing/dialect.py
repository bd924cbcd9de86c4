"""How CSV files are written: the character between values, texts for missing ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.file_names import format_of
from components.log_example_gen.file_names import suffix_of
from components.log_example_gen.text_lines import LongLine
from components.log_example_gen.text_lines import line_blocks
from pipeline.guessing.column import Column

_DELIMITERS = (",", ";", "\t", "|")
# Lines that are looked at.
_LINES = 50
# What programs write for a missing value. NaN is read as one in any column of numbers.
_NULLS = ("NULL", "null", "\\N", "None", "NA", "N/A", "<NA>", "nan")


def guess_delimiter(path: str) -> str:
    """Returns the character that separates the values of a CSV file.

    It is the one that cuts most of the first lines into as many values as the header
    has, and into more than one; a comma if none does.
    """
    if format_of(path) != ".csv" or suffix_of(path) == ".tsv":
        return ","
    first = next(line_blocks(path, "CSV"), b"")
    if isinstance(first, LongLine):
        return ","
    text = first.decode("utf-8", "replace")
    lines = text.splitlines()[:_LINES]
    best, best_score = ",", (0.0, 1)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        if not widths or widths[0] < 2:
            continue
        alike = sum(width == widths[0] for width in widths) / len(widths)
        if (alike, widths[0]) > best_score:
            best, best_score = delimiter, (alike, widths[0])
    return best


def guess_nulls(columns: Iterable[Column]) -> tuple[str, ...]:
    r"""Returns the texts that stand for a missing value in columns of a CSV file.

    A text of `_NULLS` is one where all other values of a column are numbers; `NULL` and
    `\N` are everywhere.
    """
    found = []
    everywhere = {"NULL", "\\N"}
    for column in columns:
        texts = {text for text in column.distinct if text in _NULLS}
        if not texts:
            continue
        others = Column(
            column.name,
            column.array.filter(_not_in(column, texts)),
        )
        numeric = others.numbers is not None
        found += [text for text in texts if numeric or text in everywhere]
    return tuple(text for text in _NULLS if text in found)


def dialect_of(path: str, columns: Iterable[Column]) -> CsvDialect:
    """Returns the dialect of a CSV file, given columns read with its delimiter."""
    return CsvDialect(delimiter=guess_delimiter(path), null_values=guess_nulls(columns))


def _not_in(column: Column, texts: set[str]) -> list[bool]:
    return [value not in texts for value in column.values]
