"""`crossctr doctor`: what is wrong with an environment or a configuration's files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from components.model_server.ports import GRPC_PORT
from components.model_server.ports import REST_PORT
from models.errors import CrossctrError
from pipeline.cli.command import Command
from pipeline.cli.completion import ConfigFile
from pipeline.cli.options import wide_console
from pipeline.cli.output import answer
from pipeline.cli.output import output
from pipeline.doctor.examine import examine
from pipeline.doctor.finding import Finding
from pipeline.doctor.finding import Status
from pipeline.terminal.plain_text import plain

_STYLES = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "bold red"}


class ProblemsFoundError(CrossctrError):
    """The doctor has found what would stop a command."""

    headline = "Problems found"


@click.command(
    name="doctor",
    cls=Command,
    as_json=True,
    example="crossctr doctor\ncrossctr doctor configs/first_run.yaml --deep",
)
@click.argument("config_path", metavar="[CONFIG]", type=ConfigFile(), required=False)
@click.option(
    "--deep", is_flag=True, help="Load TensorFlow and TFX, too; takes up to a minute."
)
def doctor_command(config_path: Path | None, deep: bool) -> None:
    """Check the environment, and what CONFIG names.

    With CONFIG also its paths, disk space, metadata, stored results and versions. A
    line for each: ok, warning, or problem, with what to do. No step runs and no file
    stays. Exits with 2 if there is a problem.
    """
    console = wide_console()
    ports = {"--port": GRPC_PORT, "--rest-port": REST_PORT}
    findings = []
    for finding in examine(config_path, ports, deep=deep):
        findings.append(finding)
        if finding.status != Status.OK or not output().quiet:
            line = plain(f"{finding.status.value:<8}", _STYLES[finding.status])
            line.append(plain(f" {finding.part}: {_told(finding)}"))
            console.print(line, soft_wrap=True)
    counts = Counter(finding.status for finding in findings)
    answer({"findings": findings, **{s.value: counts[s] for s in Status}})
    if counts[Status.PROBLEM]:
        raise ProblemsFoundError(
            f"{counts[Status.PROBLEM]} problem(s), {counts[Status.WARNING]} warning(s);"
            " the lines above say how to mend each"
        )


def _told(finding: Finding) -> str:
    return f"{finding.text}; {finding.fix}" if finding.fix else finding.text
