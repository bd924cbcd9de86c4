"""Tables of `prove_ctnet`."""

from __future__ import annotations

from typing import Any

from benchmarks.ctnet_worlds import SOURCE_TURNS
from benchmarks.study_metrics import difference
from benchmarks.study_metrics import difference_text

PLANTED_MODELS = ("ctnet", "ctnet, no reload", "finetune", "joint")


def print_tables(n: dict[str, Any], found: dict[str, list[dict[str, Any]]]) -> None:
    """Prints metrics, costs and differences of all models, and metrics by day."""
    print(
        "| model | GAUC | AUC | log loss | GAUC of a day, minus target_only | AUC of a "
        "day, minus target_only | rows a day | seconds a day |"
    )
    print("| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |")
    for name, values in n["pooled"].items():
        cost = n["costs"][name]
        apart = ["", ""]
        if name != "target_only":
            apart = [
                difference_text(difference(found["plain"], name, "target_only", metric))
                for metric in ("gauc", "auc")
            ]
        print(
            f"| {name} | {values['gauc']:.4f} | {values['auc']:.4f} | "
            f"{values['log_loss']:.4f} | {apart[0]} | {apart[1]} | "
            f"{cost['rows']:,.0f} | {cost['seconds']:.2f} |"
        )
    print("\nSimulated change, GAUC of the days from the source's reversal on:")
    for base in PLANTED_MODELS[1:]:
        apart_by = difference(found["planted"], "ctnet", base, first=SOURCE_TURNS)
        print(f"ctnet minus {base}: {difference_text(apart_by)}")
    for title, by_day in (
        ("GAUC", n["by_day"]["gauc"]),
        ("AUC", n["by_day"]["auc"]),
        ("GAUC, simulated change", n["planted_by_day"]["gauc"]),
    ):
        print(f"\n| {title} |", " | ".join(map(str, range(n["days"]))), "|")
        print("| --- |", " | ".join(["---"] * n["days"]), "|")
        for name, days in by_day.items():
            print(f"| {name} |", " | ".join(f"{day:.3f}" for day in days), "|")
    print(
        "\n| held-out impressions of the first days, scored at the end | "
        "GAUC | AUC | log loss |"
    )
    print("| --- | --- | --- | --- |")
    for name, values in n["forgetting"].items():
        print(
            f"| {name} | {values['gauc']:.4f} | {values['auc']:.4f} | "
            f"{values['log_loss']:.4f} |"
        )
