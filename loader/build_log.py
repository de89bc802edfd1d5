"""What dbt logs while it builds: how far it is, what failed, what it came to."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and the name of the one that begins."""

_DONE = ("LogSeedResult", "LogModelResult", "LogTestResult", "LogNodeNoOpResult", "LogSkip")


@dataclass
class BuildLog:
    """Takes dbt's log line by line (`--log-format json`) and keeps what a person has to know.

    failures: dbt's words on what failed, the rows that a test found among them. warnings: names of
    the tests that warned. checks: how many tests passed.
    https://docs.getdbt.com/reference/events-logging
    """

    progress: Progress = lambda done, total, name: None
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checks: int = 0
    _done: int = 0
    _about_a_failure: bool = True

    def take(self, line: str) -> None:
        """Note what a line says; one that is no JSON tells of a crash."""
        try:
            event: dict[str, Any] = orjson.loads(line)
            info, node = event["info"], event["data"].get("node_info", {})
            name, text = info["name"], _plain(info["msg"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self.failures += [line.rstrip()] if line.strip() else []
            return
        if name == "LogStartLine":
            self.progress(self._done, event["data"]["total"], node["node_name"])
        elif name.startswith(_DONE):
            self._done += 1
            self._count(node)
        elif self._tells(name, info["level"], text):
            self.failures.append(text)

    def _count(self, node: dict[str, Any]) -> None:
        if node["resource_type"] in {"test", "unit_test"}:
            self.checks += node["node_status"] == "pass"
        if node["node_status"] == "warn":
            self.warnings.append(node["node_name"])

    def _tells(self, name: str, level: str, text: str) -> bool:
        """Whether an event is about a failure: a warning's words come by the same events."""
        if name.startswith("RunResult"):
            self._about_a_failure = not name.startswith("RunResultWarning")
        elif name == "PrintEvent" and text.lstrip().startswith(("FAIL ", "WARN ")):
            self._about_a_failure = text.lstrip().startswith("FAIL ")
        elif name not in {"PrintEvent", "SQLCompiledPath", "CheckNodeTestFailure"}:
            return level == "error"
        return self._about_a_failure


def _plain(text: str) -> str:
    """Without the colours that dbt puts in."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip()
