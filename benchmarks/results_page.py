"""Page docs/results.md, written from the comparisons in docs/results/."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from components.evaluation.metrics import NAMES
from pipeline.comparing.picture import picture
from pipeline.comparing.record import Comparison
from pipeline.comparing.record import read_json
from pipeline.comparing.record import to_csv
from pipeline.comparing.run import markdown
from pipeline.comparing.tables import Grid

_HEAD = """\
# Results

Written by `make results [SEEDS=10] [DATASETS=feeds_ads,amazon]` from what is in the repository: the shipped logs and the simulator. Tables,
pictures and sentences are made from the numbers in [results/](results/). What the columns mean and how to read an interval:
[compare.md](compare.md). All strategies share backbone, loader, optimizer and passes over the target's rows, not the number of optimizer steps: all that
mix in source rows take more than `target_only`, `cctl` up to nine times as many ([methods/baselines.md](methods/baselines.md)). None was tuned for these days. A date that all trainings end before, and the rows that all
are judged on, stand with each table. `ctnet` needs days before it differs from `target_only`: its results over days and months are in
[methods/ctnet.md](methods/ctnet.md). Which strategy to choose: [methods/choosing.md](methods/choosing.md).

## When a win is counted

A strategy **wins** if its AUC is above that of `target_only` and above that of the best reference (constant, best single feature, logistic regression,
boosted trees, on the target alone and with the sources), both told apart over at least ten seeds with Holm's correction for all differences of the table.
Intervals take seeds, users and items as random effects ([compare.md](compare.md#results)).

**A table whose intervals are called too narrow was made before 2026-12-01**, without references, on three seeds and with a bootstrap that redraws these: equal
strategies look different in 8 to 21 % of the comparisons, where 5 % is meant. Nothing in it counts as won or lost; `make results` replaces it. On
xmarket scikit-learn's logistic regression is ahead of every strategy measured so far: [README](../README.md#try-it).

"""  # noqa: E501 (lines of the page)

# Facts about the data sets that the records do not contain.
_NOTES = {
    "feeds_ads": "Simulated: the true click probabilities are known, see "
    "[simulation.md](simulation.md).",
    "amazon": "Purchases; negatives are what other users bought in the shop that day, "
    "so an item's appeal to all cannot be learned ([datasets.md](datasets.md)). Both "
    "shops have the same users and different items.",
    "amazon_beauty": "As amazon; three shops as sources.",
    "amazon_food_cold": "As amazon, judged on users without a purchase in Food before "
    "the evaluation.",
    "amazon_beauty_cold": "As amazon_beauty, judged on users without a purchase in "
    "Beauty before the evaluation.",
    "xmarket": "Reviews, four stars and more stand for a click. Hardly a user is in "
    "two markets, most items are. Do not choose by GAUC here: `user_click_rate` moves "
    "with the user's labels within the evaluation days and is anti-correlated with the "
    "next one by construction "
    "([methods/ecdctr.md](methods/ecdctr.md#why-not-gauc-on-xmarket)).",
    "xmarket_mx": "As above. `mx` has one day a month.",
    "xmarket_jp": "As above, judged from 2018 on, with the six other markets as "
    "sources.",
    "xmarket_in": "As above; the smallest market of the seven.",
}


def write_page(docs: Path, names: Sequence[str]) -> Path:
    """Writes page, tables and pictures from the records; returns the page's path.

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
    for name, comparison in found.items():
        for suffix, text in ((".csv", to_csv), (".svg", picture)):
            made = docs / "results" / f"{name}{suffix}"
            made.write_text(text(comparison), encoding="utf-8")
    path = docs / "results.md"
    path.write_text(page(found, names), encoding="utf-8")
    return path


def page(found: dict[str, Comparison], names: Sequence[str]) -> str:
    """Returns the page.

    Args:
        found: Comparisons by data set.
        names: All data sets, including those without a comparison.
    """
    parts = [_HEAD, "## In short\n"]
    for metric in ("auc", "gauc"):
        parts.append(
            f"\n{NAMES[metric]} minus the baseline's, which is {_baselines(found)}:\n"
            f"\n{_overview(found, metric).as_markdown()}"
        )
    missing = [name for name in names if name not in found]
    if missing:
        parts.append(f"\n* Not run: {', '.join(missing)}.\n")
    for name, comparison in found.items():
        note = _NOTES.get(name, "")
        text = markdown(comparison, image=f"results/{name}.svg", level=2)
        heading, rest = text.split("\n", 1)
        parts.append(
            f"\n{heading}\n{f'{chr(10)}{note}{chr(10)}' if note else ''}{rest}"
        )
    return "".join(parts)


def strategies_of(found: dict[str, Comparison]) -> list[str]:
    """Returns all strategies of all data sets except the baselines, in order."""
    names: dict[str, None] = {}
    for comparison in found.values():
        names |= {m.name: None for m in comparison.models if m.differences}
    return list(names)


def _baselines(found: dict[str, Comparison]) -> str:
    names = dict.fromkeys(c.baseline for c in found.values())
    return " or ".join(f"`{name}`" for name in names) or "none yet"


def _overview(found: dict[str, Comparison], metric: str) -> Grid:
    """Returns a table line per data set: size and difference of each strategy."""
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
            won = " (wins)" if model.wins and metric == "auc" else ""
            cells.append(f"{model.differences[metric].value:+.4f}{won}")
        cells.append(_best_reference(comparison, metric))
        rows.append(tuple(cells))
    return Grid(("data set", "seeds", "rows", *names, "best reference"), tuple(rows))


def _best_reference(comparison: Comparison, metric: str) -> str:
    """Returns the difference of the best reference to the baseline, with its name."""
    for one in comparison.references:
        if one.name == comparison.best_reference:
            return f"{one.differences[metric].value:+.4f} ({one.name})"
    return ""
