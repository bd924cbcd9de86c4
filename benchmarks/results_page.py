"""docs/results.md from the comparisons in docs/results/; every result from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.comparing.record import Comparison
from pipeline.comparing.record import read_json
from pipeline.comparing.run import markdown
from pipeline.comparing.tables import Grid
from pipeline.comparing.words import NAMES

_HEAD = """\
# Results

Written by `make results [SEEDS=3] [DATASETS=feeds_ads,amazon]` from what is in the repository: the shipped logs and the simulator. Tables,
pictures and sentences are made from the numbers in [results/](results/). What the columns mean and how to read an interval:
[compare.md](compare.md). All strategies share backbone, loader, optimizer and passes over the target's rows
([methods/baselines.md](methods/baselines.md)); none was tuned for these days. A date that all trainings end before, and the rows that all
are judged on, stand with each table. `ctnet` needs days before it differs from `target_only`: its results over days and months are in
[methods/ctnet.md](methods/ctnet.md). Which strategy to choose: [methods/choosing.md](methods/choosing.md).

"""  # noqa: E501 (lines of the page)

# What no number says.
_NOTES = {
    "feeds_ads": "Simulated: the true click probabilities are known, see "
    "[simulation.md](simulation.md).",
    "amazon": "Purchases with sampled negatives; the two shops have the same users "
    "and different items.",
    "amazon_beauty": "Purchases with sampled negatives; three shops as sources.",
    "xmarket": "Reviews, four stars and more stand for a click. Hardly a user is in "
    "two markets, most items are. Most users have two or three rows here, of whom the "
    "first row's label makes the second look like its opposite: prefer AUC "
    "([methods/ecdctr.md](methods/ecdctr.md)).",
    "xmarket_mx": "As above. `mx` has one day a month.",
    "xmarket_jp": "As above, judged from 2018 on, with the six other markets as "
    "sources.",
    "xmarket_in": "As above; the smallest market of the seven.",
}


def write_page(docs: Path, names: Sequence[str]) -> Path:
    """Writes the page from the records that are there and returns its path.

    Args:
        docs: The folder `docs`.
        names: All data sets, in the order of the page.

    Raises:
        DataError: A record cannot be read.
    """
    found = {
        name: read_json(path)
        for name in names
        if (path := docs / "results" / f"{name}.json").is_file()
    }
    path = docs / "results.md"
    path.write_text(page(found, names), encoding="utf-8")
    return path


def page(found: dict[str, Comparison], names: Sequence[str]) -> str:
    """Returns the page.

    Args:
        found: Comparisons by data set.
        names: All data sets, those that were not compared included.
    """
    parts = [_HEAD, "## In short\n\n"]
    for metric in ("gauc", "auc"):
        parts.append(
            f"{NAMES[metric]} minus the baseline's, which is "
            f"{_baselines(found)}; *wins* and *loses* are told apart from it at 95 %:\n"
            f"\n{_overview(found, metric).as_markdown()}\n"
        )
    parts += [f"* {sentence}\n" for sentence in _counted(found)]
    missing = [name for name in names if name not in found]
    if missing:
        parts.append(f"* Not run: {', '.join(missing)}.\n")
    for name, comparison in found.items():
        note = _NOTES.get(name, "")
        text = markdown(comparison, image=f"results/{name}.svg", level=2)
        heading, rest = text.split("\n", 1)
        parts.append(
            f"\n{heading}\n{f'{chr(10)}{note}{chr(10)}' if note else ''}{rest}"
        )
    return "".join(parts)


def strategies_of(found: dict[str, Comparison]) -> list[str]:
    """Returns every strategy of any data set but the baselines, in order."""
    names: dict[str, None] = {}
    for comparison in found.values():
        names |= {m.name: None for m in comparison.models if m.differences}
    return list(names)


def _baselines(found: dict[str, Comparison]) -> str:
    names = dict.fromkeys(c.baseline for c in found.values())
    return " or ".join(f"`{name}`" for name in names) or "none yet"


def _overview(found: dict[str, Comparison], metric: str) -> Grid:
    """Returns a line per data set: its size, and each strategy's difference."""
    names = strategies_of(found)
    rows = []
    for name, comparison in found.items():
        models = {model.name: model for model in comparison.models}
        cells = [name, str(len(comparison.seeds)), f"{comparison.rows:,}"]
        for strategy in names:
            model = models.get(strategy)
            if model is None:
                cells.append("")
                continue
            outcome = model.outcome(metric)
            value = f"{model.differences[metric].value:+.4f}"
            told = outcome in ("wins", "loses")
            cells.append(f"{value} *{outcome}*" if told else value)
        rows.append(tuple(cells))
    return Grid(("data set", "seeds", "rows", *names), tuple(rows))


def _counted(found: dict[str, Comparison]) -> list[str]:
    """Returns, for each strategy, on how many data sets it wins and loses."""
    sentences = []
    for strategy in strategies_of(found):
        models = [
            model
            for comparison in found.values()
            for model in comparison.models
            if model.name == strategy and model.differences
        ]
        parts = []
        for metric in ("gauc", "auc"):
            outcomes = [model.outcome(metric) for model in models]
            parts.append(
                f"by {NAMES[metric]} {outcomes.count('wins')} won, "
                f"{outcomes.count('loses')} lost, the rest not told apart"
            )
        sets = "data set" if len(models) == 1 else "data sets"
        sentences.append(f"`{strategy}`, {len(models)} {sets}: {'; '.join(parts)}.")
    return sentences
