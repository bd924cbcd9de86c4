"""Execute the notebooks of docs/ and store their outputs: `make notebooks`.

Runs in the environment of the documentation. The kernel is the Python of the pipeline's
environment, which takes from the documentation's only what it lacks.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "docs" / "notebooks"
WORK = ROOT / "build" / "notebooks"
_KERNEL = "crossctr"
# Libraries' log lines are not part of a page.
_START = (
    "import logging; logging.disable(logging.WARNING); "
    "import sys; sys.path.append({!r}); "
    "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
)
# A page has what a command prints into a file: no colours, no spinners, whole tables.
_PLAIN = (
    "import os, subprocess; os.environ.pop('FORCE_COLOR', None); "
    "get_ipython().system = lambda line: print(subprocess.run("
    "line, shell=True, check=True, capture_output=True, text=True).stdout, end='')"
)


def main() -> None:
    """Executes every notebook, in order of names, in one folder without results."""
    shutil.rmtree(WORK, ignore_errors=True)
    for name in ("configs", "schema"):
        shutil.copytree(ROOT / name, WORK / name)
    with tempfile.TemporaryDirectory() as kernels:
        _install_kernel(Path(kernels))
        os.environ["JUPYTER_PATH"] = kernels
        for path in sorted(NOTEBOOKS.glob("*.ipynb")):
            _execute(path)


def _install_kernel(folder: Path) -> None:
    bin_folder = ROOT / ".venv" / "bin"
    start = _START.format(sysconfig.get_path("purelib"))
    spec = {
        "argv": [
            *(str(bin_folder / "python"), "-c", start, "-f", "{connection_file}"),
            f"--IPKernelApp.exec_lines={_PLAIN}",
        ],
        "display_name": "Python 3",
        "language": "python",
        # A wide terminal; what libraries will not support one day is not the page's.
        "env": {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "COLUMNS": "140",
            "PYTHONWARNINGS": "ignore::FutureWarning",
        },
    }
    target = folder / "kernels" / _KERNEL / "kernel.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps(spec))


def _execute(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=3600,
        kernel_name=_KERNEL,
        record_timing=False,
        resources={"metadata": {"path": str(WORK)}},
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        # Scripts that libraries add to a notebook load from the network.
        cell.outputs = [
            one
            for one in cell.outputs
            if list(one.get("data", {})) != ["application/javascript"]
        ]
    notebook.metadata = {"language_info": {"name": "python"}}
    text = nbformat.writes(notebook)
    # Paths of the machine that ran it mean nothing to a reader.
    for folder in (f"{WORK}/configs/../", f"{WORK}/"):
        text = text.replace(folder, "")
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path.relative_to(ROOT)}: executed")


if __name__ == "__main__":
    main()
