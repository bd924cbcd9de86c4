"""Loads compiled pipelines with Kubeflow's own SDK and runs a day's containers here.

    make check-kubeflow

Runs with the SDK's own Python. The command lines are taken from the spec as the SDK
read it and run word by word, with `crossctr` from PATH instead of an image.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kfp import components


def main() -> None:
    """Prints what each file's pipeline is; raises what the loader raises."""
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
            whole = executors
    for level in ("ingest", "tpm", "cpm", "target"):
        container = whole[f"exec-{level}"]["container"]
        words = [*container["command"], *container["args"]]
        command = [w.replace("{{$.inputs.parameters['day']}}", day) for w in words]
        print("$", " ".join(command), flush=True)
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
