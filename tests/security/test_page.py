"""`docs/security.md` names tests: every one of them is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)))


def names_in(path: Path) -> set[str]:
    found = {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
    return {name for name in found if name.startswith("test_")}


def test_the_page_names_tests():
    assert len(NAMED) > 40


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_it_names_is_there(file, name):
    assert (ROOT / file).is_file(), file
    there = names_in(ROOT / file)
    assert there, f"{file} has no test"
    assert not name or name in there, f"{file}::{name}"


def test_every_row_is_met_by_something_or_says_that_it_is_not():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| point")]
    for row in rows:
        _, point, what, by, _ = (cell.strip() for cell in row.split("|"))
        assert "`" in by or "Not met" in what or "8.3.1" in point, row
