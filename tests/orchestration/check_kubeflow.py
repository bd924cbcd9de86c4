"""Check with Kubeflow's SDK: loads compiled pipelines, runs a day's containers here.

    make check-kubeflow

It runs with the SDK's own Python. The command lines of the spec, as loaded by the SDK,
are run unchanged, with `crossctr` from PATH instead of an image.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kfp import components


def main() -> None:
    """Prints the pipeline of each file and runs the tasks of a day."""
    folder, day = Path(sys.argv[1]), sys.argv[2]
    for path in sorted(folder.glob("*.yaml")):
        loaded = components.load_component_from_text(path.read_text())
        spec = loaded.pipeline_spec
        executors = spec.deployment_spec["executors"]
        if set(loaded.component_spec.inputs or {}) != {"day"}:
            sys.exit(f"{path} has no parameter `day`")
        tasks = list(spec.root.dag.tasks)
        print(f"{path.name}: {spec.pipeline_info.name}, tasks {', '.join(tasks)}")
        if path.stem == "day":
            whole, order = executors, _in_order(spec.root.dag.tasks)
    for level in order:
        container = whole[f"exec-{level}"]["container"]
        words = [*container["command"], *container["args"]]
        command = [w.replace("{{$.inputs.parameters['day']}}", day) for w in words]
        print("$", " ".join(command), flush=True)
        subprocess.run(command, check=True)


def _in_order(tasks: Mapping[str, Any]) -> list[str]:
    """Returns the tasks of a chain, first to last."""
    after = {tuple(task.dependent_tasks): name for name, task in tasks.items()}
    order: list[str] = []
    while len(order) < len(tasks):
        order.append(after[tuple(order[-1:])])
    return order


if __name__ == "__main__":
    main()
