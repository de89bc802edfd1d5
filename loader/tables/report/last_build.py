"""What dbt's last build said: which models and tests failed or warned.

Read from the artifacts dbt leaves in its target folder:
https://docs.getdbt.com/reference/artifacts/run-results-json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

DOCS = "http://localhost:8080"
"""Where `dbt docs serve` shows the docs."""

_FINE = {"success", "pass", "no-op"}


@dataclass(frozen=True)
class Finding:
    """A model or test that was not fine. status: fail, warn, error or skipped, as dbt has it.

    query: gives the rows that a test found; empty where it is no test.
    """

    name: str
    status: str
    message: str
    description: str
    docs_url: str
    query: str


@dataclass(frozen=True)
class Build:
    """A build of dbt: when it began, how many models and tests ran, what was found."""

    began_at: datetime
    ran: int
    findings: list[Finding]


def read(target: Path) -> Build | None:
    """Give the last build of which `target`, dbt's target folder, has the results.

    None where there are none, where dbt is just writing them, or where its last command was no
    build or test. A manifest that is missing costs the descriptions only. Raises OSError.
    """
    results = _artifact(target / "run_results.json")
    if results.get("args", {}).get("which") not in ("build", "test"):
        return None
    nodes = _artifact(target / "manifest.json").get("nodes", {})
    findings = [
        _finding(result, nodes.get(result["unique_id"], {}))
        for result in results["results"]
        if result["status"] not in _FINE
    ]
    began_at = results["metadata"].get("invocation_started_at")
    return Build(
        datetime.fromisoformat(began_at or results["metadata"]["generated_at"]),
        len(results["results"]),
        sorted(findings, key=lambda one: (one.status == "warn", one.status, one.name)),
    )


def _artifact(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return content


def _finding(result: dict[str, Any], node: dict[str, Any]) -> Finding:
    unique_id: str = result["unique_id"]
    kind, _, name, *_ = unique_id.split(".")
    return Finding(
        name=node.get("name", name),
        status=result["status"],
        message=result.get("message") or "",
        description=" ".join((node.get("description") or "").split()),
        docs_url=f"{DOCS}/#!/{quote(kind)}/{quote(unique_id)}",
        query=(result.get("compiled_code") or "") if kind == "test" else "",
    )
