"""Airflow DAGs, one per configuration, with one task per kind of step.

Link this file into Airflow's DAGs folder. Airflow runs in a separate environment and
parses the file every half minute, so the file loads only one module of crossctr, which
has no dependencies. There is a task for every kind of step, so that a change of
strategy never changes the tasks; a task without work ends in about a second. Each task
runs `crossctr` in crossctr's own environment.
Settings, explained in docs/how-to/orchestration.md:

    CROSSCTR_CONFIGS        configuration files or folders of them, separated by colons
    CROSSCTR                the command; default `crossctr`
    CROSSCTR_START          first day to run, YYYY-MM-DD; default: the first that can be
    CROSSCTR_RETRIES        default 3
    CROSSCTR_RETRY_SECONDS  wait before the first retry, doubled each time; default 300
"""

from __future__ import annotations

import datetime
import importlib.util
import logging
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from airflow import DAG
from airflow.exceptions import AirflowException
from airflow.models import BaseOperator


def _load(folder: str, name: str) -> ModuleType:
    """Loads a module of `pipeline/<folder>` without the package around it."""
    path = Path(__file__).resolve().parents[1] / folder / f"{name}.py"
    if not path.is_file():
        raise ImportError(
            f"there is no {path}; link {Path(__file__).name} from crossctr's folder "
            "`pipeline/orchestrators` into the folder of DAGs instead of copying it"
        )
    spec = importlib.util.spec_from_file_location(f"crossctr_{name}", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be loaded; expected a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_log = logging.getLogger(__name__)
_yaml_text = _load("config", "yaml_text")
_step_kinds = _load("planning", "step_kinds")


class CrossctrOperator(BaseOperator):
    """Operator that runs the command; the command's last line is the failure reason."""

    template_fields = ("command",)

    def __init__(self, *, command: list[str], **others: Any) -> None:
        super().__init__(**others)
        self.command = command
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Runs the command and copies its output to the task's log."""
        del context
        last = "it printed nothing"
        self._process = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        for line in self._process.stdout or ():
            self.log.info("%s", line.rstrip())
            last = line.strip() or last
        code = self._process.wait()
        if code:
            how = (
                f"was killed by {signal.Signals(-code).name}"
                if code < 0
                else f"ended with exit code {code}"
            )
            raise AirflowException(
                f"`{shlex.join(self.command)}` {how}. Its last line: {last}. What it "
                "finished is kept; the same command goes on from there"
            )

    def on_kill(self) -> None:
        """Ends the command and all its processes when the task is killed."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)


def dag_of(path: Path) -> DAG:
    """Returns the DAG of the configuration at `path`.

    Raises:
        ValueError: The file has no keys with values.
    """
    config = _yaml_text.read_yaml(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        raise ValueError("expected keys with values")
    # A run of day D is evaluated on days from D on, so it waits for the last of them.
    lag = int(config.get("evaluation_days", 1)) - 1
    retry = datetime.timedelta(
        seconds=float(os.environ.get("CROSSCTR_RETRY_SECONDS", 300))
    )
    dag = DAG(
        f"crossctr_{config['name']}",
        description=f"crossctr on {path.name}, the run of each day",
        schedule="@daily",
        start_date=_start(config) + datetime.timedelta(days=lag),
        catchup=True,
        # One day at a time, in order: each is warm-started from the previous day.
        max_active_runs=1,
        default_args={
            "depends_on_past": True,
            "retries": int(os.environ.get("CROSSCTR_RETRIES", 3)),
            "retry_delay": retry,
            "retry_exponential_backoff": True,
            "max_retry_delay": datetime.timedelta(hours=1),
        },
        tags=["crossctr"],
    )
    former = None
    for kind in _step_kinds.StepKind:
        task = CrossctrOperator(
            task_id=str(kind),
            dag=dag,
            command=[
                *shlex.split(os.environ.get("CROSSCTR", "crossctr")),
                "run",
                str(path),
                "--day",
                f"{{{{ macros.ds_add(ds, -{lag}) }}}}",
                "--until",
                str(kind),
            ],
        )
        if former is not None:
            former >> task
        former = task
    return dag


def _start(config: dict[str, Any]) -> datetime.datetime:
    chosen = os.environ.get("CROSSCTR_START")
    if chosen:
        day = datetime.date.fromisoformat(chosen)
    else:
        # The logs' first days leave nothing to train on until the clocks have ticked.
        levels = config.get("levels") or {}
        every = max(
            int((levels.get("cpm") or {}).get("every_days", 7)),
            int((levels.get("target") or {}).get("every_days", 1)),
            # A day reads the source model of an earlier day.
            int((levels.get("source") or {}).get("every_days", 1)) + 1,
        )
        first = datetime.date.fromisoformat(str(config["first_day"]))
        day = first + datetime.timedelta(days=every)
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.timezone.utc)


def _configurations() -> Iterator[Path]:
    for name in filter(None, os.environ.get("CROSSCTR_CONFIGS", "").split(":")):
        path = Path(name)
        yield from sorted(path.glob("*.yaml")) if path.is_dir() else [path]


def stand_in_for(path: Path, reason: str) -> DAG:
    """Returns a DAG without tasks for a configuration that cannot be read.

    An exception would remove the DAGs of all other configurations from Airflow. This
    one is never scheduled; its description and its tag say what is wrong.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", path.stem)
    return DAG(
        f"crossctr_unreadable_{name}"[:200],
        description=f"{path.name} cannot be read: {reason}"[:1_000],
        schedule=None,
        start_date=datetime.datetime(2000, 1, 1, tzinfo=datetime.timezone.utc),
        tags=["crossctr", "unreadable"],
    )


for _path in _configurations():
    try:
        _dag = dag_of(_path)
    except Exception as _error:  # noqa: BLE001 (one must not remove all others)
        _reason = " ".join(f"{type(_error).__name__}: {_error}".split())
        _log.error("no DAG of %s: %s; try `crossctr validate`", _path, _reason[:1_000])
        _dag = stand_in_for(_path, _reason)
    # Airflow collects DAGs from the module's global names.
    globals()[_dag.dag_id] = _dag
