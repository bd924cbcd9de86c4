"""Flink session cluster on this machine: a process for each of its managers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.orchestration import servers
from tests.ports import free_port

SLOTS = 2
# Flink of `flink/pom.xml`, in the name of Beam's job server.
FLINK_LINE = "1.19"
_POM = Path(__file__).parent / "flink" / "pom.xml"
_WAIT_SECONDS = 120
# What Flink's own start scripts open for it on Java 17.
_OPENED = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in (
        "java.io",
        "java.lang",
        "java.lang.invoke",
        "java.lang.reflect",
        "java.net",
        "java.nio",
        "java.text",
        "java.time",
        "java.util",
        "java.util.concurrent",
        "java.util.concurrent.atomic",
        "java.util.concurrent.locks",
        "sun.nio.ch",
        "sun.net.util",
    )
]
_CONFIG = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc}
jobmanager.bind-host: localhost
rest.address: localhost
rest.bind-address: localhost
rest.port: {rest}
taskmanager.host: localhost
taskmanager.bind-host: localhost
taskmanager.numberOfTaskSlots: {slots}
# Otherwise a job of two slots runs on one task manager alone.
cluster.evenly-spread-out-slots: true
# Processes that Flink's scripts do not start are given every part of their memory.
taskmanager.cpu.cores: 1.0
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: 1g
taskmanager.memory.task.off-heap.size: 128m
# Jobs of StatisticsGen and Transform have dozens of exchanges; the default of a tenth
# of the memory ends them with "Insufficient number of network buffers".
taskmanager.memory.network.min: 512m
taskmanager.memory.network.max: 512m
taskmanager.memory.managed.size: 512m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 256m
taskmanager.memory.jvm-overhead.max: 256m
# A killed process refuses connections and is lost after a few seconds; a busy one that
# answers late is not.
heartbeat.interval: 3000
heartbeat.timeout: 120000
# Beam's runner is loaded once, with Flink, and not by each job: workers then live as
# long as the job and have numbers of their own.
classloader.resolve-order: parent-first
# By default a batch job ends with its first lost task manager. With a short delay it is
# sent to the lost one until the attempts are used up.
restart-strategy.type: fixed-delay
restart-strategy.fixed-delay.attempts: 10
restart-strategy.fixed-delay.delay: 10 s
io.tmp.dirs: {temporary}
"""


def fetch_libraries(folder: Path) -> Path:
    """Returns the folder of Flink's jars, fetched with Maven if they are not there."""
    libraries = folder / "cluster"
    if not libraries.is_dir():
        goal = "dependency:copy-dependencies"
        flags = ["-B", "-q", "-f", str(_POM), f"-DoutputDirectory={libraries}.part"]
        subprocess.run(["mvn", *flags, goal], check=True)
        Path(f"{libraries}.part").rename(libraries)
    return libraries


def fetch_job_server(folder: Path) -> Path:
    """Returns Beam's job server for Flink, fetched with Maven if it is not there.

    Its version is that of the installed Beam.
    """
    name = f"beam-runners-flink-{FLINK_LINE}-job-server"
    version = metadata.version("apache-beam")
    jar = folder / f"{name}-{version}.jar"
    if not jar.is_file():
        artifact = f"org.apache.beam:{name}:{version}"
        flags = [f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
        ran = subprocess.run(
            ["mvn", "-B", "-q", "dependency:copy", *flags], check=False
        )
        if ran.returncode:
            sys.exit(
                f"Maven has no {artifact}; give a jar of Beam's job server for Flink "
                f'{FLINK_LINE}: make check-flink FLINK_FLAGS="--job-server JAR"'
            )
    return jar


class SessionCluster:
    """One job manager and two task managers of `SLOTS` slots each.

    Attributes:
        master: Host and port of the job manager's REST interface.
    """

    def __init__(self, folder: Path, libraries: Path, job_server: Path) -> None:
        """Starts nothing yet; entering the context does.

        Args:
            folder: For configuration, logs and temporary files.
            libraries: Flink's jars.
            job_server: Beam's job server, which holds its runner.
        """
        self._rest_port = free_port()
        self.master = f"localhost:{self._rest_port}"
        self._folder = folder / "cluster"
        self._java = ["java", *_OPENED, "-cp", f"{libraries}/*:{job_server}"]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._task_managers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> SessionCluster:
        temporary = self._folder / "temporary"
        temporary.mkdir(parents=True)
        config = _CONFIG.format(
            rpc=free_port(), rest=self._rest_port, slots=SLOTS, temporary=temporary
        )
        (self._folder / "config.yaml").write_text(config, encoding="utf-8")
        self._start(
            "job-manager",
            "-Xmx1g",
            "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
        )
        servers.wait_for(self._rest_port)
        for _ in range(2):
            self.start_task_manager()
        self.wait_for_task_managers(2)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            servers.kill(process)

    def start_task_manager(self) -> None:
        """Starts one more task manager."""
        process = self._start(
            f"task-manager-{len(self._processes)}",
            "-Xmx1152m",
            "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        )
        self._task_managers.append(process)

    def kill_task_manager(self) -> None:
        """Kills the oldest task manager with SIGKILL and starts another one."""
        servers.kill(self._task_managers.pop(0))
        self.start_task_manager()

    def wait_for_task_managers(self, number: int) -> None:
        """Waits until so many task managers are registered."""
        until = time.monotonic() + _WAIT_SECONDS
        while self.get("overview")["taskmanagers"] != number:
            if time.monotonic() > until:
                sys.exit(f"no {number} task managers; see {self._folder}")
            time.sleep(0.5)

    def get(self, path: str) -> Any:
        """Returns what the job manager's REST interface answers."""
        with urllib.request.urlopen(f"http://{self.master}/{path}") as answer:
            return json.load(answer)

    def jobs(self) -> list[dict[str, Any]]:
        """Returns the jobs so far, oldest first: `jid`, `state`, `duration`, ..."""
        found: list[dict[str, Any]] = self.get("jobs/overview")["jobs"]
        return sorted(found, key=lambda job: int(job["start-time"]))

    def was_restarted(self, job: str) -> bool:
        """Whether tasks of a job were started more than once."""
        vertices = self.get(f"jobs/{job}")["vertices"]
        tasks = [
            task
            for vertex in vertices
            for task in self.get(f"jobs/{job}/vertices/{vertex['id']}")["subtasks"]
        ]
        return any(task["attempt"] > 0 for task in tasks)

    def _start(self, name: str, memory: str, entry: str) -> subprocess.Popen[bytes]:
        process = servers.start(
            [*self._java, memory, entry, "--configDir", str(self._folder)],
            self._folder / f"{name}.txt",
            dict(os.environ),
        )
        self._processes.append(process)
        return process
