"""Base class of all configuration models."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING
from typing import Any

from pydantic import BaseModel
from pydantic import ConfigDict

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler


class StrictModel(BaseModel):
    """Base class of configuration models: frozen, unknown keys refused.

    The part `Attributes` of a model's docstring describes its keys, for readers of the
    code and of the JSON schema.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Returns the model's JSON schema, with its docstring's descriptions."""
        made = handler(core_schema)
        schema = handler.resolve_ref_schema(made)
        texts = descriptions(cls)
        for key, entry in schema.get("properties", {}).items():
            if key in texts:
                entry["description"] = texts[key]
        schema["description"] = _summary(cls)
        return made


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Returns the description of each key, from the docstrings of a model's classes."""
    # Late: only a few commands show descriptions.
    import docstring_parser

    found: dict[str, str] = {}
    for part in reversed(model.__mro__):
        text = part.__dict__.get("__doc__")
        if issubclass(part, StrictModel) and text:
            parsed = docstring_parser.parse(inspect.cleandoc(text))
            for entry in parsed.params:
                found[entry.arg_name] = " ".join((entry.description or "").split())
    return found


def _summary(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").partition("\n\n")[0].replace("\n", " ")
