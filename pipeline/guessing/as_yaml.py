"""A draft as YAML with the reason of each guess beside it."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml

from components.log_example_gen.csv_dialect import CsvDialect
from components.log_example_gen.time_formats import DEFAULT_FORMAT
from components.storage.places import Place
from models.days import to_date
from pipeline.guessing.domain import DomainGuess
from pipeline.guessing.draft import SPACES
from pipeline.guessing.draft import Draft
from pipeline.guessing.matching import GuessedFeature
from pipeline.guessing.matching import LogColumn

_WIDTH = 88
MARK = "CHECK"
_HEADER = f"""\
# A first configuration, guessed by `crossctr init` from some rows of each log. Reasons
# are in the comments; {MARK} marks what it was unsure of, and how to check it. Paths
# are relative to this file. `crossctr show FILE --all` prints every key with its
# value, docs/how-to/daily-run.md explains them.
"""


class _Text:
    """Lines of YAML, and what is unsure in them.

    Attributes:
        lines: The lines.
        unsure: For each check, the key that it is about and how to check it.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.unsure: list[str] = []

    def add(self, *lines: str) -> None:
        """Appends lines."""
        self.lines.extend(lines)

    def comment(self, indent: str, text: str) -> None:
        """Appends a comment, in several lines if need be."""
        shown = "".join(c if c.isprintable() else "?" for c in text)
        start = f"{indent}# "
        self.lines += textwrap.wrap(
            " ".join(shown.split()),
            _WIDTH,
            initial_indent=start,
            subsequent_indent=start,
            break_long_words=False,
            break_on_hyphens=False,
        )

    def check(self, indent: str, text: str, about: str) -> None:
        """Appends what to check as a comment, and remembers it."""
        self.comment(indent, f"{MARK}: {text}")
        self.unsure.append(f"{about}: {text}" if about else text)

    def entry(
        self, indent: str, text: str, reason: str = "", *checks: str, about: str = ""
    ) -> None:
        """Appends a key with its value; checks above, the reason beside it."""
        for check in filter(None, checks):
            self.check(indent, check, about or text)
        line = f"{indent}{text}"
        if reason and len(line) + len(reason) + 3 <= _WIDTH:
            self.lines.append(f"{line} # {reason}")
            return
        if reason:
            self.comment(indent, reason)
        self.lines.append(line)


def to_yaml(draft: Draft, name: str, logs: Place, schema: str) -> tuple[str, list[str]]:
    """Returns a configuration that `load_config` reads, and what is unsure in it.

    Args:
        draft: The guesses.
        name: Name of the pipeline and of the model.
        logs: Folder of the logs, relative to the configuration or absolute.
        schema: The schema's file, relative to it.
    """
    to = _Text()
    for note in draft.notes:
        to.check("", note, "")
    runs = f"runs/{name}"
    to.add(
        f"name: {_flow(name)}",
        f"root: {_flow(runs)} # everything a run writes",
        f"logs: {_flow(str(logs))} # <domain>/date=YYYY-MM-DD/*",
        f"schema: {_flow(schema)}",
        "",
        f"first_day: {to_date(draft.calendar.first_day)}",
    )
    target = f"target: {_flow(draft.target)}"
    to.entry("", target, draft.aim.reason, draft.aim.check)
    to.add(f"sources: {_flow(draft.sources)}", "")
    for part in (_columns, _times, _labels, _gaps, _csv):
        part(draft, to)
    to.add("")
    _vocabularies(draft, to)
    to.add("")
    _features(draft, to)
    to.add("")
    _clocks(draft, to)
    to.add(
        "",
        "# `crossctr strategies` lists what else the target can learn by.",
        "strategy: ecdctr",
        "strategies: {ecdctr: {}, target_only: {}}",
        "",
        f"serving: {{directory: {_flow(f'{runs}/serving')}}}",
    )
    return _HEADER + "\n".join(to.lines) + "\n", to.unsure


def _columns(draft: Draft, to: _Text) -> None:
    to.add(f"columns: # feature: the column of {draft.target}")
    target = draft.domains[draft.target]
    for feature in draft.features:
        column = feature.columns.get(draft.target)
        if column is None:
            reason = f"only in {', '.join(feature.columns)}"
            to.entry("  ", f"{feature.name}: null", reason)
        else:
            _column(target, feature, column, "  ", to)
    if draft.has_hours:
        to.add(f"  hour: {_hour(target)}")
    _left_out(target, "  ", to)
    to.add("domain_columns:")
    for source in draft.sources:
        guess = draft.domains[source]
        to.add(f"  {_flow(source)}:")
        for feature in draft.features:
            column = feature.columns.get(source)
            if column is not None:
                _column(guess, feature, column, "    ", to)
            elif draft.target in feature.columns:
                to.add(f"    {feature.name}: null # {source} has no such column")
        if draft.has_hours:
            to.add(f"    hour: {_hour(guess)}")
        _left_out(guess, "    ", to)
    to.add("")


def _column(
    guess: DomainGuess,
    feature: GuessedFeature,
    column: LogColumn,
    indent: str,
    to: _Text,
) -> None:
    text = f"{feature.name}: {_source(column)}"
    place = list(SPACES).index(feature.vocabulary) if feature.is_key else -1
    reasons = (guess.user_reason, guess.item_reason, column.kind.reason)
    check = column.kind.check
    about = f"{column.column.name} of {guess.name}, taken for a {column.kind.kind}"
    to.entry(indent, text, reasons[place], check, about=about)


