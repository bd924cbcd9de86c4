"""One replicate in a process of its own: trains, scores and stores for pooling.

python -m benchmarks.replicate_child CONFIG DAY STRATEGY,STRATEGY,... FOLDER
"""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from benchmarks.code_stamps import REFERENCES
from benchmarks.code_stamps import stamp_of
from benchmarks.data_facts import data_facts
from benchmarks.replicate_files import MODEL
from benchmarks.replicate_files import ORACLE
from benchmarks.replicate_files import REFERENCE
from benchmarks.replicate_files import Made
from benchmarks.replicate_files import add
from benchmarks.score_files import encoded
from models.days import to_day
from models.strategies.base import StrategyConfig
from models.strategies.registry import BASELINE_KIND
from pipeline.cli.options import wide_console
from pipeline.comparing.run import Question
from pipeline.comparing.run import compared
from pipeline.comparing.run import oracle_of
from pipeline.comparing.trials import Trials
from pipeline.comparing.trials import run_trials
from pipeline.config.load import load_config
from pipeline.config.named_strategies import with_strategies
from pipeline.config.schema import Config
from pipeline.execution.failures import StrategiesFailedError
from pipeline.execution.lock import hold
from pipeline.terminal.plain_text import Console


def main(
    config_path: str, day: str, strategies: str, folder: str, lead: str = "0"
) -> None:
    """Runs the strategies and adds their results to what the folder holds."""
    config = load_config(Path(config_path))
    names = list(dict.fromkeys([*filter(None, strategies.split(",")), BASELINE_KIND]))
    extended = with_strategies(config, names)
    question = Question(
        config=config,
        day=to_day(datetime.date.fromisoformat(day)),
        strategies={name: extended.strategies[name] for name in names},
        num_seeds=1,
        baseline=BASELINE_KIND,
        command="make results",
    )
    console = wide_console()
    continued = {
        name: entry
        for name, entry in question.strategies.items()
        if not extended.needs(name).learns_on_first_day
    }
    with hold(config.root, "benchmarks.replicate_child"):
        failed = start_continued(config, question.day - int(lead), continued, console)
        question = dataclasses.replace(
            question,
            strategies={
                name: entry
                for name, entry in question.strategies.items()
                if name not in failed
            },
        )
        trials = run_trials(
            config, question.day, question.strategies, 1, console, controls=True
        )
        trials.failed |= failed
        models = [*trials.complete, *trials.failed]
        names = [*models, *([REFERENCES] if trials.references else [])]
        made = Made(
            scores=scores_table(question, trials),
            comparison=compared(question, trials),
            facts=asdict(data_facts(config, question.day, trials.references)),
            stamps={name: stamp_of(extended, name) for name in names},
        )
        add(Path(folder), made)


def start_continued(
    config: Config, day: int, continued: Mapping[str, StrategyConfig], console: Console
) -> dict[str, str]:
    """Trains the first day of strategies that continue; returns those that failed."""
    if not continued:
        return {}
    try:
        return run_trials(config, day, continued, 1, console, references=False).failed
    except StrategiesFailedError as error:
        return dict(error.reasons)


def scores_table(question: Question, trials: Trials) -> pa.Table:
    """Returns the evaluation rows with the click probabilities of every model."""
    rows = trials.complete[question.baseline][0].scored
    columns = {
        "user": pa.array(rows.users, pa.binary()),
        "label": pa.array(rows.labels, pa.int8()),
    }
    if rows.items is not None:
        columns["item"] = pa.array(rows.items, pa.binary())
    for name, found in trials.complete.items():
        columns[MODEL + name] = encoded(found[0].scored.scores)
    references = trials.references.scores() if trials.references else {}
    for name, scores in references.items():
        columns[REFERENCE + name] = encoded(scores)
    oracle, _ = oracle_of(question, rows)
    if oracle is not None:
        columns[ORACLE] = encoded(oracle)
    return pa.table(columns)


if __name__ == "__main__":
    main(*sys.argv[1:])
