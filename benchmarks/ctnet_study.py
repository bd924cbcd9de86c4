"""Study of CTNet beside other ways to use a source, step by step in one process.

The pipeline ingests all days first. In each step of the study, a day or a month, every
model is trained on the impressions that it may read by then, and scores the target's
impressions until the next step before it is trained on them. The vocabulary is that of
the last day: ids of later days have table rows already, with untrained embeddings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ctnet_trainees import CTNETS
from benchmarks.ctnet_trainees import Builder
from benchmarks.ctnet_trainees import Trainees
from benchmarks.held_out import HeldOut
from benchmarks.held_out import Remaining
from benchmarks.held_out import where
from benchmarks.study_metrics import metrics_of
from benchmarks.trainee import Trainee
from benchmarks.trainee import assign
from benchmarks.trainee import values
from models.ctnet.network import Ctnet
from models.features.feature import USER_FEATURE
from models.networks.backbone import Backbone
from models.networks.network import Network
from pipeline.config.schema import Config

# Target impressions scored in one batch; those of all days of a study are fewer.
_MOST_ROWS = 1_000_000
_HELD_OUT_SHARE = 0.3


@dataclass
class Result:
    """Results of a study.

    Attributes:
        days: Metrics by model and step.
        pooled: Metrics by model, over the impressions of all steps.
        forgetting: Metrics by model at the end of the study, on impressions of the
            first days of the history that were held out from all trainings. Models that
            are continued have trained on others of these days; models that restart in
            each step have not if their window no longer contains them.
        costs: By model, mean impressions read and seconds spent in a step after the
            first.
        equal_rows: Target impressions on which, on the first day, CTNet's score equals
            the target model's to the last bit.
        all_rows: Target impressions compared.
    """

    days: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    pooled: dict[str, dict[str, float]] = field(default_factory=dict)
    forgetting: dict[str, dict[str, float]] = field(default_factory=dict)
    costs: dict[str, dict[str, float]] = field(default_factory=dict)
    equal_rows: int = 0
    all_rows: int = 0


class Study:
    """Study of one configuration, whose logs are ingested already.

    Args:
        config: The configuration.
        seed: Seed of weights, shuffling and dropout.
        steps: First day of each step, ascending, and the day after the last step; the
            days before the first step are the history.
        window: Days that `finetune` and `joint` read in each step.
        old_days: Days at the beginning of the history of which a share is held out,
            and scored at the end.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        steps: Sequence[int],
        window: int,
        old_days: int = 3,
    ) -> None:
        self._config = config
        self._first, self._steps, self._window = config.first, list(steps), window
        last = self._first + old_days - 1
        self._held_out = HeldOut(self._first, last, _HELD_OUT_SHARE)
        self._ads = (config.target,)
        self._builder = Builder(config, seed, self._steps[0] - 1)

    def run(self, folder: Path, models: Iterable[str]) -> Result:
        """Runs all steps.

        Args:
            folder: Folder for snapshots.
            models: Models beside `target_only` and the source alone: keys of `CTNETS`,
                `finetune`, `joint`.
        """
        trainees = self._builder.trainees(folder, list(models))
        result = Result()
        start = self._steps[0]
        # In the first step, CTNet reads a source model that is one step older than the
        # target's newest impressions.
        since = start - (self._steps[1] - start)
        self._fit(
            trainees.source, self._config.sources, self._first, since - 1, moving=True
        )
        batches: list[Any] = []
        scores: dict[str, list[Any]] = {name: [] for name in trainees.scored}
        for day, end in itertools.pairwise(self._steps):
            before = {n: (m.rows, m.seconds) for n, m in trainees.scored.items()}
            self._train(trainees, result, since, day)
            batches.append(self._rows(day, end - 1))
            for name, model in trainees.scored.items():
                scores[name].append(model.probabilities(batches[-1].rows))
            if day > start:
                self._add_costs(result, trainees, before)
            since = day
        self._measure(result, trainees, batches, scores)
        return result

    def first_day(self) -> tuple[Backbone, Ctnet, Callable[[], None]]:
        """Returns the target model, CTNet on its first day, and what trains CTNet."""
        last = self._steps[0] - 1
        source = self._builder.trainee(self._builder.backbone(), "source")
        self._fit(source, self._config.sources, last - 2, last - 1, moving=True)
        old = self._builder.backbone()
        target = self._builder.trainee(old, "target")
        self._fit(target, self._ads, self._first, last, moving=True)
        ctnet = self._builder.ctnet({}, None)
        _start(ctnet, old, values(source.network.named_variables()))
        model = self._builder.trainee(ctnet, "target")
        return (
            old,
            ctnet,
            lambda: self._fit(model, self._ads, last + 1, last + 1, moving=False),
        )

    def _train(self, trainees: Trainees, result: Result, since: int, day: int) -> None:
        """Trains all models for the step that begins on `day`, after one on `since`."""
        source = trainees.source
        former = values(source.network.named_variables())
        self._fit(source, self._config.sources, since, day - 1, moving=False)
        if day == self._steps[0]:
            for parent in (trainees.target, trainees.with_snapshots):
                if parent:
                    self._fit(parent, self._ads, self._first, day - 1, moving=True)
            for name, ctnet in trainees.ctnets.items():
                _start(ctnet.network, trainees.parent(name).network, former)
            self._compare_first_day(result, trainees, day - 1)
        else:
            self._fit(trainees.target, self._ads, since, day - 1, moving=False)
            for name, ctnet in trainees.ctnets.items():
                if CTNETS[name].get("reload", True):
                    assign(ctnet.network.source_variables(), former)
                self._fit(ctnet, self._ads, since, day - 1, moving=False)
        self._restart(trainees, day)

    def _restart(self, trainees: Trainees, day: int) -> None:
        """Trains `joint` and `finetune` on the window before `day`."""
        first = max(self._first, day - self._window)
        if "joint" in trainees.restarts:
            joint = trainees.restarts["joint"]
            joint.begin_again()
            self._fit(joint, self._config.domains, first, day - 1, moving=True)
        pretrained = trainees.pretrained
        if pretrained is not None:
            tuned = trainees.restarts["finetune"]
            pretrained.begin_again()
            read, spent = pretrained.rows, pretrained.seconds
            self._fit(pretrained, self._config.sources, first, day - 1, moving=True)
            named = pretrained.network.named_variables()
            assign(tuned.network.named_variables(), values(named))
            self._fit(tuned, self._ads, first, day - 1, moving=True)
            tuned.rows += pretrained.rows - read
            tuned.seconds += pretrained.seconds - spent

    def _add_costs(
        self,
        result: Result,
        trainees: Trainees,
        before: dict[str, tuple[float, float]],
    ) -> None:
        later = len(self._steps) - 2
        for name, model in trainees.scored.items():
            cost = result.costs.setdefault(name, {"rows": 0.0, "seconds": 0.0})
            rows, seconds = before[name]
            cost["rows"] += (model.rows - rows) / later
            cost["seconds"] += (model.seconds - seconds) / later

    def _measure(
        self,
        result: Result,
        trainees: Trainees,
        batches: list[Any],
        scores: dict[str, list[Any]],
    ) -> None:
        """Adds the metrics of all steps, and those on old, held-out impressions."""
        users = np.concatenate([batch.rows[USER_FEATURE] for batch in batches])
        labels = np.concatenate([batch.labels for batch in batches])
        old = self._rows(self._held_out.first, self._held_out.last)
        old = where(old, self._held_out.mask(old))
        for name, model in trainees.scored.items():
            result.days[name] = [
                metrics_of(batch.rows[USER_FEATURE], probability, batch.labels)
                for batch, probability in zip(batches, scores[name], strict=True)
            ]
            result.pooled[name] = metrics_of(
                users, np.concatenate(scores[name]), labels
            )
            result.forgetting[name] = metrics_of(
                old.rows[USER_FEATURE], model.probabilities(old.rows), old.labels
            )

    def _compare_first_day(self, result: Result, trainees: Trainees, last: int) -> None:
        rows = self._rows(self._first, last)
        before = trainees.target.probabilities(rows.rows)
        result.all_rows = result.equal_rows = len(before)
        for name, ctnet in trainees.ctnets.items():
            if not CTNETS[name].get("snapshots"):
                equal = ctnet.probabilities(rows.rows) == before
                result.equal_rows = min(result.equal_rows, int(np.sum(equal)))

    def _fit(
        self,
        model: Trainee,
        domains: Iterable[str],
        first: int,
        last: int,
        *,
        moving: bool,
    ) -> None:
        reader = self._builder.reader(domains, first, last)
        model.train(Remaining(reader, self._held_out), moving=moving)

    def _rows(self, first: int, last: int) -> Any:
        """Returns the target's impressions of some days as one batch."""
        reader = self._builder.reader(self._ads, first, last)
        (batch,) = reader.batches(
            batch_size=_MOST_ROWS, shuffle_rows=_MOST_ROWS, seed=0
        )
        return batch


def _start(ctnet: Any, target: Network, source: dict[str, Any]) -> None:
    """Copies a target model and the values of a source model into CTNet."""
    named, old = ctnet.named_variables(), target.named_variables()
    assign({name: named[name] for name in old}, values(old))
    assign(ctnet.source_variables(), source)
