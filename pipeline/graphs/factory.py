"""Factory of TFX pipelines, one for each planned step.

All graphs of a configuration share one pipeline name, so that ML Metadata keeps their
artifacts in one context and a graph can resolve what an earlier one has made.
"""

from __future__ import annotations

from tfx.orchestration import pipeline as tfx_pipeline

from components import arrow_coders
from pipeline.config.schema import Config
from pipeline.graphs.ingest import ingest_nodes
from pipeline.graphs.references import references_nodes
from pipeline.graphs.target import target_nodes
from pipeline.graphs.training import base_nodes
from pipeline.graphs.training import cpm_nodes
from pipeline.graphs.training import source_nodes
from pipeline.graphs.training import tpm_nodes
from pipeline.planning.step_kinds import StepKind
from pipeline.planning.steps import Step
from pipeline.store.metadata import connection

arrow_coders.register()

# In memory, as Beam's multi-threaded runner loses elements at GroupByKey.
_BEAM_ARGS = ("--direct_running_mode=in_memory", "--direct_num_workers=1")

_NODES = {
    StepKind.INGEST: ingest_nodes,
    StepKind.TPM: tpm_nodes,
    StepKind.CPM: cpm_nodes,
    StepKind.SOURCE: source_nodes,
    StepKind.BASE: base_nodes,
    StepKind.REFERENCES: references_nodes,
    StepKind.TARGET: target_nodes,
}


def graph_for(config: Config, step: Step) -> tfx_pipeline.Pipeline:
    """Returns the TFX pipeline of a planned step."""
    return tfx_pipeline.Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(config.root / "artifacts"),
        components=_NODES[step.kind](config, step),
        # Without password, as TFX logs it; `run_graph` adds it.
        metadata_connection_config=connection(
            config.root, config.metadata, with_password=False
        ),
        # A graph that was killed resumes where it stopped.
        enable_cache=True,
        beam_pipeline_args=[*_BEAM_ARGS, *config.beam_args],
    )
