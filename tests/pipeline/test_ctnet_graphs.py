"""Graphs of CTNet's steps: inputs and parameters of their trainers."""

from __future__ import annotations

import json

import pytest

from models.training.level_inputs import LevelInputs
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Known
from tests.pipeline.planning.worlds import completed
from tests.pipeline.planning.worlds import make_ctnet_config
from tests.pipeline.planning.worlds import merged
from tests.pipeline.planning.worlds import of_kind
from tests.pipeline.planning.worlds import planner

pytestmark = pytest.mark.slow  # imports TFX


def test_every_step_has_a_graph_whose_trainer_has_both_parents(tmp_path):
    from pipeline.graphs.factory import graph_for

    config = make_ctnet_config(root=tmp_path)
    first = planner(config).run(38, ["ctnet"])
    known = merged(Known(), completed(first))
    (later,) = of_kind(planner(config, known).run(39, ["ctnet"]), "target")
    (source,), (base,), (begins,) = (
        of_kind(first, kind) for kind in ("source", "base", "target")
    )
    read, told = {}, {}
    for name, step in (
        ("source", source),
        ("base", base),
        ("begins", begins),
        ("later", later),
    ):
        (trainer,) = [
            node
            for node in graph_for(config, step).components
            if node.id.endswith("Trainer")
        ]
        read[name] = {"base_model", "source_model"} & set(trainer.inputs)
        settings = json.loads(trainer.exec_properties["custom_config"])["settings"]
        paths = dict.fromkeys(
            (
                *("transform_graph", "vocabulary", "warm_start"),
                *("serving_dir", "train_dir", "run_dir"),
            ),
            tmp_path,
        )
        if "source_model" in trainer.inputs:
            paths["source_model"] = tmp_path
        told[name] = LevelInputs.model_validate(
            {**settings, **paths, "examples": ["*"]}
        )
    both = {"base_model", "source_model"}
    assert read == {"source": set(), "base": set(), "begins": both, "later": both}
    assert (told["source"].level, told["source"].domains) == ("source", ("feeds",))
    assert (told["base"].level, told["base"].source_model) == ("target", None)
    assert told["begins"].strategy == told["later"].strategy
    assert told["begins"].strategy == config.entry_of("ctnet")
    assert (told["begins"].initialize_only, told["later"].initialize_only) == (
        True,
        False,
    )
    assert told["later"].continues


def test_every_kind_of_step_has_a_graph(tmp_path):
    from pipeline.graphs.factory import graph_for

    strategies = {"ecdctr": {}, "ctnet": {}}
    config = make_ctnet_config(
        root=tmp_path, strategies=strategies, references={"rows": 9}
    )
    steps = planner(config).run(38, list(strategies))
    made = {step.kind for step in steps}
    assert made == set(StepKind), set(StepKind) - made
    assert all(graph_for(config, step).components for step in steps)
