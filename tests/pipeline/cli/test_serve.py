"""Commands `serve` and `predict`: probabilities for rows, or an error."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
import yaml
from click.testing import CliRunner

from components.model_server.server import ModelServer
from pipeline.cli.group import main

ROOT = Path(__file__).parents[3]


class Half(tf.Module):
    """Scores every row 0.5, whatever it says."""

    @tf.function
    def predict(self, raw):
        return {"ctr": 0.5 + 0.0 * tf.cast(raw["user_impressions"], tf.float32)}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    settings = yaml.safe_load((ROOT / "configs" / "xmarket.yaml").read_text())
    settings |= {
        "root": str(folder / "runs"),
        "schema": str(ROOT / "schema" / "xmarket.pbtxt"),
        "serving": {"directory": str(folder / "serving")},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    kinds = {"count": tf.int64, "rate": tf.float32}
    spec = {
        feature["name"]: tf.TensorSpec(
            [None, None] if feature["kind"] == "ids" else [None],
            kinds.get(feature["kind"], tf.string),
            name=feature["name"],
        )
        for feature in settings["features"]
    }
    module = Half()
    signature = module.predict.get_concrete_function(spec)
    version = folder / "serving" / "xmarket" / "2019010100"
    tf.saved_model.save(module, str(version), signatures={"predict": signature})
    return path


@pytest.fixture(scope="module")
def server(config):
    running = ModelServer([config.parent / "serving" / "xmarket"])
    running.start()
    yield f"127.0.0.1:{running.port}"
    running.stop()


def _predict(config, server, text, *options):
    rows = config.parent / "rows.jsonl"
    rows.write_bytes(text.encode(errors="surrogateescape"))
    command = ["predict", str(config), "--server", server, "--rows", str(rows)]
    return CliRunner().invoke(main, [*command, *options])


def test_rows_of_a_file_are_scored(config, server, capfd):
    text = '{"user_id": "u1", "recent_items": ["a", "b"]}\n\n{"user_impressions": 3}\n'
    result = _predict(config, server, text, "--label", "stable")
    assert result.exit_code == 0, result.output
    shown = capfd.readouterr().out + result.output
    assert shown.count("0.50000") == 2
    assert "u1" in shown
    assert "version 2019010100, predict of 2 rows" in shown


@pytest.mark.parametrize("odd", ["[/sale]", "[new] a0", ":smile:", "a\u2028b"])
def test_ids_are_shown_as_they_are(config, server, odd, capfd):
    result = _predict(config, server, json.dumps({"user_id": odd}, ensure_ascii=False))
    assert result.exit_code == 0, result.output
    assert odd in capfd.readouterr().out + result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("{", "line 1: this is not JSON"),
        ('{"user_id": "a", "user_id": "b"}', "line 1: an object names 'user_id' twice"),
        ("{}\n" + "[" * 100_000, "line 2: JSON is nested deeper than 32 levels"),
        ('{"user_id": "\udcff"}', "line 1: JSON must be UTF-8"),
        ("[1]", "line 1 must be an object"),
        ('{"usr_id": "u"}', "no feature 'usr_id'; did you mean 'user_id'?"),
        ('{"user_impressions": "x"}', "user_impressions must be int64; received 'x'"),
        ('{"user_impressions": true}', "must be int64; received True"),
        ('{"user_impressions": 3.0}', "must be int64; received 3.0"),
        ('{"user_impressions": 1e30}', "must be int64; received 1e+30"),
        (f'{{"user_impressions": {10**30}}}', "out of range"),
        ('{"user_impressions": [1, 2]}', "must be one value; received [1, 2]"),
        ('{"user_click_rate": "0.1"}', "user_click_rate must be float32"),
        ('{"user_click_rate": 1e39}', "out of range"),
        ('{"user_id": 3}', "user_id must be string; received 3"),
        ('{"user_id": ["a", "b"]}', "of kind id must be one value"),
        (r'{"user_id": "\ud83d"}', "half a character"),
        ('{"recent_items": [["a"]]}', "must be a list of values"),
    ],
)
def test_rows_that_do_not_fit_are_refused(config, server, text, message):
    result = _predict(config, server, text)
    assert result.exit_code == 2
    assert message in result.output


def test_a_refusal_is_the_servers(config, server):
    result = _predict(config, server, '{"user_id": "u"}', "--signature", "rank")
    assert result.exit_code == 2
    assert "no signature 'rank'; the model has: predict" in result.output
    result = _predict(config, server, '{"user_id": "u"}', "--version", "7")
    assert "no loaded version 7; loaded: 2019010100" in result.output
    both = ("--version", "7", "--label", "stable")
    assert "both name a version" in _predict(config, server, "{}", *both).output


def test_a_missing_server_is_reported_with_the_start_command(config):
    result = _predict(config, "127.0.0.1:9", '{"user_id": "u"}')
    assert result.exit_code == 2
    assert "nothing answers at 127.0.0.1:9; start a server with" in result.output


def test_without_rows_there_must_be_ingested_ones(config, server):
    result = CliRunner().invoke(main, ["predict", str(config), "--server", server])
    assert result.exit_code == 2
    assert "no row of 'de' is ingested" in result.output


@pytest.mark.parametrize("option", ["--port", "--rest-port"])
def test_a_port_has_a_range(config, option):
    result = CliRunner().invoke(main, ["serve", str(config), option, "65536"])
    assert result.exit_code == 2
    assert "0<=x<=65535" in result.output


def test_nothing_published_is_not_served(config, tmp_path):
    settings = yaml.safe_load(config.read_text())
    settings["serving"] = {"directory": str(tmp_path)}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    result = CliRunner().invoke(main, ["serve", str(path)])
    assert result.exit_code == 2
    assert "nothing is published" in result.output


@pytest.mark.slow
def test_serve_says_where_it_listens_and_stops_at_ctrl_c(config):
    command = [sys.executable, "-m", "pipeline", "serve", str(config)]
    process = subprocess.Popen(
        [*command, "--port", "0", "--rest-port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=config.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # A shell that runs the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lines = []
    deadline = time.monotonic() + 120
    while not lines or "Ctrl-C" not in lines[-1]:
        assert time.monotonic() < deadline
        lines.append(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    text = "".join(lines)
    assert "xmarket: 2019010100 (stable)" in text
    address = text.split("--server ")[1].split()[0]
    assert address.startswith("127.0.0.1:")
    assert "production is TensorFlow Serving" in text
    assert "Stopping" in rest
    assert process.returncode == 0
