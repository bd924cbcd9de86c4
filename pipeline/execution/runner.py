"""TFX's LocalDagRunner, with a display that follows the nodes.

Importing this module imports TFX, which takes about 20 s.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx.dsl.components.common import resolver
from tfx.orchestration import metadata
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import data_types
from tfx.orchestration.portable import launcher
from tfx.utils import name_utils

from components.compat import bounded_reads
from components.compat import in_process_patches
from components.compat import launched_by
from components.compat import literal_folders
from models import durable_files
from models.errors import DataError
from pipeline.terminal.progress import RunDisplay
from pipeline.terminal.progress import forward_progress

_RESOLVER_TYPE = name_utils.get_full_name(resolver.Resolver)


def run_graph(
    graph: tfx_pipeline.Pipeline,
    display: RunDisplay,
    connection: metadata_store_pb2.ConnectionConfig,
) -> None:
    """Runs a graph's nodes in order.

    Args:
        graph: One of the graphs of `pipeline.graphs.factory`.
        display: Told which node runs and what it reports.
        connection: How ML Metadata connects, with the password; the graph has none.

    Raises:
        DataError: An upstream artifact could not be resolved.
    """

    class ReportingLauncher(launcher.Launcher):
        """Tells the display, and does not let a failed resolver pass."""

        def __init__(self, *, mlmd_connection: metadata.Metadata, **others: Any):
            del mlmd_connection  # made from the graph
            super().__init__(mlmd_connection=metadata.Metadata(connection), **others)

        def launch(self) -> data_types.ExecutionInfo | None:
            node = self._pipeline_node.node_info
            display.node_started(node.id)
            info = super().launch()
            display.node_finished()
            # LocalDagRunner logs a failed resolution and runs the next node without
            # its inputs.
            if node.type.name == _RESOLVER_TYPE and not (info and info.output_dict):
                raise DataError(
                    f"{node.id} did not find the artifacts that were planned; run "
                    "the same command again, which plans anew. If that fails, "
                    "'Input resolution error' in the log file says what is missing"
                )
            return info

        def _publish_successful_execution(
            self,
            execution_id: int,
            contexts: list[metadata_store_pb2.Context],
            output_dict: dict[str, list[types.Artifact]],
            executor_output: Any,
        ) -> None:
            # ML Metadata, which syncs what it writes, must not name files that a power
            # cut takes.
            for artifact in itertools.chain.from_iterable(output_dict.values()):
                durable_files.sync_tree(Path(artifact.uri))
            super()._publish_successful_execution(
                execution_id, contexts, output_dict, executor_output
            )

    with (
        launched_by(ReportingLauncher),
        bounded_reads(),
        forward_progress(display),
        in_process_patches(graph.beam_pipeline_args),
        literal_folders(),
    ):
        LocalDagRunner().run(graph)
