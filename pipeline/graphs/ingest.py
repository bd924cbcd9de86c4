"""Ingest graph: logs of a block of days become validated, transformed Examples."""

from __future__ import annotations

import json

from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode

from components.example_validator.component import ExampleValidator
from components.guard.component import Guard
from components.log_example_gen.component import LogExampleGen
from components.statistics_gen.component import StatisticsGen
from components.transform.component import Transform
from components.vocabulary.component import Vocabulary
from models import durable_files
from models.short_hash import short_hash
from pipeline.config.schema import Config
from pipeline.graphs.inputs import previous_block
from pipeline.planning.fingerprint import HASHES_FILE
from pipeline.planning.steps import Step


def ingest_nodes(config: Config, step: Step) -> list[BaseNode]:
    """Returns the nodes that make transformed Examples of a block's logs."""
    features = config.table.to_json()
    example_gen = LogExampleGen(
        logs=json.dumps(
            [config.domain_log(d).model_dump(mode="json") for d in config.domains]
        ),
        features=features,
        first_day=step.days.first,
        last_day=step.days.last,
        quarantine=str(config.root / "quarantine"),
        log_hashes=str(config.root / HASHES_FILE),
        max_bad_share=config.max_bad_share,
        fingerprint=step.fingerprint,
    )
    schema = _schema(config)
    statistics = StatisticsGen(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        fingerprint=step.fingerprint,
    )
    previous, nodes = previous_block(step)
    validator = ExampleValidator(
        statistics=statistics.outputs["statistics"],
        schema=schema.outputs["schema"],
        previous_statistics=previous.get("statistics"),
        target=config.target,
        thresholds=config.validation.model_dump_json(),
    )
    guard = Guard(
        anomalies=validator.outputs["anomalies"],
        statistics=statistics.outputs["statistics"],
        previous_statistics=previous.get("statistics"),
        first_day=step.days.first,
        last_day=step.days.last,
        may_be_empty=json.dumps(
            [name for name, policy in config.missing_days.items() if policy == "skip"]
        ),
        target=config.target,
        min_rows=config.validation.min_rows,
    )
    nodes += [example_gen, schema, statistics, validator, guard]
    vocabulary = Vocabulary(
        examples=example_gen.outputs["examples"],
        guard_report=guard.outputs["report"],
        previous=previous.get("vocabulary"),
        features=features,
        target=config.target,
        separate_ids=json.dumps(config.separate_ids),
        fingerprint=step.fingerprint,
    )
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema.outputs["schema"],
        vocabulary=vocabulary.outputs["vocabulary"],
        features=features,
        domains=config.domains,
        fingerprint=step.fingerprint,
    )
    return [*nodes, vocabulary, transform]


def _schema(config: Config) -> BaseNode:
    # TFX caches an imported file by its path alone, so each content has its own path.
    content = config.schema_path.read_bytes()
    name = f"{short_hash(content)}.pbtxt"
    path = config.root / "schemas" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    durable_files.write_bytes(path, content)
    return ImportSchemaGen(schema_file=str(path))
