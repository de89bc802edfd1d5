"""Where things stand in loader/: what may import what, who names the published tables."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import PROJECT

LOADER = PROJECT / "loader"

ROOMS = (
    "formats", "memory", "outcome", "files", "parts", "finite", "source", "validate", "server",
    "raw", "messages", "worker", "pool", "push", "dbt", "build_log", "spark", "run", "demo",
    "tables", "texts", "output", "cli", "__main__",
)  # fmt: skip
"""From the ground up: a room imports those before it, not even a type of those after it."""

RIGHTS = {LOADER / "raw" / "roles.sql", LOADER / "server" / "reader.sql"}
"""What names the schema outside the wing: who may do what in it."""


def modules() -> list[Path]:
    return sorted(LOADER.rglob("*.py"))


def room(module: Path) -> str:
    return module.relative_to(LOADER).parts[0].removesuffix(".py")


def imported(module: Path) -> Iterator[str]:
    """The rooms a module imports from, wherever in it the import stands."""
    for node in ast.walk(ast.parse(module.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("loader."))


def test_every_module_is_in_a_room_of_the_list() -> None:
    assert {room(module) for module in modules()} - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("name", ROOMS)
def test_no_import_points_upward(name: str) -> None:
    below = ROOMS[: ROOMS.index(name) + 1]
    upward = [
        f"{module.relative_to(LOADER)} imports {other}"
        for module in modules()
        if room(module) == name
        for other in imported(module)
        if other not in below
    ]
    assert upward == []


def test_no_module_is_longer_than_430_lines() -> None:
    lengths = {module: len(module.read_text().splitlines()) for module in modules()}
    assert [str(module) for module, length in lengths.items() if length > 430] == []


def test_only_its_wing_names_the_schema_of_the_published_tables() -> None:
    named = re.compile(r"\bbattery\.[a-z_{%]|\bschema battery\b|'battery'")
    outside = [path for path in sorted(LOADER.rglob("*")) if room(path) != "tables"]
    assert [
        f"{path.relative_to(LOADER)}: {found[0]}"
        for path in outside
        if path.suffix in (".py", ".sql") and path not in RIGHTS
        for text in (strings(path) if path.suffix == ".py" else [path.read_text()])
        for found in named.finditer(text)
    ] == []
    assert all(named.search(path.read_text()) for path in RIGHTS)


def strings(module: Path) -> Iterator[str]:
    """The texts of a module but for docstrings, whose examples a person types."""
    tree = ast.parse(module.read_text())
    with_docstring = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, with_docstring) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in docstrings:
            yield node.value


def test_a_command_does_not_wait_for_what_workers_alone_need() -> None:
    """numpy takes a fifth of the time that a command with nothing to do takes."""
    code = "import sys, loader.cli, loader.output, loader.run; print('numpy' in sys.modules)"
    command = [sys.executable, "-P", "-c", code]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "False\n"
