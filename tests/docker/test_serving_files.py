"""Files of TF Serving, Compose and Prometheus, parsed as these programs parse them."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf import text_format
from google.protobuf import wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from components.publisher.labels import LABELS_FILE
from components.publisher.labels import Labels
from components.publisher.labels import write_labels
from pipeline.config.sections import ServingConfig

DOCKER = Path(__file__).parents[2] / "docker"
SERVING = DOCKER / "serving"
_FIELD = descriptor_pb2.FieldDescriptorProto

# The numbers and types of TF Serving's session_bundle_config.proto and
# monitoring_config.proto, which tensorflow-serving-api leaves out.
_MESSAGES = {
    "BatchingParameters": [
        ("max_batch_size", 1, "Int64Value"),
        ("batch_timeout_micros", 2, "Int64Value"),
        ("max_enqueued_batches", 3, "Int64Value"),
        ("num_batch_threads", 4, "Int64Value"),
        ("pad_variable_length_inputs", 7, _FIELD.TYPE_BOOL),
    ],
    "PrometheusConfig": [
        ("enable", 1, _FIELD.TYPE_BOOL),
        ("path", 2, _FIELD.TYPE_STRING),
    ],
    "MonitoringConfig": [("prometheus_config", 1, "PrometheusConfig")],
}


def _message(name):
    file = descriptor_pb2.FileDescriptorProto(
        name="serving_settings.proto",
        package="serving_settings",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    for message, fields in _MESSAGES.items():
        added = file.message_type.add(name=message)
        for field, number, kind in fields:
            entry = added.field.add(name=field, number=number)
            entry.label = _FIELD.LABEL_OPTIONAL
            if isinstance(kind, int):
                entry.type = kind
            else:
                entry.type = _FIELD.TYPE_MESSAGE
                own = kind in _MESSAGES
                package = "serving_settings" if own else "google.protobuf"
                entry.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    wrappers = descriptor_pb2.FileDescriptorProto()
    wrappers_pb2.DESCRIPTOR.CopyToProto(wrappers)
    pool.Add(wrappers)
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"serving_settings.{name}")
    return message_factory.GetMessageClass(found)()


def _parsed(name, message):
    return text_format.Parse((SERVING / name).read_text(), message)


def test_the_server_reads_the_labels_that_the_publisher_writes(tmp_path):
    write_labels(
        tmp_path,
        "xmarket",
        Labels(3, 4, 2),
        ServingConfig.model_fields["server_path"].default,
    )
    text = (tmp_path / LABELS_FILE).read_text()
    served = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (model,) = served.model_config_list.config
    assert (model.name, model.base_path) == ("xmarket", "/models/xmarket")
    assert list(model.model_version_policy.specific.versions) == [2, 3, 4]
    assert dict(model.version_labels) == {"stable": 3, "canary": 4}
    flags = (SERVING / "Dockerfile").read_text()
    assert f"--model_config_file=/models/{LABELS_FILE}" in flags
    mounts = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"][
        "serving"
    ]
    assert [m.rsplit(":", 2)[1] for m in mounts["volumes"]] == ["/models"]


def test_a_misspelt_key_is_refused():
    with pytest.raises(text_format.ParseError, match="base_pth"):
        text_format.Parse(
            'model_config_list { config { base_pth: "x" } }',
            model_server_config_pb2.ModelServerConfig(),
        )


def test_batching_is_off_unless_asked_for_as_rank_cannot_be_batched():
    assert "batching" not in (SERVING / "Dockerfile").read_text().split("ENTRYPOINT")[1]
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert services["serving"]["command"] == "${BATCHING:-}"


def test_batches_hold_more_than_one_request_and_wait_a_millisecond():
    batching = _parsed("batching.config", _message("BatchingParameters"))
    assert batching.max_batch_size.value > 100
    assert batching.batch_timeout_micros.value == 1000
    assert batching.pad_variable_length_inputs


def test_prometheus_asks_where_serving_answers():
    monitoring = _parsed("monitoring.config", _message("MonitoringConfig"))
    assert monitoring.prometheus_config.enable
    (job,) = yaml.safe_load((DOCKER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["metrics_path"] == monitoring.prometheus_config.path
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]


def test_compose_mounts_files_that_exist_and_waits_for_a_model():
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert services["serving"]["depends_on"] == {
        "wait-for-model": {"condition": "service_completed_successfully"}
    }
    mounts = [m for s in services.values() for m in s["volumes"] if m.startswith("./")]
    assert len(mounts) == 3
    for mount in mounts:
        assert (DOCKER / mount.split(":")[0]).is_file()
    copied = (SERVING / "Dockerfile").read_text()
    for name in ("batching.config", "monitoring.config"):
        assert name in copied.split("COPY")[1].split("/config/")[0]
        assert (SERVING / name).is_file()


def test_published_ports_are_this_machines_unless_it_is_asked_for_more():
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    ports = [port for s in services.values() for port in s.get("ports", ())]
    assert len(ports) == 3
    for port in ports:
        assert port.startswith("${LISTEN:-127.0.0.1}:")


def test_no_container_of_ours_runs_as_root():
    lines = (SERVING / "Dockerfile").read_text().splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"]
    assert lines.index("USER 10001:10001") < lines.index(
        next(line for line in lines if line.startswith("ENTRYPOINT"))
    )
    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    assert services["wait-for-model"]["user"] == users[0]
    for service in services.values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_waiting_ends_with_a_whole_version_and_not_before(tmp_path):
    def wait():
        script = str(SERVING / "wait_for_model.sh")
        return subprocess.run(
            ["sh", script, str(tmp_path), "ads", "1"],
            capture_output=True,
            text=True,
            check=False,
        )

    half = tmp_path / "ads" / "2024010100"
    half.mkdir(parents=True)
    waited = wait()
    assert waited.returncode == 75
    assert "crossctr run" in waited.stderr
    (half / "saved_model.pb").touch()
    assert wait().returncode == 75
    write_labels(tmp_path, "ads", Labels(2024010100), "/models")
    assert wait().stdout == f"{half} is there\n"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_accepts_its_configuration():
    checked = subprocess.run(
        ["promtool", "check", "config", str(DOCKER / "prometheus.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    assert "2 rules found" in checked.stdout
