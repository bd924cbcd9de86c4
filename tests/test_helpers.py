"""Fixtures and helper modules, the only code that test modules share."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parent


def test_no_test_module_imports_another():
    found = []
    for path in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            found += [
                f"{path.relative_to(TESTS)} imports {module}"
                for module in modules
                if module.startswith("tests.")
                and module.split(".")[-1].startswith("test_")
            ]
    assert found == []
