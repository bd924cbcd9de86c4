"""Stamps of code: what changes them, and for which strategies."""

from __future__ import annotations

import shutil

import pytest

from benchmarks.code_stamps import REFERENCES
from benchmarks.code_stamps import ROOT
from benchmarks.code_stamps import code_stamp
from benchmarks.code_stamps import settings_stamp
from benchmarks.code_stamps import without_texts
from tests.pipeline.planning.worlds import make_config

FILES = {
    "models/layer.py": "x = 1\n",
    "models/cctl/learner.py": "weight = 1\n",
    "models/serving/export.py": "version = 1\n",
    "components/publisher/executor.py": "folder = 1\n",
    "pipeline/datasets/negatives.py": "count = 4\n",
    "pipeline/cli/run.py": "width = 80\n",
    "docs/results.md": "words\n",
}
MODELS = ("target_only", "cctl", "cctl_equal", "ctnet")


@pytest.fixture
def changed(tmp_path):
    """Returns the models whose stamp another content of a file changes."""

    def models(path, content):
        stamps = []
        for number in (0, 1):
            root = tmp_path / str(number)
            shutil.rmtree(root, ignore_errors=True)
            for name, before in {
                **FILES,
                **({path: content} if number else {}),
            }.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(before)
            stamps.append({model: code_stamp(model, root) for model in MODELS})
        return [model for model in MODELS if stamps[0][model] != stamps[1][model]]

    return models


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("models/layer.py", "x = 2\n", MODELS),
        ("models/new.py", "y = 2\n", MODELS),
        ("pipeline/datasets/negatives.py", "count = 9\n", MODELS),
        ("models/cctl/learner.py", "weight = 0\n", ("cctl", "cctl_equal")),
        ("models/strategies/ctnet.py", "name = 'ctnet'\n", ("ctnet",)),
        ("models/layer.py", '"""A layer."""\n\nx = 1  # as published\n', ()),
        ("models/serving/export.py", "version = 2\n", ()),
        ("components/publisher/executor.py", "folder = 2\n", ()),
        ("pipeline/cli/run.py", "width = 100\n", ()),
        ("docs/results.md", "other words\n", ()),
    ],
)
def test_a_stamp_changes_with_what_can_change_a_models_results(
    changed, path, content, expected
):
    assert changed(path, content) == list(expected)


def test_docstrings_comments_and_layout_do_not_count():
    source = (
        'class A:\n    """Words."""\n\n\n'
        'def f(\n    x,\n):\n    """More."""\n    return x  # why\n'
    )
    assert without_texts(source) == "class A:\n    pass\n\ndef f(x):\n    return x"
    # A text that is a value counts.
    assert "'Words.'" in without_texts('x = "Words."\n')


@pytest.mark.checkout
@pytest.mark.parametrize("kind", ["cctl", "ctnet"])
def test_code_of_its_own_is_where_it_is_expected(kind):
    assert (ROOT / "models" / kind).is_dir()
    assert (ROOT / "models" / "strategies" / f"{kind}.py").is_file()
    assert code_stamp(kind) != code_stamp("target_only")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ()),
        ({"root": "elsewhere", "logs": "elsewhere", "name": "other"}, ()),
        ({"gate": {"min_auc": 0.7}}, ()),
        # As it is anyway.
        ({"strategies": {"ecdctr": {"network": {"width": 16}}, "target_only": {}}}, ()),
        ({"evaluation_days": 9}, ("target_only", "ecdctr", REFERENCES)),
        ({"network": {"width": 4}}, ("target_only", "ecdctr", REFERENCES)),
        ({"references": {"rows": 5}}, (REFERENCES,)),
        (
            {"strategies": {"ecdctr": {"snapshots": 1}, "target_only": {}}},
            ("ecdctr",),
        ),
        (
            {
                "strategies": {
                    "ecdctr": {},
                    "target_only": {"training": {"target": {"epochs": 3}}},
                }
            },
            ("target_only", "equal_steps_90"),
        ),
    ],
)
def test_settings_of_other_strategies_and_paths_do_not_count(changes, expected):
    before, after = make_config(), make_config(**changes)
    for model in ("target_only", "ecdctr", REFERENCES):
        same = settings_stamp(before, model) == settings_stamp(after, model)
        assert same == (model not in expected), model
    if "equal_steps_90" in expected:
        name = "equal_steps_90"
        assert settings_stamp(before, name) != settings_stamp(after, name)
