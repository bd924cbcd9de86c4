"""Page docs/results.md, written from the numbers in docs/results/."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.curves_section import CURVES_FILE
from benchmarks.curves_section import curves_picture
from benchmarks.curves_section import curves_section
from benchmarks.worlds_table import WORLDS_FILE
from benchmarks.worlds_table import worlds_section
from components.evaluation.metrics import NAMES
from pipeline.comparing.picture import picture
from pipeline.comparing.record import Comparison
from pipeline.comparing.record import read_json
from pipeline.comparing.record import to_csv
from pipeline.comparing.run import markdown
from pipeline.comparing.tables import Grid
from pipeline.comparing.tables import quality
from pipeline.comparing.words import verdict

SIMULATED = "feeds_ads"
# End of the name of a data set whose sources have their user ids permuted.
PLACEBO = "_placebo"
QUICK = (
    "**A quick pass, not a result:** two seeds, two data sets, four strategies and a "
    "third of the simulated impressions, to see that everything runs. Intervals of two "
    "seeds have one degree of freedom, and no win is counted below ten."
)
# Below these, a data set cannot show something.
_FEW_SHARED, _FEW_CLICKS = 0.05, 500

_HEAD = """\
# Results

Written by `make results [SEEDS=10] [DATASETS=feeds_ads,amazon]` (a night and a day on two quiet cores; it resumes) from what is in the repository: the shipped logs
and the simulator. Every table, picture and sentence is made from the numbers in `docs/results/`; the scores of every judged impression are in `docs/results/replicates/`.

"""  # noqa: E501 (lines of the page)

_RULES = """
## When a win is counted

