"""Training of a level: from the paths of its inputs to the model's folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tf_keras as keras

from models.artifact_files import COUNTS_FILE
from models.artifact_files import INPUTS_FILE
from models.artifact_files import LAYOUT_FILE
from models.artifact_files import REPORT_FILE
from models.artifact_files import SCORED_FILE
from models.artifact_files import WEIGHTS_FILE
from models.compat import save_arrays
from models.data.snapshots import read_summary
from models.networks.network import Network
from models.networks.sizes import count_parameters
from models.progress import PROGRESS
from models.serving.export import export_saved_model
from models.serving.skew import check_skew
from models.serving.skew import trained_scores
from models.strategies.base import LearnerContext
from models.training import memory
from models.training import warm_start
from models.training.calibrating import fit_calibrator
from models.training.calibrating import scored_before
from models.training.calibrating import train_newest_days
from models.training.calibration import Calibrated
from models.training.calibration import Platt
from models.training.checkpoints import save_variables
from models.training.distribution import Workers
from models.training.epochs import TrainingResult
from models.training.layout import layout_of
from models.training.learners import Learner
from models.training.level_inputs import LevelInputs
from models.training.level_inputs import LevelReport
from models.training.loop import fit
from models.training.norm_statistics import count_statistics
from models.training.optimizers import build_optimizer
from models.training.snapshot_export import counts_of_chain
from models.training.start import build_network
from models.training.start import checkpoint_variables
from models.training.start import take_over
from models.training.window import fitted_window
from models.training.window import read_window


def run_level(inputs: LevelInputs) -> LevelReport:
    """Trains a level and writes its model.

    `train_dir` receives the checkpoint, the number of impressions per table row, the
    layout of the tables and the report; `serving_dir` the SavedModel; `run_dir`
    TensorBoard's scalars.

    Raises:
        DataError: If the window has no impressions, or an input cannot be used.
        TrainingError: If the warm start does not fit or the loss is not finite.
    """
    return _LevelRun(inputs).run()


class _LevelRun:
    """Training of a level, step by step."""

    def __init__(self, inputs: LevelInputs) -> None:
        self._memory_before = memory.reset_peak()
        self._inputs = inputs
        self._strategy = inputs.built_strategy()
        self._workers = Workers.from_environment(
            lambda: _write(inputs.train_dir / INPUTS_FILE, inputs.model_dump_json()),
            use_all_gpus=self._strategy.takes_workers,
        )
        self._strategy.check_workers(self._workers.count)
        keras.utils.set_random_seed(inputs.training.seed)
        self._window = fitted_window(self._strategy.select(read_window(inputs)))
        with self._workers.scope():
            self._network = self._build()
            self._optimizer = build_optimizer(
                self._network.trained_part, self._window.training
            )
        self._record, self._searched = (
            self._strategy.start_record(inputs.domains[:-1]) for _ in range(2)
        )
        self._results: list[TrainingResult] = []

    def run(self) -> LevelReport:
        """Trains and calibrates the level and writes the results."""
        inputs, window, workers = self._inputs, self._window, self._workers
        copied = self._start()
        parameters = count_parameters(self._network)
        PROGRESS.info(
            f"{inputs.level} · {window.summary.num_rows:,} impressions of "
            f"{', '.join(inputs.domains)} · {sum(parameters.values()):,} parameters"
        )
        self._network.keep_statistics(inputs.continues)
        if window.before.num_rows:
            self._fit()
        local = self._gathered()
        if not inputs.continues:
            count_statistics(local, window.normalised, seed=inputs.training.seed)
            workers.spread_statistics(local, self._network)
        scored = calibrator = None
        if inputs.calibration_days:
            scored = scored_before(window)
            daily, local = train_newest_days(
                window,
                self._network,
                scored,
                make_learner=self._learner,
                local=local,
                gather=self._gathered,
                workers=workers,
            )
            self._results += daily
            calibrator = fit_calibrator(window, local, scored)
        report = self._report(copied, parameters, calibrator)
        if not workers.is_chief:
            return report
        kept = checkpoint_variables(inputs, local, self._optimizer)
        save_variables(inputs.train_dir / WEIGHTS_FILE, workers.local(kept))
        counts = window.summary.impressions
        if inputs.level == "tpm":
            counts = counts_of_chain(counts, inputs.warm_start)
        save_arrays(inputs.train_dir / COUNTS_FILE, counts)
        if scored is not None:
            path = inputs.train_dir / SCORED_FILE
            scored.write(path, first_day=inputs.first_calibration_day)
        _write_json(inputs.train_dir / LAYOUT_FILE, layout_of(inputs, window.features))
        served = local if calibrator is None else Calibrated(local, calibrator)
        export_saved_model(served, inputs.transform_graph, inputs.serving_dir)
        if inputs.raw_examples:
            skew = check_skew(
                trained_scores(local, calibrator),
                inputs.serving_dir,
                window.targets(),
                inputs.raw_examples,
            )
            report = report.model_copy(update={"skew": skew})
        # Written last: a folder with a report is complete.
        _write_json(inputs.train_dir / REPORT_FILE, report.model_dump(mode="json"))
        return report

    def _build(self) -> Network:
        return build_network(self._inputs, self._window.source_ratio)

    def _gathered(self) -> Network:
        """Returns this process's own copy of the network."""
        return self._workers.gather(self._network, self._build)

    def _start(self) -> dict[str, dict[str, int]] | None:
        """Initialises the biases and copies the weights of the warm start, if any."""
        inputs, window, network = self._inputs, self._window, self._network
        if window.before.num_rows:
            rate = window.before.num_clicks / window.before.num_rows
            network.set_base_rate(rate)
            network.set_domain_rates(
                window.known.click_rates, continues=inputs.continues
            )
        if inputs.warm_start is None:
            return None
        kept = checkpoint_variables(inputs, network, self._optimizer)
        copied = take_over(inputs, network.features, self._workers.local(kept))
        if not warm_start.optimizer_variables([*copied.copied, *copied.resized]):
            self._optimizer.continue_weights()
        return copied.to_json()

    def _learner(self, *, search: bool = False) -> Learner:
        """Returns a learner; `search` for one whose weights are discarded."""
        window = self._window
        return self._strategy.make_learner(
            LearnerContext(
                network=self._network,
                training=window.training,
                workers=self._workers,
                optimizer=None if search else self._optimizer,
                sources=window.sources,
                record=self._searched if search else self._record,
            )
        )

    def _fit(self) -> None:
        window = self._window
        self._results.append(
            fit(
                self._network,
                window.reader,
                window.training,
                rows_by_day=window.before.rows_by_day,
                run_dir=self._inputs.run_dir,
                workers=self._workers,
                make_learner=lambda search: self._learner(search=search),
            )
        )

    def _report(
        self,
        copied: dict[str, dict[str, int]] | None,
        parameters: dict[str, int],
        calibrator: Platt | None,
    ) -> LevelReport:
        inputs, window, results = self._inputs, self._window, self._results
        record, source_rows = None, None
        if self._record is not None and self._searched is not None:
            # Of the search for the number of epochs only the impressions read are kept.
            source_rows = self._record.source_rows + self._searched.source_rows
            record = self._record.to_json(window.features, inputs.vocabulary)
        return LevelReport(
            level=inputs.level,
            domains=inputs.domains,
            first_day=inputs.first_day,
            last_day=inputs.last_day,
            rows=window.summary.num_rows,
            rows_by_domain=window.counts.rows,
            clicks=window.summary.num_clicks,
            target_click_rate=window.target_click_rate(),
            steps=sum(result.steps for result in results),
            batch_size=window.training.batch_size,
            seconds=sum(result.seconds for result in results),
            losses=results[0].losses if results else (),
            held_out=results[0].held_out if results else (),
            parameters=parameters,
            warm_start=copied,
            strategy=inputs.strategy if inputs.level == "target" else None,
            record=record,
            source_rows=source_rows,
            snapshot_days=tuple(
                read_summary(folder)["period_day"] for folder in inputs.snapshots
            ),
            calibration=None if calibrator is None else calibrator._asdict(),
            memory_before_mib=self._memory_before,
            peak_memory_mib=memory.peak_mib(),
        )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    _write(path, json.dumps(content, indent=2))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")
