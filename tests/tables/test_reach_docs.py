"""What docs/python.md and docs/dashboards.md say: the Python runs, the commands are there."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import built
import pyarrow as pa
import pytest
from conftest import PROJECT, RunLoader
from pipeline import Pipeline
from typer.main import get_command

from loader.cli import app
from loader.server.embedded import Server
from loader.server.listen import READER

PYTHON = (PROJECT / "docs" / "python.md").read_text(encoding="utf-8")
DASHBOARDS = (PROJECT / "docs" / "dashboards.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pipeline(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with built.built(server, tmp_path_factory) as pipeline:
        yield pipeline


def blocks(language: str, page: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_all_python_of_the_page_runs(
    pipeline: Pipeline, run_loader: RunLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One block after the other, as in a notebook, on cells that are there."""
    env = pipeline.database.environment
    exported = run_loader("export", "tables", tmp_path / "tables", env=env)
    assert exported.returncode == 0, exported.stderr
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    notebook: dict[str, Any] = {}
    for block in blocks("python", PYTHON):
        exec(block.replace("SYN0001A", "TWICE"), notebook)
    assert isinstance(notebook["summaries"], pa.Table)
    notebook["tables"].close()


def test_the_commands_of_the_pages_are_there() -> None:
    groups: Any = get_command(app)
    lines = "".join(blocks("sh", PYTHON + DASHBOARDS))
    typed = re.findall(r"loader ((?:(?:db|export) )\w+)(.*)", lines)
    assert len(typed) >= 6
    for words, rest in typed:
        group, name = words.split()
        found = groups.commands[group].commands[name]
        options = {option for parameter in found.params for option in parameter.opts}
        assert set(re.findall(r" (--?[a-z-]+)", rest.partition("#")[0])) <= options, words


def test_the_settings_for_dashboards_are_those_of_the_reader() -> None:
    assert f"| user | {READER} |" in DASHBOARDS
    assert f"user={READER}" in DASHBOARDS
