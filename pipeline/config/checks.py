"""Checks of a configuration as a whole: one function for each rule, in order.

Each raises `ValueError` with the key, its value, what was expected and how to fix it.
What a key allows by itself is in its type, see `schema` and `sections`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from components.log_example_gen.logic import parse_label_rule
from components.log_example_gen.wanted import wanted_columns
from models.errors import shown
from models.features.feature import DOMAIN_FEATURE
from models.features.feature import USER_FEATURE
from models.features.id import SNAPSHOT_SPACES
from pipeline.config.slices import check_slices
from pipeline.config.wording import check_one_of
from pipeline.store.metadata import parse_server

if TYPE_CHECKING:
    from pipeline.config.schema import Config


_WHOLE = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})([eE][+-]?[0-9])?")


def check_whole(config: Config) -> None:
    """Checks that the parts of a configuration fit together.

    Raises:
        ValueError: The first rule that does not hold.
    """
    for check in _CHECKS:
        check(config)


def _metadata(config: Config) -> None:
    # Not a field validator: its error would show the value with its password.
    parse_server(config.metadata)


def _features(config: Config) -> None:
    # Raises by itself, as no single key can show what is wrong with the table.
    _ = config.table


def _domains(config: Config) -> None:
    if config.target in config.sources:
        raise ValueError(
            f"target {config.target!r} is also listed in sources; a domain is one "
            "or the other"
        )
    if len(set(config.sources)) < len(config.sources):
        raise ValueError(
            f"sources {list(config.sources)} names a domain twice; keep one"
        )


def _import(config: Config) -> None:
    if config.imports is None:
        return
    if config.imports.last_day < config.first_day:
        raise ValueError(
            f"import.last_day {config.imports.last_day} is before first_day "
            f"{config.first_day}; swap them"
        )
    cold = config.imports.cold_users
    if cold and not config.first_day < cold.start <= config.imports.last_day:
        raise ValueError(
            f"import.cold_users.start {cold.start} leaves no training day from "
            f"first_day {config.first_day} on, or no evaluation day until "
            f"import.last_day {config.imports.last_day}; choose a day after the one "
            "and not after the other"
        )
    label = parse_label_rule(config.label).column
    if config.imports.negatives and label != "click":
        raise ValueError(
            f"label {config.label!r} reads the column {label!r}, but with "
            "import.negatives the logs have `click`; write `label: click == 1`"
        )


def _columns(config: Config) -> None:
    names = [feature.name for feature in config.table.logged]
    for domain, columns in {"": config.columns, **config.domain_columns}.items():
        where = f"domain_columns.{domain}" if domain else "columns"
        if domain:
            check_one_of(where, domain, config.domains)
        for name in columns:
            check_one_of(f"{where}.{name}", name, names)
    for key in ("missing_days", "domain_labels", "timestamp", "csv"):
        for domain in getattr(config, key):
            check_one_of(key, domain, config.domains)
    for name in names:
        if config.table[name].domains:
            continue
        if name != DOMAIN_FEATURE and name not in config.columns:
            raise ValueError(
                f"feature {name!r} has no entry in columns; add "
                f"`{name}: <the log's column>`, or `{name}: null` and the domains "
                "that have it in domain_columns"
            )


def _feature_domains(config: Config) -> None:
    """Checks that features with `domains` have columns in these, and only there."""
    for feature in config.features:
        name, domains = feature.name, feature.domains
        if domains and name in (USER_FEATURE, DOMAIN_FEATURE):
            raise ValueError(
                f"feature {name!r} has `domains: [{', '.join(domains)}]`, but "
                "impressions of all domains need it; remove the key"
            )
        for domain in domains:
            check_one_of(f"features.{name}.domains", domain, config.domains)
            columns = {**config.columns, **config.domain_columns.get(domain, {})}
            if not feature.is_derived and columns.get(name) is None:
                raise ValueError(
                    f"feature {name!r} of domain {domain!r} has no column; add "
                    f"`{name}: <the log's column>` to columns or "
                    f"domain_columns.{domain}"
                )
        for domain, columns in config.domain_columns.items():
            if domains and domain not in domains and columns.get(name) is not None:
                raise ValueError(
                    f"domain_columns.{domain}.{name} names a column of a feature with "
                    f"`domains: [{', '.join(domains)}]`; add {domain!r} there, or "
                    "remove the column"
                )


def _constants(config: Config) -> None:
    """Checks that a number's constant spells a number, and that no vector has one."""
    for domain in config.domains:
        columns = config.domain_log(domain).columns
        for feature in config.table.features:
            source = columns.get(feature.name)
            if feature.is_id or source is None or source.constant is None:
                continue
            if feature.is_vector:
                raise ValueError(
                    f"columns.{feature.name}.constant {shown(source.constant)} (domain "
                    f"{domain!r}) is for a feature of kind {feature.kind!r}, which "
                    f"takes no constant; write `{feature.name}: null` if the domain "
                    "lacks it"
                )
            whole = float not in feature.feature_kind.json_types
            if not (_WHOLE if whole else _NUMBER).fullmatch(source.constant):
                raise ValueError(
                    f"columns.{feature.name}.constant {shown(source.constant)} (domain "
                    f"{domain!r}) is not {'an integer' if whole else 'a number'}, as a "
                    f"feature of kind {feature.kind!r} has to be"
                )


