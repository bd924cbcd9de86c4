"""The words of a plan: what is stored, a block of days, a step, a training."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from models.days import DayRange
from pipeline.planning.step_kinds import StepKind


@dataclass(frozen=True)
class Known:
    """What is stored, as far as planning needs it.

    Attributes:
        blocks: Fingerprint of every ingested block, with its days.
        results: Fingerprints of finished snapshots, models and gate decisions.
        models: Trained target models, fingerprint by fingerprint, with their run day.
        sources: Trained source models alike.
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


@dataclass(frozen=True)
class Block:
    """Days ingested in one graph run; its parent is the block right before it."""

    days: DayRange
    fingerprint: str
    parent: str | None


@dataclass(frozen=True)
class Step:
    """One graph run.

    Attributes:
        kind: What it makes.
        label: What people call it.
        day: The level's own day: it trains on rows that ended before.
        run_day: The day D of the run it belongs to; artifacts it reads ended before.
        days: Days of rows it ingests or trains on.
        fingerprint: Hash of everything its result is made from.
        done: Whether the result is stored.
        blocks: Blocks it reads, oldest first; for `ingest` the parent, if any.
        warm_start: Fingerprint of the model it starts from.
        snapshots: Fingerprints of the TPM periods it reads, newest first.
        source: Fingerprint of the source model it reads (CTNet only).
        begins: Whether it only puts its two models together and reads no rows (CTNet
            only).
        strategy: Entry of `strategies` that wants it (`target`, `base` and `cpm`).
        training: Fingerprint of the trained model, without evaluation and gate
            (`target` only).
        continues: Whether it goes on from its own model of an earlier day, on the days
            since (`target` and `source`).
        evaluation: Days on whose target rows it is judged (`target` only).
        evaluation_blocks: Blocks that hold those days.
        live: Fingerprint of the live model it is compared with, if any.
        judged: Whether the model is evaluated and gated, not only trained (`target`
            only).
        note: Remarks, such as a window cut short by the first day of logs.
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
    begins: bool = False
    strategy: str = ""
    training: str = ""
    continues: bool = False
    evaluation: DayRange | None = None
    evaluation_blocks: tuple[Block, ...] = ()
    live: str | None = None
    judged: bool = True
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
    """How a strategy's target model of a day is made.

    Attributes:
        day: Its run day; it trains on rows that ended before.
        days: Days of rows it trains on.
        fingerprint: Hash of everything it is made from.
        blocks: Blocks it reads, oldest first.
        warm_start: Fingerprint of the model it starts from.
        continues: Whether that is the strategy's own model of an earlier day.
        snapshots: Fingerprints of the TPM periods it reads, newest first.
        note: Where it starts, and what is unusual about it.
        source: The source model it reads (CTNet only).
        base: The target model that it starts from, if it has no rows of its own yet
            (CTNet only).
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


def live_before(published: Sequence[tuple[int, str]], day: int) -> str | None:
    """Returns the model that served on `day`: the latest day's latest attempt."""
    earlier = [entry for entry in published if entry[0] < day]
    latest = max((run_day for run_day, _ in earlier), default=None)
    attempts = [model for run_day, model in earlier if run_day == latest]
    return attempts[-1] if attempts else None


def block_of(step: Step) -> Block:
    """Returns the block that an `ingest` step makes."""
    parent = step.blocks[0].fingerprint if step.blocks else None
    return Block(step.days, step.fingerprint, parent)


def overlapping(blocks: Sequence[Block], window: DayRange) -> tuple[Block, ...]:
    """Returns those of `blocks` that share a day with `window`."""
    return tuple(block for block in blocks if block.days.overlaps(window))


def prints(blocks: Sequence[Block]) -> list[str]:
    """Returns the fingerprints of `blocks`."""
    return [block.fingerprint for block in blocks]


def upstream(step: Step, planned: Sequence[Step]) -> list[Step]:
    """Returns the steps of a plan that `step` rests on, itself included, in order.

    What an earlier run has made and the plan does not name is not among them.
    """
    makers: dict[str, Step] = {}
    for one in planned:
        for made in filter(None, (one.fingerprint, one.training)):
            # The first that makes it: CTNet's base model may be a target step's, too.
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
    """Returns those of `steps` that are of `kind` or of a kind that runs before it."""
    kinds = kind.and_before()
    return [step for step in steps if step.kind in kinds]
