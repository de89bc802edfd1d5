"""What a push, the status and the tables look like. Text only: cli.py prints it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from loader import push, runs
from loader.raw import verify, zone
from loader.raw.land import Outcome
from loader.tables import prune


class Lines(push.Listener):
    """A line for every file landed or rejected."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` is given each line."""
        self._say = say

    def ends(self, outcome: Outcome) -> None:
        """Say what became of the file."""
        if outcome.outcome != "skipped":
            self._say(line(outcome))


class Events(push.Listener):
    """A JSON object for every file that had to be read."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` is given each object."""
        self._say = say

    def ends(self, outcome: Outcome) -> None:
        """Say what became of the file."""
        fields = dataclasses.asdict(outcome)
        self._say(event(fields.pop("outcome"), **fields))


class Bar(push.Listener):
    """A progress bar by bytes; files rejected stay on the screen above it."""

    def __init__(self, progress: Progress) -> None:
        """`progress` is started once it is known how much there is to do."""
        self._progress = progress
        self._files = 0
        self._ended = 0

    def begins(self, files: int, size_bytes: int) -> None:
        """Show the bar."""
        self._files = files
        self._task = self._progress.add_task("", total=size_bytes, files="", done="", rate="")
        self.progresses(0)
        self._progress.start()

    def progresses(self, size_bytes: float) -> None:
        """Move the bar."""
        task = self._progress.tasks[0]
        self._progress.update(
            self._task,
            completed=size_bytes,
            files=f"{self._ended:,}/{many(self._files, 'file')}",
            done=f"{size(size_bytes)} of {size(task.total or 0)}",
            rate=f"{size(size_bytes / (task.elapsed or 1))}/s",
        )

    def ends(self, outcome: Outcome) -> None:
        """Count the file."""
        self._ended += 1
        if outcome.outcome == "rejected":
            console = self._progress.console
            console.print(line(outcome), markup=False, style="red", soft_wrap=True)


@contextmanager
def bar() -> Iterator[Bar]:
    """A progress bar that is gone from the screen when done."""
    progress = Progress(
        TextColumn("[bold]landing"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[files]} · {task.fields[done]} · {task.fields[rate]} ·"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(highlight=False),
        expand=True,
        transient=True,
    )
    try:
        yield Bar(progress)
    finally:
        progress.stop()


def line(outcome: Outcome) -> str:
    """What became of one file."""
    if outcome.outcome == "landed":
        about = [size(outcome.size_bytes), many(outcome.parts, "part")]
        if outcome.non_finite:
            about.append(_nulls(outcome.non_finite))
        return f"landed    {outcome.name}  {'  '.join(about)}"
    if outcome.outcome == "rejected":
        return f"rejected  {_complaint(outcome)}"
    return f"skipped   {outcome.path}: {outcome.reason}"


