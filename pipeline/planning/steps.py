"""Data types of a plan: what is stored, blocks of days, steps, trainings."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from models.days import DayRange
from pipeline.planning.step_kinds import StepKind


@dataclass(frozen=True)
class Known:
    """Stored artifacts, as far as planning needs them.

    Attributes:
        blocks: Days of every ingested block, by fingerprint.
        results: Fingerprints of stored snapshots, models and Gate decisions.
        models: Run day of every trained target model, by fingerprint.
        sources: Run day of every trained source model, by fingerprint.
        removed: Fingerprints of what was made and whose files `crossctr clean` removed.
        published: Fingerprints of target steps whose model was published or refused.
        live: Per published target model its run day and fingerprint, in the order in
            which they were published.
    """

    blocks: Mapping[str, DayRange] = field(default_factory=dict)
    results: frozenset[str] = frozenset()
    published: frozenset[str] = frozenset()
    live: Sequence[tuple[int, str]] = ()
    models: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, int] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Block:
    """Days ingested in one graph run; its parent is the block before it."""

    days: DayRange
    fingerprint: str
    parent: str | None


@dataclass(frozen=True)
class Step:
    """One graph run.

    Attributes:
        kind: What it makes.
        label: Its name in tables and logs.
        day: The level's own day: it trains on impressions of earlier days.
        run_day: The day D of the run it belongs to; it reads artifacts of earlier days.
        days: Days of impressions that it ingests or trains on.
        fingerprint: Hash of everything its result is made from.
        done: Whether its result is stored.
        blocks: Blocks it reads, oldest first; for `ingest` the parent, if any.
        warm_start: Fingerprint of the model it starts from.
        snapshots: Fingerprints of the TPM periods it reads, newest first.
        source: Fingerprint of the source model it reads, if the strategy reads one.
        initialize_only: Whether it assembles source and target model without training
            (strategies that read a source model only).
        strategy: Entry of `strategies` that it is for; none for what all share.
        training: Fingerprint of the trained model, without evaluation and gate
            (`target` only).
        continues: Whether it continues its own model of an earlier day, on the days
            since (every kind of training).
        evaluation: Days on whose target impressions it is evaluated (`target` only).
        evaluation_blocks: Blocks that hold those days.
        live: Fingerprint of the live model it is compared with, if any.
        judged: Whether the model is evaluated and gated, not only trained (`target`
            only).
        references: Fingerprint of the references on the same impressions, which stand
            on its model card if they are stored by then (`target` only); empty without
            any.
        note: Remarks for the plan's table, such as a window that the logs cut short.
    """

    kind: StepKind
    label: str
    day: int
    run_day: int
    days: DayRange
    fingerprint: str
    done: bool
    blocks: tuple[Block, ...] = ()
    warm_start: str | None = None
    snapshots: tuple[str, ...] = ()
    source: str | None = None
    initialize_only: bool = False
    strategy: str = ""
    training: str = ""
    continues: bool = False
    evaluation: DayRange | None = None
    evaluation_blocks: tuple[Block, ...] = ()
    live: str | None = None
    judged: bool = True
    references: str = ""
    note: str = ""

    @property
    def position(self) -> str:
        """What stays the same of it when it is made from something else."""
        if self.kind == StepKind.INGEST:
            return f"{self.kind} {self.days}"
        run_day = self.run_day if self.kind == StepKind.TARGET else self.day
        return f"{self.kind} {self.strategy} {self.day} {run_day} {self.judged}"

    @property
    def reads(self) -> frozenset[str]:
        """Fingerprints of every block, model and snapshot that it reads."""
        models = filter(None, (self.warm_start, self.source, self.live))
        blocks = prints([*self.blocks, *self.evaluation_blocks])
        return frozenset([*blocks, *self.snapshots, *models])


@dataclass(frozen=True)
class Training:
    """Inputs of the training of a strategy's target model on a day.

    Attributes:
        day: Its run day; it trains on impressions of earlier days.
        days: Days of impressions that it trains on.
        fingerprint: Hash of everything it is made from.
        blocks: Blocks it reads, oldest first.
        warm_start: Fingerprint of the model it starts from.
        continues: Whether that is the strategy's own model of an earlier day.
        snapshots: Fingerprints of the TPM periods it reads, newest first.
        note: What it starts from, and what is unusual about it.
        source: Fingerprint of the source model it reads, if the strategy reads one.
        base: Training of the target model that it is assembled from; None if it is
            trained itself.
    """

    day: int
    days: DayRange
    fingerprint: str
    blocks: tuple[Block, ...]
    warm_start: str | None
    continues: bool
    snapshots: tuple[str, ...]
    note: str
    source: str | None = None
    base: Training | None = None


def newest(periods: Sequence[Step], until: int, count: int) -> tuple[str, ...]:
    """Returns the newest `count` of `periods` that end by `until`, newest first."""
    ended = [step for step in periods if step.day <= until]
    chosen = sorted(ended, key=lambda step: -step.day)[:count]
    return tuple(step.fingerprint for step in chosen)


def due_before(chain: Sequence[Step], first: int, last: int) -> list[Step]:
    """Returns the steps of a chain from day `first` to `last`, and what they need.

    Args:
        chain: Steps that each continue from the one before, oldest first.
        first: Day of the first step that is read; if it is due, so are the steps before
            it, back to one that is stored.
        last: Day of the last step that is read.
    """
    chosen: list[Step] = []
    for step in reversed(chain):
        if step.day > last:
            continue
        if step.day < first and (step.done or chosen[-1].done):
            break
        chosen.append(step)
    return chosen[::-1]


def new_days(days: DayRange) -> str:
    """Returns the number of days of a continued training, in words."""
    return f"{len(days)} new {'day' if len(days) == 1 else 'days'}"


def live_before(published: Sequence[tuple[int, str]], day: int) -> str | None:
    """Returns the model that served on `day`: the latest earlier day's last attempt."""
    earlier = [entry for entry in published if entry[0] < day]
    latest = max((run_day for run_day, _ in earlier), default=None)
    attempts = [model for run_day, model in earlier if run_day == latest]
    return attempts[-1] if attempts else None


def block_of(step: Step) -> Block:
    """Returns the block that an `ingest` step makes."""
    parent = step.blocks[0].fingerprint if step.blocks else None
    return Block(step.days, step.fingerprint, parent)


def overlapping(blocks: Sequence[Block], window: DayRange) -> tuple[Block, ...]:
    """Returns the blocks that share a day with `window`."""
    return tuple(block for block in blocks if block.days.overlaps(window))


def prints(blocks: Sequence[Block]) -> list[str]:
    """Returns the fingerprints of `blocks`."""
    return [block.fingerprint for block in blocks]


def upstream(step: Step, planned: Sequence[Step]) -> list[Step]:
    """Returns the steps of a plan that `step` depends on, itself included, in order.

    What an earlier run has made and the plan does not contain is not among them.
    """
    makers: dict[str, Step] = {}
    for one in planned:
        for made in filter(None, (one.fingerprint, one.training)):
            # The first one: a base model may be another strategy's target model, too.
            makers.setdefault(made, one)
    found = {step.fingerprint}
    waiting = [step]
    while waiting:
        read = [makers[name] for name in waiting.pop().reads if name in makers]
        new = [one for one in read if one.fingerprint not in found]
        found |= {one.fingerprint for one in new}
        waiting += new
    return [one for one in planned if one.fingerprint in found]


def steps_until(steps: Sequence[Step], kind: StepKind) -> list[Step]:
    """Returns the steps of `kind` and of the kinds that run before it."""
    kinds = kind.and_before()
    return [step for step in steps if step.kind in kinds]
