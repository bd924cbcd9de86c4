"""Trains one level, from the paths of its inputs to its model's folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras as keras

from models import memory
from models import snapshots
from models import warm_start
from models.batch_norm import count_statistics
from models.batches import ExampleReader
from models.batches import WindowSummary
from models.calibration import Calibrated
from models.calibration import Platt
from models.calibration import describe
from models.cctl.learner import CctlLearner
from models.cctl.learner import target_share
from models.cctl.learner import with_ratio_of
from models.cctl.network import CompanionNetwork
from models.cctl.readable import readable
from models.cctl.record import CctlRecord
from models.checkpoints import read_rows
from models.checkpoints import save_variables
from models.checkpoints import variable_shapes
from models.compat import save_arrays
from models.ctnet.network import Ctnet
from models.days import DayRange
from models.distribution import Workers
from models.domains import DomainCounts
from models.domains import check_rows_known
from models.domains import count_by_domain
from models.domains import table_rows
from models.errors import DataError
from models.errors import TrainingError
from models.export import export_saved_model
from models.features import SNAPSHOT_SPACES
from models.features import FeatureTable
from models.id_lists import describe_ids
from models.id_lists import is_prefix
from models.id_lists import read_ids

# A model artifact's folder beside TFX's Format-Serving, and what lies in it.
from models.learners import Learner
from models.learners import PlainLearner
from models.level_inputs import LevelInputs
from models.level_inputs import LevelReport
from models.mixing import MixedRows
from models.multi_domain.network import MultiDomainNetwork
from models.network import Network
from models.network_factory import NetworkKind
from models.network_factory import build_network
from models.optimizers import build_optimizer
from models.optimizers import optimizer_state
from models.scored_days import ScoredDays
from models.sizes import count_parameters
from models.skew import check_skew
from models.skew import trained_scores
from models.training import DailyTraining
from models.training import TrainingResult
from models.training import fit

TRAIN_FOLDER = "Format-Train"
WEIGHTS_FILE = "weights"
COUNTS_FILE = "impressions.npz"
SCORED_FILE = "scored_days.npz"
LAYOUT_FILE = "layout.json"
REPORT_FILE = "report.json"
# What further workers of the same training are given.
INPUTS_FILE = "inputs.json"

_PROGRESS = logging.getLogger("crossctr.progress")


def run_level(inputs: LevelInputs) -> LevelReport:
    """Trains a level and writes its model.

    `train_dir` gets the checkpoint, the impressions of each table row, the layout of
    the tables and the report; `serving_dir` the SavedModel; `run_dir` TensorBoard's
    scalars.

    Raises:
        DataError: If the window has no rows, or an input cannot be used.
        TrainingError: If the warm start does not fit or the loss is not finite.
    """
    memory_before = memory.reset_peak()
    workers = Workers.from_environment(
        lambda: _write_text(inputs.train_dir / INPUTS_FILE, inputs.model_dump_json())
    )
    if inputs.cctl is not None and workers.count > 1:
        raise TrainingError(
            f"cctl trains in one process; TF_CONFIG names {workers.count} workers. "
            "Take TF_CONFIG away, or choose another strategy"
        )
    keras.utils.set_random_seed(inputs.training.seed)
    features = inputs.features.tpm_only() if inputs.level == "tpm" else inputs.features
    last = inputs.last_trained_day
    # Past the last day there are no rows.
    first = inputs.last_day + 1 if inputs.begins else inputs.first_day
    whole = ExampleReader(inputs.examples, features, first, inputs.last_day)
    reader = whole.between(first, last)
    window = whole.summarise()
    before = reader.summarise() if last < inputs.last_day else window
    if before.num_rows == 0 and not inputs.continues:
        raise DataError(_no_rows(inputs, *inputs.domains))
    counts = count_by_domain(window, features, inputs.vocabulary, inputs.domains)
    known = count_by_domain(before, features, inputs.vocabulary, inputs.domains)
    _check_domains(inputs, window, counts)
    training = inputs.training
    normalised: ExampleReader | MixedRows = reader
    if inputs.cctl is not None:
        # The sources' rows come beside the target's, as many as these need.
        inputs = _with_ratio(inputs, known.rows if before.num_rows else counts.rows)
        assert inputs.cctl is not None
        training = target_share(training, inputs.cctl)
        whole = _target_rows(inputs, features)
        reader = whole.between(first, last)
        before = reader.summarise()
        if before.num_rows == 0 and not inputs.continues:
            raise DataError(_no_rows(inputs, inputs.domains[-1]))
        normalised = MixedRows(
            reader,
            _source_rows(inputs, features).between(first, last),
            inputs.cctl.source_ratio,
        )
    with workers.scope():
        network = _build_network(inputs)
        optimizer = build_optimizer(_trained_together(network), training)
    if before.num_rows:
        network.set_base_rate(before.num_clicks / before.num_rows)
    if isinstance(network, MultiDomainNetwork):
        network.set_base_rates(known.click_rates)
    if isinstance(network, CompanionNetwork) and not inputs.continues:
        network.set_source_rates(known.click_rates)
    copied = None
    if inputs.warm_start is not None:
        kept = _kept(inputs, network, optimizer)
        copied = _warm_start(inputs, network, workers.local(kept))
    parameters = count_parameters(network)
    _PROGRESS.info(
        f"{inputs.level} · {window.num_rows:,} rows of {', '.join(inputs.domains)} · "
        f"{sum(parameters.values()):,} parameters"
    )

    def local_network() -> Network:
        return workers.gather(network, lambda: _build_network(inputs))

    record, searched = (CctlRecord(inputs.domains[:-1]) for _ in range(2))

    def make_learner(optimizer: Any) -> Learner:
        if isinstance(network, CompanionNetwork):
            # Of a search for the number of epochs only what it read is kept.
            kept = searched if optimizer is None else record
            rows = _source_rows(inputs, features)
            return CctlLearner(
                network, rows, training, optimizer=optimizer, record=kept
            )
        return PlainLearner(network, training, workers, optimizer)

    results: list[TrainingResult] = []
    _keep_statistics(network, inputs.continues)
    if before.num_rows:
        results.append(
            fit(
                network,
                reader,
                training,
                rows_by_day=before.rows_by_day,
                run_dir=inputs.run_dir,
                optimizer=optimizer,
                workers=workers,
                make_learner=make_learner,
            )
        )
    local = local_network()
    if not inputs.continues:
        count_statistics(local, normalised, seed=inputs.training.seed)
        workers.spread_statistics(local, network)
    scored = calibrator = None
    if inputs.calibration_days:
        scored = _scored_before(inputs, network.features, reader)
        rows_by_day = window.rows_by_day
        if inputs.cctl is not None:
            rows_by_day = (
                whole.between(last + 1, inputs.last_day).summarise().rows_by_day
            )
        newest = {day: n for day, n in rows_by_day.items() if day > last}
        if newest:
            _keep_statistics(network, True)
            daily = DailyTraining(
                network,
                training,
                run_dir=inputs.run_dir / "daily",
                learner=make_learner(optimizer),
                workers=workers,
            )
            for day, num_rows in sorted(newest.items()):
                scored.add(day, local, _target_rows(inputs, features, day))
                daily.train(day, whole.between(day, day), num_rows)
                local = local_network()
            results.append(daily.finish())
        calibrator = _calibrator(inputs, local, scored)
    record.source_rows += searched.source_rows
    network = local
    report = LevelReport(
        level=inputs.level,
        domains=inputs.domains,
        first_day=inputs.first_day,
        last_day=inputs.last_day,
        rows=window.num_rows,
        rows_by_domain=counts.rows,
        clicks=window.num_clicks,
        target_click_rate=_target_click_rate(inputs, features, counts),
        steps=sum(result.steps for result in results),
        seconds=sum(result.seconds for result in results),
        losses=results[0].losses if results else (),
        held_out=results[0].held_out if results else (),
        parameters=parameters,
        warm_start=None if copied is None else copied.to_json(),
        cctl=None
        if inputs.cctl is None
        else readable(record.to_json(), features, inputs.vocabulary),
        snapshot_days=tuple(
            snapshots.read_summary(folder)["period_day"] for folder in inputs.snapshots
        ),
        calibration=None if calibrator is None else calibrator._asdict(),
        memory_before_mib=memory_before,
        peak_memory_mib=memory.peak_mib(),
    )
    if not workers.is_chief:
        return report
    kept = _kept(inputs, network, optimizer)
    save_variables(inputs.train_dir / WEIGHTS_FILE, workers.local(kept))
    save_arrays(inputs.train_dir / COUNTS_FILE, window.impressions)
    if scored is not None:
        path = inputs.train_dir / SCORED_FILE
        scored.write(path, first_day=inputs.first_calibration_day)
    _write_json(inputs.train_dir / LAYOUT_FILE, _layout(inputs, features))
    served = network if calibrator is None else Calibrated(network, calibrator)
    export_saved_model(served, inputs.transform_graph, inputs.serving_dir)
    if inputs.raw_examples:
        skew = check_skew(
            trained_scores(network, calibrator),
            inputs.serving_dir,
            _target_rows(inputs, network.features),
            inputs.raw_examples,
        )
        report = report.model_copy(update={"skew": skew})
    # Last: a folder with a report is complete.
    _write_json(inputs.train_dir / REPORT_FILE, report.model_dump(mode="json"))
    return report


def _with_ratio(inputs: LevelInputs, rows: Mapping[str, int]) -> LevelInputs:
    """Returns the inputs with as many source rows to a target row as there are."""
    assert inputs.cctl is not None
    cctl = with_ratio_of(inputs.cctl, rows, inputs.domains[-1])
    if cctl.source_ratio < inputs.cctl.source_ratio:
        _PROGRESS.info(
            f"cctl · {cctl.source_ratio:.2f} source rows to a row of the target, all "
            f"there are, not source_ratio's {inputs.cctl.source_ratio:g}; "
            "repeat_sources: true would learn from each several times"
        )
    return inputs.model_copy(update={"cctl": cctl})


def _keep_statistics(network: Network, keep: bool) -> None:
    """Says what BatchNorm normalises by while training, before a step is traced."""
    for mlp in network.mlps:
        mlp.keep_statistics = keep


def _scored_before(
    inputs: LevelInputs, features: FeatureTable, reader: ExampleReader
) -> ScoredDays:
    """Returns the days that the model to continue from has scored, if it has any."""
    if inputs.continues:
        stored = Path(str(inputs.warm_start)) / TRAIN_FOLDER / SCORED_FILE
        if stored.is_file():
            return ScoredDays.read(stored)
        reader = _target_rows(inputs, features)
    elif len(inputs.domains) > 1:
        reader = _target_rows(inputs, features).between(
            inputs.first_day, inputs.last_trained_day
        )
    return ScoredDays.drawn_from(reader, seed=inputs.training.seed)


def _target_rows(
    inputs: LevelInputs, features: FeatureTable, day: int | None = None
) -> ExampleReader:
    """Returns the target's rows alone, whose click rates are not the sources'."""
    patterns = inputs.examples
    if len(inputs.domains) > 1:
        patterns = tuple(p for p in patterns if _is_target(inputs, p))
    first, last = (inputs.first_day, inputs.last_day) if day is None else (day, day)
    return ExampleReader(patterns, features, first, last)


def _source_rows(inputs: LevelInputs, features: FeatureTable) -> ExampleReader:
    """Returns the sources' rows of the window."""
    patterns = tuple(p for p in inputs.examples if not _is_target(inputs, p))
    return ExampleReader(patterns, features, inputs.first_day, inputs.last_day)


