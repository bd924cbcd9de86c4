"""The processes that TF_CONFIG names, read without TensorFlow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.errors import ConfigError

_ROLES = {"worker", "chief"}
# Characters of a value that a message repeats.
_SHOWN = 80


@dataclass(frozen=True)
class Cluster:
    """The processes that train together.

    Attributes:
        addresses: By role, `host:port` of each; empty without TF_CONFIG.
        is_chief: Whether this process writes the model.
    """

    addresses: Mapping[str, Sequence[str]]
    is_chief: bool

    @property
    def size(self) -> int:
        """How many processes there are, this one included."""
        return max(sum(len(found) for found in self.addresses.values()), 1)


def read_cluster() -> Cluster:
    """Reads TF_CONFIG.

    Raises:
        ConfigError: It is not the JSON that TensorFlow expects, or names roles other
            than workers.
    """
    text = os.environ.get("TF_CONFIG") or "{}"
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _bad(f"is not JSON: {str(error)[:_SHOWN]}") from error
    if not isinstance(config, dict):
        raise _bad(f"is not an object: {text[:_SHOWN]!r}")
    cluster = config.get("cluster") or {}
    if not isinstance(cluster, dict) or not all(
        isinstance(found, list) and all(isinstance(one, str) for one in found)
        for found in cluster.values()
    ):
        raise _bad(f"has no lists of addresses: {json.dumps(cluster)[:_SHOWN]}")
    if set(cluster) - _ROLES:
        raise ConfigError(
            f"TF_CONFIG names {', '.join(sorted(cluster))[:_SHOWN]}; expected a list "
            "of `worker` addresses alone. Parameter servers are another kind of "
            "training, see docs/how-to/scale.md"
        )
    return Cluster(cluster, _is_chief(cluster, config.get("task")))


def _is_chief(cluster: Mapping[str, Sequence[str]], task: Any) -> bool:
    if task is None:
        task = {"type": "worker", "index": 0}
    try:
        role, index = str(task["type"]), int(task["index"])
    except (KeyError, TypeError, ValueError) as error:
        raise _bad(f"has the task {json.dumps(task)[:_SHOWN]}") from error
    if cluster and not 0 <= index < len(cluster.get(role, ())):
        raise _bad(f"has the task {role[:_SHOWN]} {index}, which the cluster lacks")
    first = role == "worker" and index == 0
    return role == "chief" or ("chief" not in cluster and first)


def _bad(what: str) -> ConfigError:
    return ConfigError(
        f"TF_CONFIG {what}; expected "
        '{"cluster": {"worker": ["host:port", ...]}, '
        '"task": {"type": "worker", "index": 0}}; mend it, or unset it to train in one '
        "process"
    )
