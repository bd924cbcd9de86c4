"""`promote` and `rollback` that break off at any write are finished by the same."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from components.publisher.card_files import write_card
from components.publisher.labels import Labels
from components.publisher.labels import read_labels
from components.publisher.labels import write_labels
from components.publisher.model_card import make_card
from components.publisher.model_card import of_version
from models.artifact_files import CARD_FILE
from pipeline.cli.group import main
from tests.faults import UNWRITABLE
from tests.faults import Faults
from tests.faults import cut_at
from tests.faults import operations
from tests.pipeline.release.refused import DAY
from tests.pipeline.release.refused import DECISION
from tests.pipeline.release.refused import World

PROMOTE = ("promote", "--day", DAY)
ROLLBACK = ("rollback",)


class Trial(World):
    """A refused model of the day; for a rollback, two versions that were published."""

    def __init__(self, folder, command):
        folder.mkdir()
        super().__init__(folder)
        self.command = command
        if command is PROMOTE:
            self.judged()
            return
        for name, number in (("a", 2019010200), ("b", 2019010201)):
            version = self.serving / str(number)
            version.mkdir(parents=True)
            (version / "saved_model.pb").write_text(name)
            card = make_card(DECISION, {}, None, None, day=1)
            write_card(version, of_version(card, number, []))
            self.judged(name, pushed=1, path=str(version))
        labels = Labels(2019010201, None, 2019010200)
        write_labels(self.serving.parent, "xmarket", labels, "/models")

    def call(self):
        """Runs the command."""
        name, *options = self.command
        return CliRunner().invoke(
            main, [name, str(self.path), *options, "--reason", "why", "--by", "Ada"]
        )

    def state(self):
        """Returns what servers find and what ML Metadata says of it."""
        found = [
            (path.relative_to(self.serving).parts[0].split("-")[0], path.read_text())
            for path in sorted(self.serving.rglob("saved_model.pb"))
        ]
        said = [
            (s.properties["pushed"], s.properties.get("withdrawn_by"))
            for s in self.store.artifacts("PublishedModel")
        ]
        cards = [
            [(e["event"], e["version"], e["who"], e["why"]) for e in card["events"]]
            for path in sorted(self.serving.rglob(Path(CARD_FILE).name))
            if (card := json.loads(path.read_text()))
        ]
        return found, read_labels(self.serving.parent, "xmarket"), said, cards


# A full disk and a read-only one raise the same error with another number.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "command"),
    [
        ("power cut", PROMOTE),
        ("power cut", ROLLBACK),
        *zip(UNWRITABLE, (PROMOTE, ROLLBACK), strict=True),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_the_same_command_completes(tmp_path, command, fault):
    undisturbed = Trial(tmp_path / "undisturbed", command)
    total = operations(lambda: undisturbed.call())
    expected = undisturbed.state()
    assert total >= 6
    for number in range(total):
        trial = Trial(tmp_path / f"{number}", command)
        if fault == "power cut":
            cut_at(number, trial.call)
        else:
            with pytest.MonkeyPatch.context() as patch:
                Faults(patch, at=number, error=UNWRITABLE[fault])
                refused = trial.call()
            assert refused.exit_code == 2, refused.output
            assert "Cannot write: " in refused.output
            assert str(trial.serving.parent) in refused.output
        again = trial.call()
        assert again.exit_code == 0, again.output
        assert trial.state() == expected
