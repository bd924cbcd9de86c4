"""What tests of the command line share."""

import pytest
import yaml
from click.testing import CliRunner

from pipeline.cli.group import main


@pytest.fixture
def crossctr(tmp_path, settings):
    """Returns a function that runs a command on `settings`."""

    def run(command, *arguments):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return CliRunner().invoke(main, [command, str(path), *arguments])

    return run
