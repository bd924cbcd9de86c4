"""Metadata of a day whose model the Gate refused, written without a run."""

import datetime
import json
from pathlib import Path

import yaml
from click.testing import CliRunner
from ml_metadata.proto import metadata_store_pb2

from models.days import to_day
from pipeline.cli.group import main
from pipeline.config.load import load_config
from pipeline.store.reader import Store

ROOT = Path(__file__).parents[3]
DAY = "2019-01-02"
DECISION = {
    "strategy": "ecdctr",
    "approved": False,
    "reasons": ["AUC 0.4: refused", "10 rows: held"],
}


class World:
    """Metadata as a run leaves it whose Gate refused, without running one."""

    def __init__(self, folder):
        settings = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
        settings["root"] = str(folder / "runs")
        settings["serving"] = {"directory": str(folder / "serving")}
        settings["schema"] = str(ROOT / "schema" / "xmarket.pbtxt")
        self.folder = folder
        self.path = folder / "config.yaml"
        self.path.write_text(yaml.safe_dump(settings))
        self.config = load_config(self.path)
        self.config.root.mkdir()
        self.store = Store(self.config.root)
        self.serving = folder / "serving" / "xmarket"

    def run(self, *arguments):
        """Runs `crossctr promote`."""
        return CliRunner().invoke(main, ["promote", str(self.path), *arguments])

    def add(self, kind, uri, **properties):
        """Stores an artifact."""
        metadata = self.store.connect()
        type_id = metadata.put_artifact_type(metadata_store_pb2.ArtifactType(name=kind))
        artifact = metadata_store_pb2.Artifact(
            type_id=type_id, uri=str(uri), state=metadata_store_pb2.Artifact.LIVE
        )
        for name, value in properties.items():
            kind_of = "int_value" if isinstance(value, int) else "string_value"
            setattr(artifact.custom_properties[name], kind_of, value)
        (number,) = metadata.put_artifacts([artifact])
        kind = metadata_store_pb2.ContextType(name="pipeline")
        context = metadata_store_pb2.Context(
            type_id=metadata.put_context_type(kind), name="xmarket"
        )
        known = metadata.get_contexts_by_type("pipeline")
        of_run = known[0].id if known else metadata.put_contexts([context])[0]
        link = metadata_store_pb2.Attribution(artifact_id=number, context_id=of_run)
        metadata.put_attributions_and_associations([link], [])
        return number

    def judged(self, name="m", *, pushed=0, path="", infra_reason=""):
        """Stores a model, its decision and whether it was published."""
        day = to_day(datetime.date.fromisoformat(DAY))
        model = self.folder / f"model-{name}"
        (model / "Format-Serving").mkdir(parents=True)
        (model / "Format-Serving" / "saved_model.pb").write_text(name)
        gate = self.folder / f"gate-{name}"
        gate.mkdir()
        (gate / "decision.json").write_text(json.dumps(DECISION))
        self.add("Model", model, fingerprint=f"{name}-model", last_day=day - 1)
        self.add("GateDecision", gate, fingerprint=f"{name}-step")
        published = self.folder / f"published-{name}"
        published.mkdir()
        return self.add(
            "PublishedModel",
            published,
            fingerprint=f"{name}-step",
            model_fingerprint=f"{name}-model",
            day=day,
            pushed=pushed,
            path=path,
            infra_reason=infra_reason,
        )
