"""Dialect of a domain's CSV files."""

from __future__ import annotations

from pydantic import ValidationInfo
from pydantic import field_validator
from pydantic import model_validator

from models.strict_model import StrictModel


class CsvDialect(StrictModel):
    r"""Quoting of values in a domain's CSV files, and texts that mean a missing value.

    Attributes:
        delimiter: Character between values; a tab in files that end in `.tsv`, whatever
            is said here.
        quote: Character around values that hold commas, quotes or line breaks; null if
            the files quote nothing and the character is a part of values. A doubled one
            inside a quoted value means one.
        escape: Character that stands before a quotation mark, and before itself, inside
            a quoted value; Spark writes `\` by default. None by default. Outside of
            quoted values, and before other characters, it stands for itself.
        null_values: Texts that mean a missing value, beside the empty one, such as
            `NULL` or `\N`.
    """

    delimiter: str = ","
    quote: str | None = '"'
    escape: str | None = None
    null_values: tuple[str, ...] = ()

    @field_validator("quote", "escape")
    @classmethod
    def _check_character(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is None:
            return None
        usable = len(text) == 1 and text.isascii() and text.isprintable()
        delimiter = info.data.get("delimiter", ",")
        if not usable or text.isalnum() or text in (delimiter, " "):
            raise ValueError(
                "expected a single ASCII character that is neither a letter, a digit, "
                f"a space nor {delimiter!r}, or null for none"
            )
        return text

    @field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, text: str) -> str:
        usable = len(text) == 1 and text.isascii() and not text.isalnum()
        if text != "\t" and not (usable and text.isprintable()):
            raise ValueError(
                "expected a single ASCII character that is neither a letter nor a "
                "digit, or a tab"
            )
        return text

    @field_validator("null_values", mode="before")
    @classmethod
    def _check_texts(cls, texts: object) -> object:
        if isinstance(texts, list) and None in texts:
            raise ValueError('NULL is not text in YAML; write it in quotes: "NULL"')
        return texts

    @field_validator("null_values")
    @classmethod
    def _check_null_values(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        if not all(texts):
            raise ValueError("an empty value is always missing; remove the empty text")
        return texts

    @model_validator(mode="after")
    def _check_pair(self) -> CsvDialect:
        if self.escape is None:
            return self
        if self.quote is None:
            raise ValueError(
                f"`escape` {self.escape!r} works inside quoted values and `quote` is "
                "null; remove `escape`"
            )
        if self.escape == self.quote:
            raise ValueError(
                f"`escape` and `quote` are both {self.quote!r}; a doubled quotation "
                "mark always means one, so remove `escape`"
            )
        return self