def _simulation(config: Config) -> None:
    if config.simulate is None:
        return
    if config.imports is not None:
        raise ValueError(
            "`import` and `simulate` would both write the logs; remove one of them"
        )
    for domain in config.simulate.domains:
        check_one_of("simulate.domains", domain, config.domains)
    if not isinstance(config.logs, Path):
        return
    logs, truth = (
        Path(os.path.normpath(path)) for path in (config.logs, config.simulate.truth)
    )
    if logs == truth or logs in truth.parents:
        raise ValueError(
            f"simulate.truth {str(truth)!r} lies in logs {str(logs)!r}, where a "
            "model could read it; choose a folder outside"
        )


def _strategies(config: Config) -> None:
    check_one_of("strategy", config.strategy, list(config.strategies))
    for name in config.strategies:
        try:
            config.strategy_of(name).check(config.table, config.network_of(name))
        except ValueError as error:
            raise ValueError(f"strategies.{name}: {error}") from error


def _users(config: Config) -> None:
    table = config.table
    names = [feature.name for feature in table.features]
    if USER_FEATURE not in names or not table[USER_FEATURE].is_single_id:
        raise ValueError(
            f"features need {USER_FEATURE!r} of kind 'id', by which GAUC tells "
            f"users apart; map your column: `columns: {{{USER_FEATURE}: <yours>}}`"
        )


def _snapshot_spaces(config: Config) -> None:
    """Checks that TPM trains one table of each space that snapshots export."""
    if not any(config.needs(name).tpm_periods for name in config.strategies):
        return
    table = config.table
    widths = {}
    for space in SNAPSHOT_SPACES:
        if space in table.vocabularies and table.vocabularies[space].hashed:
            raise ValueError(
                f"vocabularies.{space}.encoding: 'hash' keeps no ids, and TPM "
                "exports its embeddings by raw id; use 'append_only', or set "
                "levels.tpm.snapshots to 0"
            )
        read = [f for f in table.features if f.vocabulary == space and f.tpm]
        if not any(feature.is_single_id for feature in read):
            raise ValueError(
                f"TPM exports embeddings of the vocabularies "
                f"{' and '.join(SNAPSHOT_SPACES)}, but no feature of kind 'id' "
                f"with `vocabulary: {space}` is marked `tpm: true`; mark one, or "
                "set levels.tpm.snapshots to 0"
            )
        widths[space] = read[0].width or config.network.width
    if len(set(widths.values())) > 1:
        raise ValueError(
            f"the vocabularies that TPM exports need one width; received {widths};"
            " give their features the same `width`"
        )


def _separate_ids(config: Config) -> None:
    spaces = [space for space in SNAPSHOT_SPACES if space in config.vocabularies]
    for space, sources in config.separate_ids.items():
        check_one_of("separate_ids", space, spaces)
        for source in sources:
            check_one_of(f"separate_ids.{space}", source, config.sources)


def _slices(config: Config) -> None:
    check_slices(config.slice_rules, config.table)


def _wanted_columns(config: Config) -> None:
    # Raises by itself: a column that is read in two ways that exclude each other.
    for domain in config.domains:
        wanted_columns(config.domain_log(domain), config.table)


def _gate(config: Config) -> None:
    """Checks that the Gate's rule on an interval has an interval to read."""
    high = config.gate.max_normalized_entropy_high
    if high is not None and not config.intervals.draws:
        raise ValueError(
            f"gate.max_normalized_entropy_high {high:g} is a rule on an interval, "
            "and intervals.draws 0 makes none; choose more draws (200 by default), "
            "or judge by the value alone: "
            "`gate: {max_normalized_entropy_high: null}`"
        )


_CHECKS = (
    _metadata,
    _features,
    _domains,
    _import,
    _columns,
    _feature_domains,
    _constants,
    _simulation,
    _strategies,
    _users,
    _snapshot_spaces,
    _separate_ids,
    _slices,
    _wanted_columns,
    _gate,
)
