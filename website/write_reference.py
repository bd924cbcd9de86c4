"""Write the generated pages of the reference, for the build of the site.

python -m website.write_reference build/reference
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from website.commands_page import commands_page
from website.configuration_page import configuration_page
from website.configuration_page import strategy_page

PAGES = {
    "commands.md": commands_page,
    "configuration.md": configuration_page,
    "strategy-keys.md": strategy_page,
}


def write(folder: Path) -> None:
    """Writes the pages into a folder, in place of what it had."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
