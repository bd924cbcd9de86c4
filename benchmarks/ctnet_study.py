"""CTNet step by step beside other ways to use a source, in one process.

Everything is ingested once by the pipeline; then each step of the study, a day or a
month, trains every model on what it may read by then, and scores the target rows until
the next step before any model trains on them. The vocabulary is that of the last day:
an id of a later day has a row already, which nothing has trained.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from components.metrics.logic import auc
from components.metrics.logic import grouped_auc
from components.metrics.logic import log_losses
from models import snapshots
from models.backbone import Backbone
from models.batches import ExampleReader
from models.batches import batch_signature
from models.checkpoints import save_variables
from models.compat import save_arrays
from models.ctnet.network import Ctnet
from models.ctnet.settings import CtnetConfig
from models.features import SNAPSHOT_SPACES
from models.features import USER_FEATURE
from models.id_lists import read_ids
from models.level import COUNTS_FILE
from models.level import WEIGHTS_FILE
from models.level import export_snapshot
from models.network import Network
from models.optimizers import build_optimizer
from models.optimizers import optimizer_state
from models.settings import TrainingConfig
from models.steps import SPAN
from models.steps import make_train_span
from models.tpm import TinyModel
from pipeline.config import Config
from pipeline.store import Store

# Each with the source model it reads and its adapter.
CTNETS: dict[str, dict[str, Any]] = {
    "ctnet": {},
    "ctnet, no reload": {"reload": False},
    "ctnet, gate": {"adapter": "gate"},
    "ctnet, linear": {"adapter": "linear"},
    "ctnet, snapshots": {"snapshots": True},
}
# Target rows that are scored at once; those of all days of the study are fewer.
_MOST_ROWS = 1_000_000


class Trainee:
    """A network that is trained piece by piece, its step traced once.

    As in the pipeline, each training has an optimizer that remembers nothing.
    """

    def __init__(self, network: Network, training: TrainingConfig) -> None:
        self.network = network
        self._training = training
        self._optimizer = build_optimizer(network, training)
        self._fresh = _values(optimizer_state(self._optimizer))
        self._span = make_train_span(network, self._optimizer, training.batch_size)
        rows_spec, _, _ = batch_signature(network.features)
        self._score = tf.function(
            lambda rows: network(rows, training=False), input_signature=(rows_spec,)
        )
        self._start = _values(network.named_variables())
        self.rows = self.seconds = 0.0

    def begin_again(self) -> None:
        """Puts the first weights back."""
        _assign(self.network.named_variables(), self._start)

    def train(self, reader: ExampleReader, *, moving: bool) -> None:
        """Trains on a window; `moving` BatchNorm follows its rows."""
        started = time.monotonic()
        _assign(optimizer_state(self._optimizer), self._fresh)
        for mlp in self.network.mlps:
            if mlp.keep_statistics == moving:
                mlp.keep_statistics = not moving
                # What is traced has the former way built in.
                training = self._training
                self._span = make_train_span(
                    self.network, self._optimizer, training.batch_size
                )
        for epoch in range(self._training.epochs):
            for span in reader.batches(
                batch_size=self._training.batch_size,
                shuffle_rows=self._training.shuffle_rows,
                seed=self._training.seed,
                epoch=epoch,
                span=SPAN,
            ):
                losses = self._span(span.rows, span.labels).numpy()
                if not np.isfinite(losses).all():
                    raise ValueError(f"the loss became {losses[-1]}")
                self.rows += len(span.labels)
        self.seconds += time.monotonic() - started

    def probabilities(self, rows: dict[str, Any]) -> Any:
        """Returns the click probabilities of rows, (N,)."""
        given = {name: tf.constant(values) for name, values in rows.items()}
        return 1 / (1 + np.exp(-self._score(given).numpy().astype(np.float64)))


def _values(named: dict[str, Any]) -> dict[str, Any]:
    return {name: variable.numpy() for name, variable in named.items()}


def _assign(named: dict[str, Any], values: dict[str, Any]) -> None:
    for name, variable in named.items():
        variable.assign(values[name])


@dataclass
class Result:
    """What a study came to.

    Attributes:
        days: Metrics by model and step.
        pooled: Metrics by model, over the rows of all steps.
        forgetting: Metrics by model, on the first rows of the history, at the end.
            CTNet and `target_only` have trained on these rows, models that begin again
            have not if they are older than the window: it shows what is still known
            by heart, not how well old patterns are kept.
        costs: By model, rows read and seconds spent on a step after the first.
        equal_rows: Target rows on which CTNet of the first day scored as the target
            model to the last bit.
        all_rows: Target rows compared.
    """

    days: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    pooled: dict[str, dict[str, float]] = field(default_factory=dict)
    forgetting: dict[str, dict[str, float]] = field(default_factory=dict)
    costs: dict[str, dict[str, float]] = field(default_factory=dict)
    equal_rows: int = 0
    all_rows: int = 0


class Study:
    """Some steps of one configuration, on rows that are ingested already.

    Args:
        config: The configuration.
        seed: Of weights, shuffling and dropout.
        steps: First day of each step, ascending, and the day after the last step; the
            rows before the first one are the history.
        window: Days that `finetune` and `joint` read at each step.
        old_days: Days at the beginning of the history whose rows are scored at the end.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        steps: Sequence[int],
        window: int,
        old_days: int = 3,
    ) -> None:
        self._config, self._seed = config, seed
        self._first, self._steps, self._window = config.first, list(steps), window
        self._old_days = old_days
        store = Store(config.root)
        self._folders = [
            stored.uri
            for stored in store.artifacts("Examples")
            if stored.properties.get("role") == "transformed"
        ]
        self._vocabulary = Path(store.artifacts("Vocabulary")[-1].uri)

    def run(self, folder: Path, models: Iterable[str]) -> Result:
        """Runs all steps; `folder` takes snapshots."""
        models = list(models)
        start = self._steps[0]
        source = self._trainee(self._backbone(), "source")
        target = self._trainee(self._backbone(), "target")
        tables = self._snapshots(folder) if "ctnet, snapshots" in models else {}
        with_tables = (
            self._trainee(self._backbone(tables), "target") if tables else None
        )
        ctnets = {
            name: self._trainee(self._ctnet(about, tables), "target")
            for name, about in CTNETS.items()
            if name in models
        }
        restarts: dict[str, Trainee] = {
            name: self._trainee(self._backbone(), "target")
            for name in ("finetune", "joint")
            if name in models
        }
        pretrained = (
            self._trainee(self._backbone(), "cpm") if "finetune" in models else None
        )
        everyone: dict[str, Trainee] = {
            "target_only": target,
            "source alone": source,
            **ctnets,
            **restarts,
        }
        result = Result()
        scores: dict[str, list[Any]] = {name: [] for name in everyone}
        rows_of_days: list[Any] = []

        # A source model that has not seen the time of the rows that CTNet trains on:
        # as long before the first step as the steps are long.
        length = self._steps[1] - start
        self._fit(
            source, self._config.sources, self._first, start - length - 1, moving=True
        )
        since = start - length
        for day, end in itertools.pairwise(self._steps):
            former = _values(source.network.named_variables())
            before = {name: (m.rows, m.seconds) for name, m in everyone.items()}
            self._fit(source, self._config.sources, since, day - 1, moving=False)
            ads = (self._config.target,)
            if day == start:
                parents = [target, *([with_tables] if with_tables else [])]
                for parent in parents:
                    self._fit(parent, ads, self._first, day - 1, moving=True)
                for name, ctnet in ctnets.items():
                    # The last parent is the one with snapshots, if there is one.
                    own = parents[-1] if CTNETS[name].get("snapshots") else target
                    named = ctnet.network.named_variables()
                    old = own.network.named_variables()
                    _assign({n: named[n] for n in old}, _values(old))
                    _assign(ctnet.network.source_variables(), former)
                self._compare_first_day(result, target, ctnets, start - 1)
            else:
                self._fit(target, ads, since, day - 1, moving=False)
                for name, ctnet in ctnets.items():
                    if CTNETS[name].get("reload", True):
                        _assign(ctnet.network.source_variables(), former)
                    self._fit(ctnet, ads, since, day - 1, moving=False)
            first = max(self._first, day - self._window)
            if "joint" in restarts:
                restarts["joint"].begin_again()
                domains = self._config.domains
                self._fit(restarts["joint"], domains, first, day - 1, moving=True)
            if pretrained is not None:
                tuned = restarts["finetune"]
                pretrained.begin_again()
                sources = self._config.sources
                read, spent = pretrained.rows, pretrained.seconds
                self._fit(pretrained, sources, first, day - 1, moving=True)
                named = pretrained.network.named_variables()
                _assign(tuned.network.named_variables(), _values(named))
                self._fit(tuned, ads, first, day - 1, moving=True)
                tuned.rows += pretrained.rows - read
                tuned.seconds += pretrained.seconds - spent
            rows_of_days.append(self._rows(day, end - 1))
            for name, model in everyone.items():
                scores[name].append(model.probabilities(rows_of_days[-1].rows))
            if day > start:
                for name, model in everyone.items():
                    cost = result.costs.setdefault(name, {"rows": 0.0, "seconds": 0.0})
                    rows, seconds = before[name]
                    later = len(self._steps) - 2
                    cost["rows"] += (model.rows - rows) / later
                    cost["seconds"] += (model.seconds - seconds) / later
            since = day
        old_rows = self._rows(self._first, self._first + self._old_days - 1)
        for name, model in everyone.items():
            result.days[name] = [
                metrics_of(rows.rows[USER_FEATURE], probability, rows.labels)
                for rows, probability in zip(rows_of_days, scores[name], strict=True)
            ]
            users = np.concatenate([rows.rows[USER_FEATURE] for rows in rows_of_days])
            labels = np.concatenate([rows.labels for rows in rows_of_days])
            pooled = metrics_of(users, np.concatenate(scores[name]), labels)
            result.pooled[name] = pooled
            again = model.probabilities(old_rows.rows)
            result.forgetting[name] = metrics_of(
                old_rows.rows[USER_FEATURE], again, old_rows.labels
            )
        return result

    def first_day(self) -> tuple[Backbone, Ctnet, Callable[[], None]]:
        """Returns the target model, CTNet on its first day, and what trains it."""
        last = self._steps[0] - 1
        source = self._trainee(self._backbone(), "source")
        self._fit(source, self._config.sources, last - 2, last - 1, moving=True)
        old, ads = self._backbone(), (self._config.target,)
        target = self._trainee(old, "target")
        self._fit(target, ads, self._first, last, moving=True)
        ctnet = self._ctnet({}, None)
        named = ctnet.named_variables()
        before = _values(old.named_variables())
        _assign({name: named[name] for name in before}, before)
        frozen = _values(source.network.named_variables())
        _assign(ctnet.source_variables(), frozen)
        model = self._trainee(ctnet, "target")
        return (
            old,
            ctnet,
            lambda: self._fit(model, ads, last + 1, last + 1, moving=False),
        )

    def _compare_first_day(
        self, result: Result, old: Trainee, ctnets: dict[str, Trainee], last: int
    ) -> None:
        rows = self._rows(self._first, last)
        before = old.probabilities(rows.rows)
        result.all_rows = result.equal_rows = len(before)
        for name, ctnet in ctnets.items():
            if not CTNETS[name].get("snapshots"):
                equal = ctnet.probabilities(rows.rows) == before
                result.equal_rows = min(result.equal_rows, int(np.sum(equal)))

    def _backbone(self, tables: Any = None) -> Backbone:
        keras.utils.set_random_seed(self._seed)
        return Backbone(self._config.table, self._config.network, tables)

    def _ctnet(self, about: dict[str, Any], tables: Any) -> Ctnet:
        keras.utils.set_random_seed(self._seed)
        ctnet = CtnetConfig(adapter=about.get("adapter", "glu"))
        own = tables if about.get("snapshots") else None
        return Ctnet(self._config.table, self._config.network, ctnet, own)

    def _trainee(self, network: Network, level: str) -> Trainee:
        training = self._config.training_of(level)
        return Trainee(network, training.model_copy(update={"seed": self._seed}))

    def _reader(self, domains: Iterable[str], first: int, last: int) -> ExampleReader:
        patterns = [f"{f}/Split-{d}/*" for f in self._folders for d in domains]
        return ExampleReader(patterns, self._config.table, first, last)

    def _fit(
        self,
        model: Trainee,
        domains: Iterable[str],
        first: int,
        last: int,
        *,
        moving: bool,
    ) -> None:
        model.train(self._reader(domains, first, last), moving=moving)

    def _rows(self, first: int, last: int) -> Any:
        reader = self._reader((self._config.target,), first, last)
        (batch,) = reader.batches(
            batch_size=_MOST_ROWS, shuffle_rows=_MOST_ROWS, seed=0
        )
        return batch

    def _snapshots(self, folder: Path) -> dict[str, Any]:
        """Trains one TPM period on the history and returns its aligned tables."""
        table = self._config.table
        keras.utils.set_random_seed(self._seed)
        network = TinyModel(table, self._config.network)
        trainee = self._trainee(network, "tpm")
        patterns = [
            f"{f}/Split-{d}/*" for f in self._folders for d in self._config.sources
        ]
        last = self._steps[0] - 1
        reader = ExampleReader(patterns, network.features, self._first, last)
        trainee.train(reader, moving=True)
        trained, period = folder / "trained", folder / "period"
        trained.mkdir(parents=True, exist_ok=True)
        save_variables(trained / WEIGHTS_FILE, network.named_variables())
        save_arrays(trained / COUNTS_FILE, reader.summarise().impressions)
        vocabulary = self._vocabulary
        export_snapshot(trained, vocabulary, table, period, period_day=last + 1)
        return {
            space: snapshots.align(
                [period], read_ids(vocabulary, space), space, table.vocabularies[space]
            )
            for space in SNAPSHOT_SPACES
        }


