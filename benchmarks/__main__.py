"""`python -m benchmarks`: how fast push and build are, in how much memory, against their floors.

Runs on an embedded server of its own in the scratch folder, or on the one that PG* or DATABASE_URL
name, in databases of its own that are dropped afterwards. Exit code 1 where a target is missed.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg
from rich.console import Console

from benchmarks import screen, server
from benchmarks.commands import Commands, Failed
from benchmarks.results import Result, as_json
from benchmarks.scenarios import SCENARIOS, UNLESS_NAMED, Bench
from loader.server.binaries import ServerError
from loader.server.database import DatabaseUnavailable

_SCRATCH = Path(tempfile.gettempdir()) / "battery-elt-benchmarks"


def main() -> int:
    """Measure, print, write JSON; gives the exit code."""
    options = _options()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 160)
    try:
        with server.server(folder) as running:
            report = _machine(running) | {"options": _plain(options), "scenarios": []}
            console.print(f"{report['machine']}, load {_load()}", highlight=False)
            bench = Bench(
                folder,
                running,
                Commands(folder / "checkout", running.postmaster),
                options.cycles,
                options.files,
                options.repeat,
            )
            met = []
            for name in _chosen(options):
                met.append(_run(name, bench, console, report))
                _write(report, options.output)  # what is measured is kept if the next one fails
    except (Failed, DatabaseUnavailable, ServerError, psycopg.Error) as error:
        console.print(f"benchmarks: {error}", markup=False, highlight=False)
        return 2
    finally:
        for name in ("push", "spark"):
            shutil.rmtree(folder / name, ignore_errors=True)
    return 0 if all(met) else 1


def _write(report: dict[str, Any], output: Path | None) -> None:
    if output:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=(__doc__ or "").partition("\n\n")[2],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        help=f"Any of {', '.join(SCENARIOS)}; all but {', '.join(UNLESS_NAMED)} where none is.",
    )
    parser.add_argument(
        "--folder", type=Path, default=_SCRATCH, help="For files and server; files are kept."
    )
    parser.add_argument("--cycles", type=_positive, default=500, help="Cycles a file; 275 kB each.")
    parser.add_argument("--files", type=_positive, default=8, help="Files to push at once.")
    parser.add_argument("--repeat", type=_positive, default=3, help="Runs to take medians of.")
    parser.add_argument("--output", type=Path, help="Write everything as JSON, too.")
    options = parser.parse_args()
    if unknown := sorted(set(options.scenarios) - SCENARIOS.keys()):
        parser.error(f"no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _chosen(options: argparse.Namespace) -> list[str]:
    named = options.scenarios or SCENARIOS.keys() - UNLESS_NAMED
    return [name for name in SCENARIOS if name in named]


def _plain(options: argparse.Namespace) -> dict[str, Any]:
    return {name: v if isinstance(v, int | list) else str(v) for name, v in vars(options).items()}


def _machine(running: server.Server) -> dict[str, Any]:
    memory = psutil.virtual_memory().total / 2**30
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} processors, {memory:.0f} GiB, {platform.platform()}, "
        f"Python {platform.python_version()}, PostgreSQL {running.version}",
    }


def _load() -> str:
    """Load averages: what else the machine does makes all figures worse."""
    return " ".join(f"{load:.2f}" for load in psutil.getloadavg())


def _run(name: str, bench: Bench, console: Console, report: dict[str, Any]) -> bool:
    before = _load()
    with console.status(name):
        result: Result = SCENARIOS[name](bench)
    for table in screen.tables(result):
        console.print(table)
    after = _load()
    console.print(f"load before {before}, after {after}\n", highlight=False)
    report["scenarios"].append(as_json(result) | {"load_before": before, "load_after": after})
    return all(check.met is not False for check in result.checks)


if __name__ == "__main__":
    sys.exit(main())
