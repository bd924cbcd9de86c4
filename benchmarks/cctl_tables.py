"""Tables of `prove_cctl`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from benchmarks.cctl_trials import MODELS
from benchmarks.study_metrics import difference_text
from benchmarks.study_metrics import differences
from benchmarks.study_metrics import interval


def _mean(found: Sequence[Mapping[str, Any]], model: str, key: str) -> float:
    return statistics.fmean(result[model][key] for result in found)


def print_tables(numbers: dict[str, Any]) -> None:
    """Prints weights by seed, GAUC by condition, ablations and the cost."""
    for key, where in (("", "many users and items"), ("_few", "few")):
        print(f"\n| {where}: seed | w, clean | w, noisy | ratio | AUC of w | w, copy |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: |")
        pairs = zip(numbers[f"noise{key}"], numbers[f"copy{key}"], strict=True)
        for seed, (noise, copy) in enumerate(pairs, 1):
            print(
                f"| {seed} | {noise['clean']:.3f} | {noise['noisy']:.3f} | "
                f"{noise['ratio']:.3f} | {noise['weight_auc']:.4f} | "
                f"{copy['mean']:.3f} |"
            )
    header = "target_only | joint | cctl | cctl - target_only | cctl - joint |"
    print(f"\n| GAUC | {header}\n| --- | ---: | ---: | ---: | --- | --- |")
    for name, found in numbers["beside"].items():
        print(f"| {name} | {_compared(found)} |")
    print(f"\n| GAUC | {header} w, accidents | w, others |")
    print("| --- | ---: | ---: | ---: | --- | --- | ---: | ---: |")
    for name, found in numbers["conditions"].items():
        poisoned = found[0]["cctl"]["weight_accidents"] is not None
        accidents = (
            f"{_mean(found, 'cctl', 'weight_accidents'):.3f}" if poisoned else ""
        )
        others = f"{_mean(found, 'cctl', 'weight_others'):.3f}"
        print(f"| {name} | {_compared(found)} | {accidents} | {others} |")
    if "ablations" in numbers:
        _report_ablations(numbers["ablations"])
    cost = numbers["cost"]
    print(
        "\nCPU time per target impression and pass: CCTL "
        f"{cost['cctl_microseconds']:.1f} us, joint {cost['joint_microseconds']:.1f} "
        f"us, ratio {cost['ratio_of_steps']:.2f}, at "
        f"{cost['source_rows_per_target_row']:.0f} source impressions per target "
        f"impression. Once, before the first step: "
        f"{cost['measuring_microseconds']:.1f} us. Ratio including it: "
        f"{cost['ratio']:.2f} for two passes, {cost['ratio_of_one_pass']:.2f} for one\n"
    )


def _compared(found: Sequence[Mapping[str, Any]]) -> str:
    means = " | ".join(f"{_mean(found, model, 'gauc'):.4f}" for model in MODELS)
    apart = (
        difference_text(interval(differences(found, "cctl", base)))
        for base in MODELS[:2]
    )
    return " | ".join([means, *apart])


def _report_ablations(ablations: Mapping[str, list[dict[str, float]]]) -> None:
    print("\n| CCTL with | GAUC | AUC | log loss | GAUC - cctl |")
    print("| --- | ---: | ---: | ---: | --- |")
    whole = ablations["cctl"]
    for name, found in ablations.items():
        lost = [a["gauc"] - b["gauc"] for a, b in zip(found, whole, strict=True)]
        means = " | ".join(
            f"{statistics.fmean(r[metric] for r in found):.4f}"
            for metric in ("gauc", "auc", "log_loss")
        )
        print(f"| {name} | {means} | {difference_text(interval(lost))} |")
