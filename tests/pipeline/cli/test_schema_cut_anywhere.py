"""`schema infer` and `accept` that break off at any write are finished by the same."""

import pytest
from click.testing import CliRunner

from pipeline.cli.group import main
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at
from tests.faults import operations
from tests.misuse import world

pytestmark = pytest.mark.slow  # imports TFDV

INFER = ("infer", "--day", "2024-03-01", "--days", "3")
ACCEPT = ("accept", "--day", "2024-03-01", "--days", "3", "-f", "slot")
# It knows no value of slot.
STRICT = world.SCHEMA.replace(
    'feature { name: "slot" type: BYTES }',
    'feature { name: "slot" type: BYTES string_domain { name: "slot" value: "x" } }',
)


class Trial:
    """A project without a schema, or with one that is too strict."""

    def __init__(self, folder, command):
        world.build(folder, {})
        self.command = command
        self.config = folder / "config.yaml"
        self.schema = folder / "schema.pbtxt"
        if command is INFER:
            self.schema.unlink()
        else:
            self.schema.write_text(STRICT)
        self.before = self.state()

    def call(self):
        """Runs the command."""
        name, *options = self.command
        return CliRunner().invoke(main, ["schema", name, str(self.config), *options])

    def state(self):
        """Returns the schema and its backup, as far as they are there."""
        backup = self.schema.with_name("schema.pbtxt.bak")
        return [p.read_text() if p.exists() else None for p in (self.schema, backup)]


@pytest.fixture(autouse=True)
def described_once(monkeypatch):
    """Describes the logs, which are the same in each trial, only once."""
    from pipeline.schemas import log_statistics

    real, found = log_statistics.log_statistics, []

    def described(*arguments):
        if not found:
            found.append(real(*arguments))
        return found[0]

    monkeypatch.setattr(log_statistics, "log_statistics", described)


@pytest.mark.parametrize("command", [INFER, ACCEPT], ids=["infer", "accept"])
def test_the_same_command_completes(tmp_path, command):
    undisturbed = Trial(tmp_path / "undisturbed", command)
    total = operations(undisturbed.call)
    expected = undisturbed.state()
    assert expected[0] not in (None, STRICT)
    assert total >= (4 if command is INFER else 8)
    for fault in ("power cut", *UNWRITABLE):
        for number in range(total):
            trial = Trial(tmp_path / f"{fault}-{number}", command)
            if fault == "power cut":
                cut_at(number, trial.call)
                # The backup may be there; the schema is the one before.
                assert trial.state()[0] == trial.before[0]
            else:
                with pytest.MonkeyPatch.context() as patch:
                    Faults(patch, at=number, error=UNWRITABLE[fault])
                    refused = trial.call()
                assert refused.exit_code == 2, refused.output
                assert "Cannot write: " in refused.output
                assert str(trial.schema.parent) in refused.output
                assert trial.state()[0] in (trial.before[0], expected[0])
            complete = trial.state()[0] == expected[0]
            again = trial.call()
            # `infer` does not overwrite what it wrote to the end.
            assert again.exit_code == 0 or (complete and command is INFER), again.output
            assert trial.state() == expected
