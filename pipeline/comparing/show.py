"""A comparison on the terminal: its tables, then what they say."""

from __future__ import annotations

from pipeline.comparing import tables
from pipeline.comparing.record import Comparison
from pipeline.comparing.words import verdict
from pipeline.terminal.plain_text import Console


def show(comparison: Comparison, console: Console) -> None:
    """Prints a comparison."""
    grid = tables.quality(comparison)
    title = (
        f"{comparison.name}, {comparison.day}: {comparison.rows:,} rows of "
        f"{comparison.target}, {comparison.clicks:,} clicks, "
        f"{len(comparison.seeds)} seed(s); in brackets paired 95 % intervals with "
        "seeds, users and items as random effects, * if told apart from zero"
    )
    console.say(grid.as_rich(title))
    console.say(tables.cost(comparison).as_rich("What each costs, all levels"))
    for sentence in verdict(comparison):
        console.say(sentence, soft_wrap=True, highlight=False)
