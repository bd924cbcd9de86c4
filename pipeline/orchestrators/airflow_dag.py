"""One Airflow DAG for each configuration: the kinds of step of a day, one by one.

Link this file into Airflow's folder of DAGs. Airflow has an environment of its own and
reads the file every half minute, so of crossctr it loads only one file that needs
nothing else. There is a task of every kind of step, whatever the strategy: one with
nothing to do ends in about a second, and another strategy changes no task. Each task
starts the command in crossctr's environment.
docs/orchestration.md has the settings:

    CROSSCTR_CONFIGS        configuration files or folders of them, separated by colons
    CROSSCTR                the command; default `crossctr`
    CROSSCTR_START          first day to run, YYYY-MM-DD; default: the first that can be
    CROSSCTR_RETRIES        default 3
    CROSSCTR_RETRY_SECONDS  wait before the first retry, doubled each time; default 300
"""

from __future__ import annotations

import datetime
import importlib.util
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
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


_step_kinds = _load("planning", "step_kinds")


class CrossctrOperator(BaseOperator):
    """Runs the command; its own last line becomes the reason of a failure."""

    template_fields = ("command",)

    def __init__(self, *, command: list[str], **others: Any) -> None:
        super().__init__(**others)
        self.command = command
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        """Runs the command and passes its output on to the task's log."""
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
                f"`{shlex.join(self.command)}` {how}. Its last words: {last}. What it "
                "finished is kept; the same command goes on from there"
            )

    def on_kill(self) -> None:
        """Ends the command with all its processes when the task is ended."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)


def dag_of(path: Path) -> DAG:
    """Returns the DAG of the configuration at `path`."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    # A run of day D is judged on the days from D on, so it waits for the last of them.
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
        # Days go in order, one at a time: each starts from the model of the one before.
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
            # The source model read on a day is of a day before.
            int((levels.get("source") or {}).get("every_days", 1)) + 1,
        )
        first = datetime.date.fromisoformat(str(config["first_day"]))
        day = first + datetime.timedelta(days=every)
    return datetime.datetime(day.year, day.month, day.day, tzinfo=datetime.timezone.utc)


def _configurations() -> Iterator[Path]:
    for name in filter(None, os.environ.get("CROSSCTR_CONFIGS", "").split(":")):
        path = Path(name)
        yield from sorted(path.glob("*.yaml")) if path.is_dir() else [path]


for _path in _configurations():
    # Airflow finds the DAGs among the module's names.
    _dag = dag_of(_path)
    globals()[_dag.dag_id] = _dag
