"""A first configuration of all domains, with the reason of each guess."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from models.days import to_date
from models.errors import ConfigError
from models.errors import DataError
from models.errors import listed
from pipeline.guessing.calendar import Calendar
from pipeline.guessing.calendar import guess_calendar
from pipeline.guessing.domain import DomainGuess
from pipeline.guessing.matching import GuessedFeature
from pipeline.guessing.matching import LogColumn
from pipeline.guessing.matching import match_features
from pipeline.guessing.spaces import Occurrences
from pipeline.guessing.spaces import Space
from pipeline.guessing.spaces import assign_spaces
from pipeline.guessing.spaces import guess_space

SPACES = ("user", "item")
_HOURS_A_DAY = 24


@dataclass(frozen=True)
class Target:
    """A guess of the target.

    Attributes:
        name: The domain.
        reason: Why.
        check: What to look at; empty if the user named it.
    """

    name: str
    reason: str
    check: str


@dataclass(frozen=True)
class Draft:
    """Guesses of a configuration.

    Attributes:
        aim: The target.
        domains: By name, the target first.
        features: Users and items first.
        spaces: Id spaces by name.
        calendar: Days.
        notes: What was found odd, in words.
    """

    aim: Target
    domains: Mapping[str, DomainGuess]
    features: Sequence[GuessedFeature]
    spaces: Mapping[str, Space]
    calendar: Calendar
    notes: tuple[str, ...]

    @property
    def target(self) -> str:
        """The target."""
        return self.aim.name

    @property
    def sources(self) -> list[str]:
        """The other domains."""
        return [name for name in self.domains if name != self.target]

    @property
    def has_hours(self) -> bool:
        """Whether some domain's times tell an hour."""
        return any(
            guess.times is not None and guess.times.has_hours
            for guess in self.domains.values()
        )


def choose_target(guesses: Sequence[DomainGuess], named: str | None) -> Target:
    """Returns the target.

    Args:
        guesses: The domains.
        named: What the user named; None for the domain with the fewest impressions.

    Raises:
        ConfigError: There is no such domain.
    """
    names = [guess.name for guess in guesses]
    if named is not None:
        if named not in names:
            raise ConfigError(
                f"--target {named!r} is none of the domains {listed(names)}; name one"
            )
        return Target(named, "named on the command line", "")
    rows = {guess.name: guess.sample.total_rows for guess in guesses}
    target = min(names, key=lambda name: rows[name])
    others = max(rows[name] for name in names if name != target)
    reason = f"about {rows[target]:,} impressions, of {others:,} in the richest domain"
    check = "is it the domain whose model is served? --target names it"
    return Target(target, reason, check)


def make_draft(guesses: Sequence[DomainGuess], aim: Target) -> Draft:
    """Puts the guesses of all domains together.

    Args:
        guesses: The domains.
        aim: The target, one of them.

    Raises:
        DataError: No day has a log, or none is left to train on.
    """
    target = aim.name
    ordered = sorted(guesses, key=lambda guess: (guess.name != target, guess.name))
    domains = {guess.name: guess for guess in ordered}
    features = _features(ordered)
    assign_spaces(features)
    days = {name: guess.days for name, guess in domains.items()}
    for name, known in days.items():
        if not known:
            raise DataError(
                f"no row read of {name!r} has a time; name the column, "
                f"`--time {name}=COLUMN`"
            )
    if all(guess.has_all_days for guess in ordered):
        _check_training_days(days, target)
    rows, rate = domains[target].sample.total_rows, domains[target].click_rate
    calendar = guess_calendar(days, target, rows, rate)
    spaces = _spaces(features, domains)
    if any(g.times is not None and g.times.has_hours for g in ordered):
        spaces["hour"] = Space(_HOURS_A_DAY, "the hours of a day", True)
    spaces["domain"] = Space(16, "room for more domains", True)
    return Draft(
        aim,
        domains,
        features,
        spaces,
        calendar,
        tuple(_notes(ordered, features)),
    )


def _check_training_days(days: Mapping[str, Sequence[int]], target: str) -> None:
    last = max(days[target])
    if last <= min(min(known) for known in days.values()):
        raise DataError(
            f"the log of {target!r} ends on {to_date(last)}, and no log begins before "
            "that day; a model is trained on days before those that it is evaluated "
            "on, so expected are logs of two days or more: add another day"
        )


def _features(ordered: Sequence[DomainGuess]) -> list[GuessedFeature]:
    """Returns users and items first, then what `match_features` finds."""
    keys = [
        GuessedFeature(
            f"{space}_id",
            {guess.name: guess.columns[place] for guess in ordered},
            vocabulary=space,
            is_key=True,
        )
        for place, space in enumerate(SPACES)
    ]
    others = match_features(
        {guess.name: guess.columns[len(SPACES) :] for guess in ordered}
    )
    return [*keys, *others]


def _spaces(
    features: Sequence[GuessedFeature], domains: Mapping[str, DomainGuess]
) -> dict[str, Space]:
    by_space: dict[str, dict[str, list[LogColumn]]] = {}
    for feature in features:
        if not feature.vocabulary:
            continue
        of_space = by_space.setdefault(feature.vocabulary, {})
        # A list's ids are shown as ids, too, where it shares a space.
        if feature.kind == "ids" and any(
            other.kind == "id" and other.vocabulary == feature.vocabulary
            for other in features
        ):
            continue
        for domain, column in feature.columns.items():
            of_space.setdefault(domain, []).append(column)
    return {
        space: guess_space(
            {
                domain: [_occurrences(column, domains[domain]) for column in columns]
                for domain, columns in of_space.items()
            }
        )
        for space, of_space in by_space.items()
    }


def _occurrences(column: LogColumn, guess: DomainGuess) -> Occurrences:
    total = max(guess.sample.total_rows, 1)
    days = len(guess.days)
    if column.seen is not None:
        seen = column.seen
        return Occurrences(seen.ids, seen.half, seen.rows / total, days)
    half = len(set(column.ids[: len(column.ids) // 2]))
    return Occurrences(column.distinct, half, guess.sample.rows / total, days)


def _notes(
    ordered: Sequence[DomainGuess], features: Sequence[GuessedFeature]
) -> list[str]:
    notes = [f"{guess.name}: {note}" for guess in ordered for note in guess.notes]
    for feature in features[: len(SPACES)]:
        first = feature.first
        apart = [
            column
            for column in feature.columns.values()
            if column is not first and not first.distinct & column.distinct
        ]
        if apart:
            domains = ", ".join(column.domain for column in apart)
            examples = (min(c.distinct, default="") for c in (first, apart[0]))
            notes.append(
                f"{first.domain} shares no {feature.vocabulary} with {domains} in the "
                f"rows read (such as {' and '.join(map(repr, examples))}): are they "
                "different ones, or is one id written in two ways? For different ones "
                f"write `separate_ids: {{{feature.vocabulary}: [{domains}]}}`"
            )
    return notes
