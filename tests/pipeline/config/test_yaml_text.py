"""The fast reader of YAML and the portable one read the same."""

from pathlib import Path

import pytest
import yaml

from pipeline.config import yaml_text

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_both_readers_read_shipped_configurations_alike(path):
    text = path.read_text(encoding="utf-8")
    fast, portable = (yaml.load(text, loader) for loader in yaml_text._LOADERS)
    assert fast == portable
    assert fast["target"] == str(fast["target"])


TEXT = "a: no\nb: [007, ~, 1:30, 2024-01-01, 'x y']\nc: {<<: {d: 1}, e: !!int 3}\n"


def test_scalars_are_text_to_both_readers():
    expected = {
        "a": "no",
        "b": ["007", None, "1:30", "2024-01-01", "x y"],
        "c": {"d": "1", "e": "3"},
    }
    for loader in yaml_text._LOADERS:
        assert yaml.load(TEXT, loader) == expected


@pytest.mark.parametrize(
    "text",
    ["a: 1\na: 2\n", "[" * 40, "a: &x [*x]\n", "a: !!python/none x\n", "a: 'b\n"],
    ids=["twice", "deep", "itself", "tag", "open"],
)
def test_both_readers_refuse_the_same_and_one_gives_the_message(text, monkeypatch):
    messages = []
    for loaders in (yaml_text._LOADERS, yaml_text._LOADERS[-1:]):
        monkeypatch.setattr(yaml_text, "_LOADERS", loaders)
        with pytest.raises(yaml.YAMLError) as error:
            yaml_text.read_yaml(text)
        messages.append(yaml_text.described(error.value))
    assert messages[0] == messages[1]
    for loader in yaml_text._LOADERS:
        with pytest.raises(yaml.YAMLError):
            yaml.load(text, loader)