def _source(column: LogColumn) -> str:
    if column.kind.separator is None:
        return _flow(column.column.name)
    return _flow({"column": column.column.name, "separator": column.kind.separator})


def _hour(guess: DomainGuess) -> str:
    times = guess.times
    if times is None or not times.has_hours:
        return "null"
    return _flow({"column": times.column, "hour_of": times.format})


def _left_out(guess: DomainGuess, indent: str, to: _Text) -> None:
    for column in guess.columns:
        kind, name = column.kind, column.column.name
        if kind.kind or (kind.is_constant and not kind.check):
            continue
        if kind.check:
            about = f"{name} of {guess.name} is left out"
            to.check(indent, f"{name} is left out: {kind.reason}; {kind.check}", about)
        else:
            to.comment(indent, f"left out: {name}, {kind.reason}")


def _times(draft: Draft, to: _Text) -> None:
    timed = {name: g.times for name, g in draft.domains.items() if g.times is not None}
    if timed:
        to.add("timestamp: # its day, UTC, must be that of the folder")
    for name, times in timed.items():
        entry = {"column": times.column}
        if times.format != DEFAULT_FORMAT and not times.is_native:
            entry["format"] = times.format
        check = ""
        if times.ambiguous:
            check = f"{times.ambiguous} reads as many of the times: which is right?"
        unread = 1 - times.readable
        reason = f"{unread:.2%} of the rows read have no such time" * (unread > 0)
        to.entry("  ", f"{_flow(name)}: {_flow(entry)}", reason, check)


def _labels(draft: Draft, to: _Text) -> None:
    first = draft.domains[draft.target].label
    to.entry("", f"label: {_flow(first.rule)}", first.reason, first.check)
    others = {name: draft.domains[name].label for name in draft.sources}
    own = {name: label for name, label in others.items() if label.rule != first.rule}
    if own:
        to.add("domain_labels:")
    for name, label in own.items():
        text = f"{_flow(name)}: {_flow(label.rule)}"
        to.entry("  ", text, label.reason, label.check)
    for name, label in others.items():
        if name not in own and label.check and label.check != first.check:
            to.check("", label.check, f"label of {name}")


def _gaps(draft: Draft, to: _Text) -> None:
    gaps = draft.calendar.gaps
    if gaps:
        check = "is such a day an outage? then leave the domain out"
        to.check("", check, f"missing_days of {', '.join(gaps)} is skip")
        to.add("missing_days:")
    for name, gap in gaps.items():
        to.entry("  ", f"{_flow(name)}: skip", gap)


def _csv(draft: Draft, to: _Text) -> None:
    odd = {
        name: guess.dialect.model_dump(mode="json", exclude_defaults=True)
        for name, guess in draft.domains.items()
        if guess.dialect != CsvDialect()
    }
    if odd:
        to.add("csv:")
    for name, keys in odd.items():
        to.add(f"  {_flow(name)}: {_flow(keys)}")


def _vocabularies(draft: Draft, to: _Text) -> None:
    to.add("# A table never changes its shape: choose capacities for years.")
    to.add("vocabularies:")
    for name, space in draft.spaces.items():
        keys: dict[str, Any] = {"capacity": space.capacity}
        if space.closed:
            keys["oov_buckets"] = 2
        to.entry("  ", f"{_flow(name)}: {_flow(keys)}", space.reason)


def _features(draft: Draft, to: _Text) -> None:
    to.add("features:")
    for place, feature in enumerate(draft.features):
        if place == len(SPACES):
            to.add(
                "  - {name: domain, kind: id, vocabulary: domain, tpm: true, "
                "side: context}"
            )
        keys: dict[str, Any] = {"name": feature.name, "kind": feature.kind}
        if feature.vocabulary:
            keys["vocabulary"] = feature.vocabulary
        if feature.kind == "ids":
            keys["max_length"] = feature.max_length
        if feature.kind == "vector":
            keys["length"] = feature.first.kind.length
        if feature.is_key:
            keys["tpm"] = True
        elif feature.side in ("user", "context"):
            keys["side"] = feature.side
        reason = "" if feature.is_key else _shared(draft, feature)
        text = f"- {_flow(keys)}"
        to.entry("  ", text, reason, *feature.checks, about=f"feature {feature.name}")
    if draft.has_hours:
        to.add("  - {name: hour, kind: id, vocabulary: hour, side: context}")


def _shared(draft: Draft, feature: GuessedFeature) -> str:
    lacking = [name for name in draft.domains if name not in feature.columns]
    parts = []
    if feature.side is not None:
        reasons = (c.side_reason for c in feature.columns.values() if c.side_reason)
        parts.append(next(reasons, ""))
    if lacking:
        parts.append(f"not in {', '.join(lacking)}")
    return "; ".join(filter(None, parts))


def _clocks(draft: Draft, to: _Text) -> None:
    days = draft.calendar
    run_day = to_date(days.run_day)
    to.comment(
        "",
        "TPM trains every 30 days, CPM every 7, the target daily; all on the day of "
        f"the first run, {run_day}. `levels` changes clocks and windows.",
    )
    to.add(f"anchor_day: {run_day}")
    to.entry("", f"evaluation_days: {days.evaluation_days}", days.reason, days.check)


def _flow(value: Any) -> str:
    """Returns a value as YAML in one line."""
    text = yaml.safe_dump(
        [value],
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return text.strip()[1:-1]