Every replicate has data and trainings of its own: another simulated world, other negatives, another window of days. A strategy **wins** if its AUC is above that of
`target_only` and above that of the best reference (constant, best single feature, logistic regression, boosted trees, on the target alone and with the
sources), both told apart over at least ten replicates with Holm's correction for all differences of the table. Intervals take replicates, users and
items as random effects; users of different worlds are different people ([Comparing strategies](how-to/compare.md#results)). In a `placebo` the user ids of the sources are permuted, so that
no user is shared: of a gain counts what is above its placebo. Strategies share backbone, loader, optimizer and passes over the target's rows, not the number of optimizer steps:
all that mix in source rows take more than `target_only` ([Baselines](methods/baselines.md)). `ctnet` starts from `target_only`'s model of earlier days (two weeks in simulated
worlds, two months in amazon, a year in xmarket) and learns from the days since then; over many days it is measured in [CTNet](methods/ctnet.md). Which strategy to choose: [Which strategy](methods/choosing.md).

Tables of before 2026-12-01 are withdrawn, as today's code makes others: they had one simulated world and one window, negatives of amazon that a tree on three features of the item told
from purchases, no references, and intervals in which equal strategies looked different in 8 to 21 % of the comparisons.
"""  # noqa: E501


def write_page(docs: Path, names: Sequence[str], note: str = "") -> Path:
    """Writes page, tables and pictures from the records; returns the page's path.

    Args:
        docs: Folder of the page; the records are in `results/` below it.
        names: All data sets, in the order of the page.
        note: Paragraph at its top.

    Raises:
        DataError: A record cannot be read.
    """
    folder = docs / "results"
    folder.mkdir(parents=True, exist_ok=True)
    found = {
        name: read_json(path)
        for name in names
        if (path := folder / f"{name}.json").is_file()
    }
    facts = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in names
        if (path := folder / f"{name}.facts.json").is_file()
    }
    for name, comparison in found.items():
        for suffix, made in ((".csv", to_csv), (".svg", picture)):
            text = made(comparison)
            (folder / f"{name}{suffix}").write_text(text, encoding="utf-8")
    worlds, curves = _record(folder / WORLDS_FILE), _record(folder / CURVES_FILE)
    if curves is not None:
        drawn = (folder / CURVES_FILE).with_suffix(".svg")
        drawn.write_text(curves_picture(curves), encoding="utf-8")
    path = docs / "results.md"
    content = page(found, names, facts, worlds, curves, note)
    path.write_text(content, encoding="utf-8")
    return path


def _record(path: Path) -> dict[str, Any] | None:
    """Returns a record; None if there is no such file."""
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def page(
    found: Mapping[str, Comparison],
    names: Sequence[str],
    facts: Mapping[str, Mapping[str, Any]],
    worlds: Mapping[str, Any] | None = None,
    curves: Mapping[str, Any] | None = None,
    note: str = "",
) -> str:
    """Returns the page.

    Args:
        found: Comparisons by data set.
        names: All data sets, including those without a comparison.
        facts: What was counted in each data set.
        worlds: Record of `make worlds`; None if it has not run.
        curves: Record of `make learning-curves`; None if it has not run.
        note: Paragraph at the top.
    """
    parts = [_HEAD, f"{note}\n\n" if note else "", _what_each_can_show(facts, names)]
    parts.append("\n## Simulated worlds, whose optimum is known\n")
    simulated = {n: one for n, one in found.items() if n.startswith(SIMULATED)}
    if SIMULATED in found:
        parts.append(_simulated(found[SIMULATED]))
    if len(simulated) > 1:
        parts.append(f"\n{_minus(simulated, 'auc')}")
    parts += [worlds_section(worlds), curves_section(curves)]
    real = {name: one for name, one in found.items() if name not in simulated}
    if real:
        parts.append("\n## Real data sets\n")
        for metric in ("auc", "log_loss"):
            parts.append(f"\n{_minus(real, metric)}")
    missing = [name for name in names if name not in found]
    if missing:
        parts.append(f"\nNot run yet: {', '.join(missing)}.\n")
    parts += [_codes(facts), _tuning(facts)]
    parts.append(_RULES)
    for name, comparison in found.items():
        if name.endswith(PLACEBO):
            continue
        text = markdown(comparison, image=f"results/{name}.svg", level=2)
        parts.append(f"\n{text}")
    return "".join(parts)


def _codes(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns by which code the replicates were made, if it was not all the same."""
    total: Counter[str] = Counter()
    for one in facts.values():
        total.update(one.get("code", {}))
    if len(total) < 2:
        return ""
    made = ", ".join(f"`{code}` {count}" for code, count in total.most_common())
    return (
        f"\nReplicates by the hash of the code that made them: {made}. "
        "`make results RENEW=1` runs those of other than today's code again.\n"
    )


def _tuning(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns what was tuned, with which budget, and that the rest was not."""
    lines = [
        f"* {name}: {budget}: {', '.join(f'`{one}`' for one in names)}\n"
        for name, one in facts.items()
        for budget, names in one.get("tuning", {}).items()
    ]
    if not lines:
        return "" if not facts else "\nNothing was tuned.\n"
    return (
        "\nTuned on the days before (`configs/tuned/`; "
        "[Tuning](how-to/tune.md)); whatever no line names has the values of its "
        f"configuration:\n\n{''.join(lines)}"
    )


def _what_each_can_show(
    facts: Mapping[str, Mapping[str, Any]], names: Sequence[str]
) -> str:
    """Returns what the data sets hold, counted, and what follows from it."""
    if not facts:
        return (
            "## What each data set can and cannot show\n\n"
            "Not counted yet: `make results` counts it.\n"
        )
    rows = []
    for name in names:
        if name not in facts:
            continue
        one = facts[name]
        sources = one["sources"].values()
        rows.append(
            (
                name,
                one["labels"],
                _count(one["target"]),
                _count({k: sum(s[k] for s in sources) for k in ("rows", "clicks")}),
                f"{one['replicates']} x {_count(one['evaluation'])}",
                *(
                    _share(one[key])
                    for key in (
                        "users_in_sources",
                        "items_in_sources",
                        "new_users",
                        "new_items",
                    )
                ),
                ", ".join(one["moving"]) or "none",
            )
        )
    header = (
        "data set",
        "labels",
        "target rows (clicks)",
        "source rows (clicks)",
        "judged rows (clicks)",
        "users in a source",
        "items in a source",
        "new users",
        "new items",
        "features that move",
    )
    words = [
        f"* {name}: {sentence}\n"
        for name in names
        if name in facts
        for sentence in limits(facts[name])
    ]
    return (
        "## What each data set can and cannot show\n\nCounted: rows and clicks of the "
        "training window and of the evaluation days (a mean over replicates); shares "
        "of the judged rows whose user or item is in a source, or new in the target."
        "\n\n"
        f"{Grid(header, tuple(rows)).as_markdown()}\n{''.join(words)}"
    )


def limits(one: Mapping[str, Any]) -> list[str]:
    """Returns what a data set cannot show, given what was counted in it."""
    found = []
    if "logged rows" in one["labels"]:
        found.append("its rows are answers, not impressions that stayed unanswered.")
    if "negatives drawn" in one["labels"]:
        found.append(
            "non-clicks are drawn, so click rates and calibration are not real."
        )
    shared = one["users_in_sources"]
    if shared is not None and shared < _FEW_SHARED:
        found.append(
            f"{shared:.1%} of the rows have a user whom a source knows: "
            "transfer by users cannot show."
        )
    if one["moving"]:
        found.append(
            f"{', '.join(one['moving'])} moves with the labels within the evaluation "
            "days, so GAUC is a footnote."
        )
    clicks = one["evaluation"]["clicks"] * one["replicates"]
    if clicks < _FEW_CLICKS:
        found.append(f"{clicks:,.0f} clicks are too few to tell strategies apart.")
    return found or ["nothing counted speaks against it."]


def _count(one: Mapping[str, float]) -> str:
    return f"{one['rows']:,.0f} ({one['clicks']:,.0f})"


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _simulated(comparison: Comparison) -> str:
    """Returns the table of the simulated worlds, first of all tables."""
    words = "".join(f"* {sentence}\n" for sentence in verdict(comparison))
    seeds = len(comparison.seeds)
    worlds = "one world" if seeds == 1 else f"{seeds} worlds, each"
    return (
        f"\n{', '.join(comparison.sources)} → {comparison.target} in {worlds} "
        "with draws and trainings of its own "
        "([Simulated feeds and ads](how-to/simulation.md)): "
        f"{comparison.rows:,} judged rows, {comparison.clicks:,} clicks.\n\n{words}\n"
        f"{quality(comparison).as_markdown()}"
    )


def strategies_of(found: Mapping[str, Comparison]) -> list[str]:
    """Returns all strategies of all data sets except the baselines, in order."""
    names: dict[str, None] = {}
    for comparison in found.values():
        names |= {m.name: None for m in comparison.models if m.differences}
    return list(names)


def _minus(found: Mapping[str, Comparison], metric: str) -> str:
    """Returns a metric's differences to the baseline, a table line per data set."""
    return (
        f"{NAMES[metric]} minus that of {_baselines(found)}:\n\n"
        f"{_overview(found, metric).as_markdown()}"
    )


def _baselines(found: Mapping[str, Comparison]) -> str:
    names = dict.fromkeys(c.baseline for c in found.values())
    return " or ".join(f"`{name}`" for name in names)


def _overview(found: Mapping[str, Comparison], metric: str) -> Grid:
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
            apart = model.differences[metric]
            mark = "*" if apart.told_apart else ""
            cells.append(f"{apart.value:+.4f}{mark}{won}")
        cells.append(_best_reference(comparison, metric))
        rows.append(tuple(cells))
    return Grid(
        ("data set", "replicates", "rows", *names, "best reference"), tuple(rows)
    )


def _best_reference(comparison: Comparison, metric: str) -> str:
    """Returns the difference of the best reference to the baseline, with its name."""
    for one in comparison.references:
        if one.name == comparison.best_reference:
            return f"{one.differences[metric].value:+.4f} ({one.name})"
    return ""
