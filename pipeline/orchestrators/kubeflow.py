"""Specs of Kubeflow Pipelines v2 with one container per kind of step.

A container runs `crossctr run ... --until KIND`, the same command as on one machine.
The graph resolves its inputs in crossctr's own ML Metadata by fingerprint, and never
reads from a later day; Kubeflow's own resolvers would choose the newest artifact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.planning.step_kinds import StepKind
from pipeline.store.metadata import PASSWORD

_DAY = "{{$.inputs.parameters['day']}}"


@dataclass(frozen=True)
class Containers:
    """Settings shared by all containers of a pipeline.

    Attributes:
        image: Image of the pipeline.
        config: Path of the configuration inside the container.
        volume: A PersistentVolumeClaim and where it is mounted, or None.
        secret: A Secret whose key `password` is ML Metadata's password, or None.
    """

    image: str
    config: str
    volume: tuple[str, str] | None = None
    secret: str | None = None


def specs(
    name: str, kinds: Sequence[StepKind], containers: Containers, day: str | None
) -> Mapping[str, Sequence[dict[str, Any]]]:
    """Returns the YAML documents by file: one per kind of step, and `day` with all.

    Args:
        name: The configuration's name.
        kinds: Kinds of step that the strategy can need, in running order.
        containers: Settings shared by all containers.
        day: Default of the parameter `day`, YYYY-MM-DD; None makes it required.
    """
    pipeline = "crossctr-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    # Strings, because YAML's safe writer refuses enumerations.
    levels = [str(kind) for kind in kinds]
    files = {
        level: _documents(f"{pipeline}-{level}", [level], containers, day)
        for level in levels
    }
    return {**files, "day": _documents(pipeline, levels, containers, day)}


def _documents(
    pipeline: str, levels: Sequence[str], containers: Containers, day: str | None
) -> list[dict[str, Any]]:
    parameter: dict[str, Any] = {
        "parameterType": "STRING",
        "description": "The run's day D, YYYY-MM-DD",
    }
    if day is not None:
        parameter |= {"defaultValue": day, "isOptional": True}
    spec: dict[str, Any] = {
        "components": {
            f"comp-{level}": {
                "executorLabel": f"exec-{level}",
                "inputDefinitions": {
                    "parameters": {"day": {"parameterType": "STRING"}}
                },
            }
            for level in levels
        },
        "deploymentSpec": {
            "executors": {
                f"exec-{level}": {
                    "container": {
                        "image": containers.image,
                        "command": ["crossctr", "run", containers.config],
                        "args": ["--day", _DAY, "--until", level],
                    }
                }
                for level in levels
            }
        },
        "pipelineInfo": {"name": pipeline},
        "root": {
            "dag": {"tasks": _tasks(levels)},
            "inputDefinitions": {"parameters": {"day": parameter}},
        },
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.13.0",
    }
    platform = _platform(containers)
    if not platform:
        return [spec]
    executors = {f"exec-{level}": platform for level in levels}
    kubernetes = {"deploymentSpec": {"executors": executors}}
    return [spec, {"platforms": {"kubernetes": kubernetes}}]


def _tasks(levels: Sequence[str]) -> dict[str, Any]:
    """Returns one task per level, each after the previous one."""
    tasks = {}
    for before, level in zip([None, *levels], levels, strict=False):
        tasks[level] = {
            # crossctr itself skips finished steps.
            "cachingOptions": {},
            "componentRef": {"name": f"comp-{level}"},
            "inputs": {"parameters": {"day": {"componentInputParameter": "day"}}},
            "retryPolicy": {
                "maxRetryCount": 3,
                "backoffDuration": "300s",
                "backoffFactor": 2.0,
                "backoffMaxDuration": "3600s",
            },
            "taskInfo": {"name": level},
            **({"dependentTasks": [before]} if before else {}),
        }
    return tasks


def _platform(containers: Containers) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if containers.volume:
        claim, path = containers.volume
        settings["pvcMount"] = [{"constant": claim, "mountPath": path}]
    if containers.secret:
        keys = [{"secretKey": "password", "envVar": PASSWORD}]
        settings["secretAsEnv"] = [{"secretName": containers.secret, "keyToEnv": keys}]
    return settings
