"""Rendering of a report as one self-contained HTML file."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
from markupsafe import Markup
from markupsafe import escape

from models import durable_files
from pipeline.report import charts
from pipeline.report import svg
from pipeline.report.content import Report
from pipeline.report.files import run_folder
from pipeline.report.judged import Metrics
from pipeline.report.judged import Value
from pipeline.report.over_days import OverDays
from pipeline.terminal.progress import duration

PAGE = "report.html"

UNDEFINED = "undefined"

_CODE = re.compile("`([^`]*)`")
_DATES = re.compile(r"\d{4}-\d\d-\d\d(\.\.\d{4}-\d\d-\d\d)?")


def write_run(report: Report, root: Path) -> Path:
    """Writes the page of a run and returns its path."""
    return _write(render_run(report), run_folder(root, report.day) / PAGE)


def write_days(report: OverDays, root: Path) -> Path:
    """Writes the page over several days and returns its path."""
    return _write(render_days(report), run_folder(root, str(report.days)) / PAGE)


def render_run(report: Report) -> str:
    """Returns the page of a run as HTML."""
    return _environment().get_template("run.html.j2").render(report=report)


def render_days(report: OverDays) -> str:
    """Returns the page over several days as HTML."""
    return _environment().get_template("days.html.j2").render(report=report)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report"),
        # Ids, reasons and other text come from logs, so everything is escaped.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "count": count,
        "share": share,
        "duration": _duration,
        "tidy": tidy,
        "with_code": with_code,
        "with_interval": with_interval,
    }
    environment.globals |= {
        "line_chart": charts.line_chart,
        "reliability_chart": charts.reliability_chart,
        "interval_bar": charts.interval_bar,
        "forest_ends": forest_ends,
        "as_date": svg.as_date,
        "as_share": svg.as_share,
        "as_number": svg.as_number,
    }
    return environment


def number(value: float | None, digits: int = 4) -> str:
    """Returns a metric as text; an undefined one has no number."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def count(value: float | None) -> str:
    """Returns a count with thousands separators; a dash if unknown."""
    return "–" if value is None else f"{value:,.0f}"


def share(value: float | None, digits: int = 1) -> str:
    """Returns a share in percent."""
    return "–" if value is None else f"{value:.{digits}%}"


def with_interval(value: Value, digits: int = 4, sign: str = "") -> Markup:
    """Returns a value and, on a separate line, its interval if it has one."""
    if value.value is None:
        return Markup(UNDEFINED)
    form = f"{sign}.{digits}f"
    text = escape(format(value.value, form))
    if value.low is None or value.high is None:
        return text
    return text + Markup(' <span class="iv">({} to {})</span>').format(
        format(value.low, form), format(value.high, form)
    )


def tidy(text: str) -> Markup:
    """Returns text in which dates never break and names may break after `_`."""
    escaped = str(escape(text))
    dated = _DATES.sub(r'<span class="nw">\g<0></span>', escaped)
    return Markup(dated.replace("_", "_<wbr>"))


def with_code(text: str) -> Markup:
    """Returns text in which what stands between backticks is code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def forest_ends(parts: list[Metrics], name: str) -> tuple[float, float]:
    """Returns the ends of an axis for a metric of all slices that are large enough."""
    values = [
        value
        for part in parts
        if not part.few_rows
        for value in (part.get(name).value, part.get(name).low, part.get(name).high)
        if value is not None
    ]
    return (min(values), max(values)) if values else (0.0, 1.0)


def _duration(seconds: float | None) -> str:
    return "–" if seconds is None else duration(seconds)


def _write(page: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_files.write_text(path, page)
    return path
