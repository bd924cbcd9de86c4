"""Readers of a SavedModel's graph, loaded as TF Serving loads it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel


def table_operations_of_requests(folder: Path) -> set[str]:
    """Returns the types of the operations on lookup tables that requests run.

    Creating and filling a table belongs to loading; in a signature it would open and
    count the vocabulary's file again with each request.
    """
    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    functions = {f.signature.name: f.node_def for f in graph.library.function}
    nodes = {node.name: node for node in graph.node}
    waiting = [
        nodes[output.name.split(":")[0]]
        for name, signature in saved.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
        for output in signature.outputs.values()
    ]
    found: set[str] = set()
    entered: set[str] = set()
    while waiting:
        node = waiting.pop()
        if "Table" in node.op:
            found.add(node.op)
        for called in _called(node):
            if called in functions and called not in entered:
                entered.add(called)
                waiting += functions[called]
    return found


def _called(node: Any) -> Iterable[str]:
    yield node.op
    for value in node.attr.values():
        yield value.func.name
        yield from (function.name for function in value.list.func)
