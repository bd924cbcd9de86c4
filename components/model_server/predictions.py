"""A request's arrays through a signature, or what is wrong with them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from components.model_server.errors import BadRequestError
from models.artifact_files import CONTRACT_FILE
from models.serving.saved_scorer import SavedScorer


def predict(
    scorer: SavedScorer, signature: str, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns a signature's outputs by name.

    Args:
        scorer: The model.
        signature: What is asked for.
        inputs: Arrays by name.

    Raises:
        BadRequestError: The signature, a name, type or shape is not the model's.
    """
    check(scorer, signature, inputs)
    try:
        return scorer(signature, inputs)
    except tf.errors.InvalidArgumentError as error:
        raise BadRequestError(_said(str(error.message))) from error


def inputs_of(scorer: SavedScorer, signature: str) -> Mapping[str, Any]:
    """Returns the TensorInfo of each input of a signature.

    Raises:
        BadRequestError: The model has no such signature.
    """
    if signature not in scorer.signatures:
        known = ", ".join(sorted(scorer.signatures))
        raise BadRequestError(
            f"no signature {signature[:60]!r}; the model has: {known}"
        )
    inputs: Mapping[str, Any] = scorer.signatures[signature].inputs
    return inputs


def check(scorer: SavedScorer, signature: str, inputs: Mapping[str, Any]) -> None:
    """Raises `BadRequestError` unless names, types and ranks are the signature's."""
    expected = inputs_of(scorer, signature)
    lacking = sorted(set(expected) - set(inputs))
    if lacking:
        raise BadRequestError(
            f"{signature} needs the input(s) {', '.join(lacking)}; a missing value is "
            f"sent as '', -1 or NaN ({Path(CONTRACT_FILE).name} beside the model)"
        )
    for name in sorted(set(inputs) - set(expected)):
        close = difflib.get_close_matches(name, expected, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise BadRequestError(f"{signature} has no input {name!r}{hint}")
    for name, value in inputs.items():
        info = expected[name]
        wanted = tf.dtypes.as_dtype(info.dtype)
        if value.dtype != wanted.as_numpy_dtype:
            raise BadRequestError(
                f"input {name} of {signature} is {value.dtype}; expected {wanted.name}"
            )
        shape = [dim.size for dim in info.tensor_shape.dim]
        if value.ndim != len(shape) or any(
            size not in (-1, is_) for size, is_ in zip(shape, value.shape, strict=True)
        ):
            free = [None if size < 0 else size for size in shape]
            raise BadRequestError(
                f"input {name} of {signature} has shape {list(value.shape)}; expected "
                f"{free}"
            )


def _said(message: str) -> str:
    """Returns the line that says what is wrong; around it, where in the graph it is."""
    before, _, _ = message.partition("\n\t [[")
    lines = [line for line in before.splitlines() if line.strip()]
    return lines[-1].strip() if lines else message