def difference(
    results: Sequence[Mapping[str, Any]],
    model: str,
    base: str,
    metric: str = "gauc",
    first: int = 1,
) -> tuple[float, float, float]:
    """Returns how far two models are apart, as a mean with a 95 % interval.

    The interval is a normal one over steps and seeds, which stand for one another:
    steps of one seed share a model that goes on, so it is somewhat too narrow.

    Args:
        results: What the seeds came to, as `asdict` of `Result`.
        model: The model.
        base: What it is compared with.
        metric: The metric of a step.
        first: First step that counts; on the first of all CTNet is `target_only`.
    """
    pairs = [
        (r["days"][model][step][metric], r["days"][base][step][metric])
        for r in results
        for step in range(first, len(r["days"][base]))
    ]
    apart = np.array([a - b for a, b in pairs], np.float64)
    apart = apart[np.isfinite(apart)]
    half = 1.96 * apart.std(ddof=1) / len(apart) ** 0.5
    return float(apart.mean()), float(apart.mean() - half), float(apart.mean() + half)


def told(found: tuple[float, float, float]) -> str:
    """Returns a difference and its interval, without a verdict: it is too narrow."""
    mean, low, high = found
    return f"{mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def metrics_of(users: Any, probability: Any, labels: Any) -> dict[str, float]:
    """Returns `auc`, `gauc`, its `coverage` and `log_loss` of scored rows."""
    grouped = grouped_auc(users, probability, labels)
    return {
        "auc": auc(probability, labels),
        "gauc": grouped.gauc,
        "coverage": grouped.coverage,
        "log_loss": float(log_losses(probability, labels).mean()),
    }