def event(name: str, /, **fields: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    """What happened just now as a JSON object: its time in UTC, its name, what there is to tell."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": now, "event": name, **fields}, default=str)


def summary(done: push.Summary) -> str:
    """A push in one line."""
    counts = [f"landed {many(done.count('landed'), 'file')}"]
    for word, count in (
        ("skipped", done.count("skipped")),
        ("rejected", done.count("rejected")),
        ("unfinished", done.unfinished),
    ):
        if count:
            counts.append(f"{word} {count:,}")
    landed = done.landed_bytes
    speed = f" ({size(landed)}, {size(landed / done.seconds)}/s)" if landed else ""
    return f"{', '.join(counts)} in {done.seconds:.1f} s{speed}"


def summary_json(done: push.Summary, run: runs.Run) -> str:
    """A push as a JSON object; sizes in bytes on disk, times in seconds."""
    return json.dumps(
        {
            "run_id": run.run_id,
            "build": run.build,
            "landed": done.count("landed"),
            "skipped": done.count("skipped"),
            "rejected": done.count("rejected"),
            "unfinished": done.unfinished,
            "landed_bytes": done.landed_bytes,
            "seconds": done.seconds,
            "error": done.lost,
            "files": [dataclasses.asdict(outcome) for outcome in done.outcomes],
        }
    )


def status(now: zone.Status, environment: Mapping[str, str]) -> str:
    """What the database holds, as a few lines."""
    raw = f"{many(now.files, 'file')} in {many(now.parts, 'part')}, {size(now.raw_bytes)}"
    if now.non_finite:
        raw += f", {_nulls(now.non_finite)}"
    tables = "none built yet that you may read"
    if now.batteries is not None:
        tables = f"{many(now.batteries, 'battery', 'batteries')}, {size(now.mart_bytes)}"
    rejected = many(len(now.rejections), "file") if now.rejections else "none"
    lines = [
        f"database  {place(environment)}",
        f"raw       {raw}",
        f"tables    {tables}",
        f"last run  {run(now.last_run) if now.last_run else 'none'}",
        f"rejected  {rejected}",
    ]
    return "\n".join(lines + [f"  {_complaint(one)}" for one in now.rejections])


def status_json(now: zone.Status) -> str:
    """What the database holds, as a JSON object."""
    return json.dumps(dataclasses.asdict(now), default=str)


def rejections(rejected: Sequence[zone.Rejection]) -> str:
    """The files turned away, a line each."""
    lines = [f"{one.rejected_at:%Y-%m-%d %H:%M}  {_complaint(one)}" for one in rejected]
    return "\n".join(lines) or "none"


def rejections_json(rejected: Sequence[zone.Rejection]) -> str:
    """The files turned away, as a JSON array."""
    return json.dumps([dataclasses.asdict(one) for one in rejected], default=str)


def checked(files: Sequence[verify.Checked]) -> str:
    """How landed files compare with those on disk: a line for each that is not the same, a sum."""
    lines = [
        f"{one.verdict:<10}  file {one.file_id}  {one.path}: {one.detail}"
        for one in files
        if one.verdict != "same"
    ]
    same = len(files) - len(lines)
    return "\n".join([*lines, f"{same:,} of {many(len(files), 'file')} as landed"])


def checked_json(files: Sequence[verify.Checked]) -> str:
    """How landed files compare with those on disk, as a JSON array."""
    return json.dumps([dataclasses.asdict(one) | {"detail": one.detail} for one in files])


def superseded(file: prune.Superseded) -> str:
    """A file that can go, in one line."""
    return (
        f"{file.file_id}  {file.name}  {size(file.size_bytes)}  superseded by {file.superseded_by}"
    )


def run(one: runs.Run) -> str:
    """A run in one line."""
    text = f"{one.outcome or 'going on'}, began {one.started_at:%Y-%m-%d %H:%M:%S %Z}"
    if one.ended_at:
        text += f", took {(one.ended_at - one.started_at).total_seconds():.1f} s"
    if one.landed is not None:
        text += f": landed {many(one.landed, 'file')}"
    if one.rejected:
        text += f", rejected {one.rejected:,}"
    if one.build:
        text += f"; build {one.build}"
    return f"{text}; {one.message}" if one.message else text


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows of the database as a table to look at."""
    grid = Table(*columns, title=title, title_justify="left")
    for row in rows:
        grid.add_row(*("" if value is None else str(value) for value in row))
    console = Console(highlight=False)
    with console.capture() as text:
        console.print(grid, markup=False)
    return text.get().rstrip()


def place(environment: Mapping[str, str]) -> str:
    """Which database, in one phrase; never a password."""
    if service := environment.get("PGSERVICE"):
        return f"service {service}"
    host = environment.get("PGHOST") or environment.get("PGHOSTADDR") or "the default host"
    port = "" if host.startswith("/") else f", port {environment.get('PGPORT', '5432')}"
    return f"{environment.get('PGDATABASE', 'default')} on {host}{port}"


def size(size_bytes: float) -> str:
    """Bytes as 363 kB, 1.2 GB."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size_bytes >= 999.5 and len(units) > 1:
        size_bytes /= 1000
        units.pop(0)
    digits = 0 if units[0] == "B" or size_bytes >= 99.95 else 1
    return f"{size_bytes:.{digits}f} {units[0]}"


def many(count: int, one: str, several: str = "") -> str:
    """`1 file`, `1,673 files`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _nulls(count: int) -> str:
    return f"{count:,} NaN→null"


def _complaint(rejected: Outcome | zone.Rejection) -> str:
    detail = f" ({rejected.detail})" if rejected.detail else ""
    return f"{rejected.path}: {rejected.reason}{detail}"
