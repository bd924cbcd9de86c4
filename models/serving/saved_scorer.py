"""Scorer of a SavedModel in a session, as TensorFlow Serving runs it."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from models.compat import literal_folders


class SavedScorer:
    """Callable signatures of a SavedModel; thread-safe.

    Attributes:
        signatures: Signatures available to requests, as protos by name.
    """

    def __init__(self, folder: Path) -> None:
        """Loads the model.

        Args:
            folder: Folder of the SavedModel.

        Raises:
            OSError: There is no readable SavedModel.
        """
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default(), literal_folders():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], str(folder))
        # Signatures with a leading underscore are internal to the loader.
        self.signatures = {
            name: signature
            for name, signature in meta.signature_def.items()
            if not name.startswith("__")
        }
        self._calls = {name: self._callable(name) for name in self.signatures}

    def _callable(self, name: str) -> Callable[..., Any]:
        signature = self.signatures[name]
        fetched = {key: info.name for key, info in signature.outputs.items()}
        fed = [signature.inputs[key].name for key in sorted(signature.inputs)]
        call: Callable[..., Any] = self._session.make_callable(fetched, feed_list=fed)
        return call

    def __call__(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the outputs by name.

        Args:
            signature: One of `signatures`.
            inputs: Arrays by input name, of the input's type.
        """
        outputs: dict[str, Any] = self._calls[signature](
            *(inputs[key] for key in sorted(self.signatures[signature].inputs))
        )
        return outputs

    def close(self) -> None:
        """Releases the model; no call may be in progress."""
        self._session.close()