def _is_target(inputs: LevelInputs, pattern: str) -> bool:
    return f"Split-{inputs.domains[-1]}" in Path(pattern).parts


def _trained_together(network: Network) -> Any:
    """Returns what the level's optimizer trains."""
    return network.mixed_part if isinstance(network, CompanionNetwork) else network


def _calibrator(inputs: LevelInputs, network: Network, scored: ScoredDays) -> Platt:
    """Fits the calibrator on the newest days.

    A level that continues keeps its former one while these have too few rows.
    """
    calibrator = scored.calibrator(network, first_day=inputs.first_calibration_day)
    if inputs.continues and not calibrator.rows:
        former = Path(str(inputs.warm_start)) / TRAIN_FOLDER / REPORT_FILE
        known = json.loads(former.read_text(encoding="utf-8")).get("calibration")
        calibrator = Platt(**known) if known else calibrator
    _PROGRESS.info(describe(calibrator))
    return calibrator


def export_snapshot(
    train_dir: Path,
    vocabulary_dir: Path,
    features: FeatureTable,
    out_dir: Path,
    *,
    period_day: int,
    spaces: Sequence[str] = SNAPSHOT_SPACES,
) -> None:
    """Writes the tables of a trained TPM as an EmbeddingSnapshot.

    Args:
        train_dir: The TPM's `Format-Train` folder.
        vocabulary_dir: The vocabulary it was trained with.
        features: All features.
        out_dir: Folder of the snapshot.
        period_day: The TPM's run day; its rows end the day before.
        spaces: Id spaces to export.

    Raises:
        DataError: If the model has no table for a space, or spaces differ in width.
    """
    shapes = variable_shapes(train_dir / WEIGHTS_FILE)
    tables = {space: f"embedding/{space}/table" for space in spaces}
    lacking = [space for space in spaces if tables[space] not in shapes]
    if lacking:
        raise DataError(
            f"the model at {train_dir} has no table of {', '.join(lacking)}; mark a "
            "feature of that vocabulary with `tpm: true`"
        )
    widths = {space: shapes[tables[space]][1] for space in spaces}
    if len(set(widths.values())) != 1:
        raise DataError(
            f"the exported tables must have one width; received {widths}. Give the "
            "features of these vocabularies the same width"
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    vocabularies = {space: describe_ids(vocabulary_dir, space) for space in spaces}
    written = {}
    with np.load(train_dir / COUNTS_FILE) as counts:
        for space in spaces:
            ids = read_ids(vocabulary_dir, space)
            first = features.vocabularies[space].first_id_row
            chunks = read_rows(
                train_dir / WEIGHTS_FILE, tables[space], len(ids), first_row=first
            )
            written[space] = snapshots.write_space(
                out_dir,
                space,
                ids,
                counts[space][first : first + len(ids)],
                ((start - first, chunk.numpy()) for start, chunk in chunks),
                widths[space],
                {
                    "period_day": period_day,
                    "vocabulary_hash": vocabularies[space]["hash"],
                },
            )
    snapshots.write_summary(
        out_dir,
        period_day=period_day,
        width=widths[spaces[0]],
        vocabularies=vocabularies,
        rows=written,
    )


def _build_network(inputs: LevelInputs) -> Network:
    domain_rows = {}
    if inputs.multi_domain is not None or inputs.cctl is not None:
        domain_rows = table_rows(inputs.features, inputs.vocabulary, inputs.domains)
    aligned = {}
    for space in SNAPSHOT_SPACES if inputs.snapshots else ():
        ids = read_ids(inputs.vocabulary, space)
        aligned[space] = snapshots.align(
            inputs.snapshots, ids, space, inputs.features.vocabularies[space]
        )
    kind = NetworkKind(
        level=inputs.level,
        domains=inputs.domains,
        multi_domain=inputs.multi_domain,
        ctnet=inputs.ctnet,
        cctl=inputs.cctl,
    )
    network = build_network(
        kind,
        inputs.features,
        inputs.network,
        domain_rows=domain_rows,
        snapshots=aligned,
    )
    if isinstance(network, Ctnet):
        _read_source(inputs, network)
    return network


def _read_source(inputs: LevelInputs, network: Ctnet) -> None:
    """Fills the frozen tower of `network` from the source model, BatchNorm included."""
    folder = Path(str(inputs.source_model)) / TRAIN_FOLDER
    source = variable_shapes(folder / WEIGHTS_FILE)
    _check_layout(folder, inputs, network.features)
    named = network.source_variables()
    target = {name: tuple(variable.shape) for name, variable in named.items()}
    plan = warm_start.plan_copy(source, target)
    if plan.new:
        raise TrainingError(
            f"the source model at {folder} has no {', '.join(plan.new)}; it needs the "
            "features and network of this configuration. Train level source again"
        )
    warm_start.apply(plan, folder / WEIGHTS_FILE, named)


def _kept(inputs: LevelInputs, network: Network, optimizer: Any) -> dict[str, Any]:
    """Returns what a checkpoint holds: the weights, and slots if they are inherited."""
    kept = network.named_variables()
    if inputs.training.inherit_optimizer:
        kept |= optimizer_state(optimizer)
    return kept


def _warm_start(
    inputs: LevelInputs, network: Network, named: dict[str, Any]
) -> warm_start.CopyReport:
    folder = Path(str(inputs.warm_start)) / TRAIN_FOLDER
    source = variable_shapes(folder / WEIGHTS_FILE)
    layout = _check_layout(folder, inputs, network.features)
    target = {name: tuple(variable.shape) for name, variable in named.items()}
    excluded: frozenset[str] = frozenset()
    if layout["level"] != inputs.level:
        excluded = warm_start.optimizer_variables(source)
        if not inputs.load_batch_norm:
            excluded |= warm_start.batch_norm_variables(source)
    plan = warm_start.plan_copy(source, target, excluded)
    warm_start.apply(plan, folder / WEIGHTS_FILE, named)
    return plan


def _layout(inputs: LevelInputs, features: FeatureTable) -> dict[str, Any]:
    """Returns what decides which row an id has; a warm start needs it unchanged."""
    spaces = sorted({f.table for f in features.features if f.is_id})
    return {
        "level": inputs.level,
        "spaces": {
            space: {
                "rows": features.vocabularies[space].row_rule,
                **describe_ids(inputs.vocabulary, space),
            }
            for space in spaces
        },
    }


def _check_layout(
    folder: Path, inputs: LevelInputs, features: FeatureTable
) -> dict[str, Any]:
    """Returns the layout of the model in `folder`, whose rows must mean the same."""
    layout: dict[str, Any] = json.loads(
        (folder / LAYOUT_FILE).read_text(encoding="utf-8")
    )
    for space, known in layout["spaces"].items():
        if space not in {feature.table for feature in features.features}:
            continue
        rule = features.vocabularies[space].row_rule
        if known["rows"] != rule:
            raise TrainingError(
                f"ids of {space!r} have their rows {known['rows']} in the model to "
                f"start from, but {rule} now; encoding and oov_buckets of a "
                "vocabulary, and capacity of a hashed one, must not change. Set them "
                "back or train every level again"
            )
        if not is_prefix(known, inputs.vocabulary, space):
            raise TrainingError(
                f"the vocabulary of {space!r} at {inputs.vocabulary} did not grow out "
                f"of the one behind {folder.parent} ({known['ids']} ids, hash "
                f"{known['hash']}), so rows would mean other ids. Train the earlier "
                "level again with this vocabulary"
            )
    return layout


def _check_domains(
    inputs: LevelInputs, window: WindowSummary, counts: DomainCounts
) -> None:
    """Raises if a network of several domains would not learn the target."""
    target = inputs.domains[-1]
    if inputs.multi_domain is not None or inputs.cctl is not None:
        check_rows_known(counts, window)
    if inputs.level != "target" or inputs.continues:
        return
    if counts.rows.get(target) == 0:
        raise DataError(_no_rows(inputs, target))
    if inputs.cctl is not None and sum(counts.rows.values()) == counts.rows[target]:
        raise DataError(_no_rows(inputs, *inputs.domains[:-1]))


def _target_click_rate(
    inputs: LevelInputs, features: FeatureTable, counts: DomainCounts
) -> float | None:
    """Returns the click rate of the target's impressions in the window.

    A level that continues and has none, as on CTNet's first day, keeps the rate of the
    model it starts from.
    """
    if inputs.level != "target":
        return None
    target = inputs.domains[-1]
    if target in counts.rows:
        rows, clicks = counts.rows[target], counts.clicks[target]
    else:  # the features do not tell the domains apart, the files do
        window = _target_rows(inputs, features).summarise()
        rows, clicks = window.num_rows, window.num_clicks
    if rows:
        return clicks / rows
    if not inputs.continues:
        return None
    former = Path(str(inputs.warm_start)) / TRAIN_FOLDER / REPORT_FILE
    report = json.loads(former.read_text(encoding="utf-8"))
    rate: float | None = report.get("target_click_rate")
    return rate


def _no_rows(inputs: LevelInputs, *domains: str) -> str:
    days = DayRange(inputs.first_day, inputs.last_day)
    return (
        f"level {inputs.level!r} has no rows of {', '.join(domains)} in its "
        f"window {days}; expected at least one. Ingest these days, lengthen "
        f"levels.{inputs.level}.window_days, or choose a later --day"
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _write_text(path, json.dumps(content, indent=2))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")
