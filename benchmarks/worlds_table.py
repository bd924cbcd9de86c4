"""Section of docs/results.md about the grid of adversarial worlds, from its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.evaluation.differences import Difference
from pipeline.comparing.tables import Grid
from pipeline.comparing.words import with_interval

WORLDS_FILE = "worlds.json"
MEASURES = ("minus_target_only", "minus_best_reference")


def worlds_section(record: Mapping[str, Any] | None) -> str:
    """Returns the section: worst case of each strategy, then all worlds.

    Args:
        record: What `benchmarks.worlds` wrote; None if it has not run.
    """
    if record is None:
        return "\nThe grid of adversarial worlds was not run: `make worlds`.\n"
    seeds = record["seeds"]
    return (
        "\n### Each strategy's worst case\n\n"
        f"{len(record['worlds'])} small worlds, each with one complication "
        "([benchmarks/worlds.yaml](../benchmarks/worlds.yaml), "
        "[Simulated feeds and ads](how-to/simulation.md#complications)), "
        f"{len(seeds)} seeds of data "
        f"and trainings ({seeds[0]} to {seeds[-1]}). AUC minus that of `target_only` "
        "and minus that of the best reference there, in the world where it is lowest, "
        "with 95 % intervals; * is told apart with Holm's correction for the "
        "whole grid.\n\n"
        f"{_worst(record).as_markdown()}\n"
        "AUC minus that of `target_only` in every world:\n\n"
        f"{_every(record).as_markdown()}"
    )


def worst_cases(record: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, Any]]]:
    """Returns, by strategy and measure, the world with the lowest mean difference."""
    found: dict[str, dict[str, tuple[str, Any]]] = {}
    for world, about in record["worlds"].items():
        for strategy, measured in about["strategies"].items():
            for measure in MEASURES:
                one = measured.get(measure)
                if one is None:
                    continue
                known = found.setdefault(strategy, {}).get(measure)
                if known is None or one["value"] < known[1]["value"]:
                    found[strategy][measure] = (world, one)
    return found


def _worst(record: Mapping[str, Any]) -> Grid:
    rows = []
    for strategy, measures in worst_cases(record).items():
        cells = [strategy]
        for measure in MEASURES:
            world, one = measures.get(measure, ("", None))
            cells += [world, with_interval(Difference(**one)) if one else ""]
        rows.append(tuple(cells))
    return Grid(
        (
            "strategy",
            "worst world",
            "minus target_only",
            "worst world beside the best reference",
            "minus the best reference",
        ),
        tuple(rows),
    )


def _every(record: Mapping[str, Any]) -> Grid:
    names = list(worst_cases(record))
    rows = []
    for world, about in record["worlds"].items():
        cells = [world, _known(about["target_only"]), _known(about.get("oracle"))]
        for name in names:
            one = about["strategies"].get(name, {}).get("minus_target_only")
            if one is None:
                cells.append("")
                continue
            mark = "*" if Difference(**one).told_apart else ""
            cells.append(f"{one['value']:+.4f}{mark}")
        reference = about["best_reference"]
        cells.append(f"{reference['value']:+.4f} ({reference['name']})")
        rows.append(tuple(cells))
    header = ("world", "AUC of target_only", "of the oracle", *names, "best reference")
    return Grid(header, tuple(rows))


def _known(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
