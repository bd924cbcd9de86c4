"""Chain of blocks: the days of logs that are ingested together, oldest first."""

from __future__ import annotations

from collections.abc import Callable

from models.days import DayRange
from pipeline.config.schema import Config
from pipeline.planning.fingerprint import digest
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Block
from pipeline.planning.steps import Known
from pipeline.planning.steps import Step
from pipeline.planning.steps import block_of
from pipeline.schemas.files import read_schema
from pipeline.schemas.files import transform_part

LogFingerprint = Callable[[DayRange], str]


class BlockChain:
    """Plans which days are ingested together, each block on the one before."""

    def __init__(
        self, config: Config, known: Known, logs: LogFingerprint, code: str
    ) -> None:
        """Collects what a block's fingerprint is made of.

        Args:
            config: The configuration.
            known: What is stored.
            logs: Hash of the log files of a range of days.
            code: Hash of the code that makes artifacts.
        """
        self._first_day = config.first
        self._known = known
        self._logs = logs
        self._data = digest(
            code,
            transform_part(read_schema(config.schema_path)),
            config.table.model_dump(),
            # `missing_days` decides whether a block may be made, not its content, and
            # neither does the folder of the logs.
            [
                config.domain_log(domain).model_dump(
                    exclude={"missing_days", "folder", "marker"}
                )
                for domain in config.domains
            ],
        )
        # Planning a day plans the models of earlier days, which share most blocks.
        self._made: dict[tuple[DayRange, str | None], Block] = {}
        self._stored: dict[int, list[DayRange]] = {}
        for stored in sorted(set(known.blocks.values()), key=lambda d: -d.last):
            self._stored.setdefault(stored.first, []).append(stored)

    def plan(self, *cuts: int) -> list[Step]:
        """Plans the chain of blocks from the first day of logs.

        Stored blocks are taken as they are, longest first; what is missing becomes new
        blocks. No block crosses a cut.

        Args:
            *cuts: Days before which a block must end, and the last day wanted, in
                order. `plan(D, L)` covers first_day..D-1 and D..L.
        """
        *inner, last = cuts
        bounds = [cut - 1 for cut in inner] + [last]
        chain: list[Step] = []
        next_day = self._first_day
        parent: Block | None = None
        for bound in bounds:
            while next_day <= bound:
                block, done = self._next_block(next_day, bound, parent)
                chain.append(
                    Step(
                        kind=StepKind.INGEST,
                        label=f"ingest {block.days}",
                        day=block.days.last + 1,
                        run_day=block.days.first,
                        days=block.days,
                        fingerprint=block.fingerprint,
                        done=done,
                        blocks=(parent,) if parent else (),
                    )
                )
                parent, next_day = block, block.days.last + 1
        return chain

    def before(self, day: int) -> list[Block]:
        """Plans the blocks of all days of logs before `day`, oldest first."""
        return [block_of(step) for step in self.plan(day - 1)]

    def _next_block(
        self, first: int, bound: int, parent: Block | None
    ) -> tuple[Block, bool]:
        for days in self._stored.get(first, []):
            if days.last <= bound:
                block = self._block(days, parent)
                if block.fingerprint in self._known.blocks:
                    return block, True
        return self._block(DayRange(first, bound), parent), False

    def _block(self, days: DayRange, parent: Block | None) -> Block:
        # A vocabulary extends its parent's, so a changed block makes every later one
        # stale.
        above = parent.fingerprint if parent else None
        if (days, above) not in self._made:
            content = [self._data, str(days), self._logs(days), above]
            block = Block(days, digest("block", *content), above)
            self._made[days, above] = block
        return self._made[days, above]
