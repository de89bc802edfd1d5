"""What is said, and how it looks: for people, as lines of JSON, as one JSON object.

Text only: the commands in loader/cli print it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from loader.build_log import BuildLog, Progress
from loader.outcome import Listener, Outcome, Rejection, Run, Summary
from loader.raw.verify import Checked
from loader.tables.prune import Superseded
from loader.tables.status import Build, Extent, Status, extent

Say = Callable[[str], None]

_SHOWN = 10  # rejected files in a status


@dataclass
class TextOutput:
    """What a run says, for people: a progress bar on a terminal, a line a file elsewhere.

    Of a build one line, and what failed; all that dbt says where it is `verbose`.
    """

    say: Say
    note: Say
    on_terminal: bool = False
    verbose: bool = False
    dbt_arguments: Sequence[str] = ()
    dbt_output: int | None = None
    _log: BuildLog | None = None
    _before: Extent = field(default_factory=Extent)

    def listener(self) -> AbstractContextManager[Listener]:
        """Give the bar, or what makes a line a file."""
        return bar() if self.on_terminal else nullcontext(_Lines(self.say))

    def pushed(self, summary: Summary) -> None:
        """Sum the push up."""
        self.say(summary_line(summary))

    @contextmanager
    def building(self, connection: psycopg.Connection) -> Iterator[Callable[[str], None] | None]:
        """Give what reads dbt's log, and shows how far the build is."""
        if self.verbose:
            yield None
            return
        self._before = extent(connection)
        with _build_bar(self.on_terminal) as progress:
            self._log = BuildLog(progress)
            yield self._log.take

    def built(self, connection: psycopg.Connection, outcome: str, seconds: float) -> None:
        """Say what failed, then what the build came to."""
        if self._log is None:
            self.say(f"build {outcome} in {seconds:.1f} s")
            return
        if outcome == "failed":
            self.say("\n".join(self._log.failures))
        self.say(build_line(outcome, seconds, self._log, self._before, extent(connection)))

    def ended(self, summary: Summary, run: Run) -> None:
        """All has been said."""

    def fail(self, message: str, code: int) -> None:
        """Say what went wrong."""
        self.note(f"loader: {message}")


@dataclass(frozen=True)
class JsonLinesOutput:
    """What a run says, for a log: a line of JSON for whatever happens, as it happens."""

    say: Say
    dbt_arguments: Sequence[str] = ("--log-format", "json", "--log-level", "warn")
    dbt_output: int | None = None

    def listener(self) -> AbstractContextManager[Listener]:
        """Give what makes a line of each file."""
        return nullcontext(_Events(self.event))

    def pushed(self, summary: Summary) -> None:
        """The line at the end tells it."""

    def building(self, connection: psycopg.Connection) -> AbstractContextManager[None]:
        """Leave it to dbt: its log is lines of JSON, too."""
        return nullcontext()

    def built(self, connection: psycopg.Connection, outcome: str, seconds: float) -> None:
        """Say how the build went."""
        self.event("build", outcome=outcome, seconds=round(seconds, 3))

    def ended(self, summary: Summary, run: Run) -> None:
        """Sum the run up."""
        fields = asdict(run)
        del fields["started_at"], fields["ended_at"]
        self.event("run", **fields, seconds=summary.seconds)

    def note(self, text: str) -> None:
        """Say something beside the run itself."""
        self.event("note", message=text)

    def fail(self, message: str, code: int) -> None:
        """Say what went wrong."""
        self.event("error", message=message, exit_code=code)

    def event(self, name: str, /, **fields: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Say what happened just now: its time in UTC, its name, what there is to tell."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.say(as_json({"time": now, "event": name, **fields}))


@dataclass(frozen=True)
class JsonOutput:
    """What a run says, for programs: one JSON object at its end."""

    say: Say
    note: Say
    dbt_arguments: Sequence[str] = ()
    dbt_output: int | None = 2  # dbt's own words go to standard error

    def listener(self) -> AbstractContextManager[Listener]:
        """Give one that says nothing."""
        return nullcontext(Listener())

    def pushed(self, summary: Summary) -> None:
        """Said at the end."""

    def building(self, connection: psycopg.Connection) -> AbstractContextManager[None]:
        """Leave it to dbt."""
        return nullcontext()

    def built(self, connection: psycopg.Connection, outcome: str, seconds: float) -> None:
        """Said at the end."""

    def ended(self, summary: Summary, run: Run) -> None:
        """Sum the run up; sizes in bytes on disk, times in seconds."""
        self.say(
            as_json(
                {
                    "run_id": run.run_id,
                    "build": run.build,
                    "landed": summary.count("landed"),
                    "skipped": summary.count("skipped"),
                    "rejected": summary.count("rejected"),
                    "unfinished": summary.unfinished,
                    "landed_bytes": summary.landed_bytes,
                    "seconds": summary.seconds,
                    "error": summary.lost,
                    "files": summary.outcomes,
                }
            )
        )

    def fail(self, message: str, code: int) -> None:
        """Say what went wrong."""
        self.note(f"loader: {message}")


RunOutput = TextOutput | JsonLinesOutput | JsonOutput


@dataclass(frozen=True)
class _Lines(Listener):
    say: Say

    def ends(self, outcome: Outcome) -> None:
        if outcome.outcome != "skipped":
            self.say(line(outcome))


@dataclass(frozen=True)
class _Events(Listener):
    event: Callable[..., None]

    def ends(self, outcome: Outcome) -> None:
        fields = asdict(outcome)
        self.event(fields.pop("outcome"), **fields)


class _Bar(Listener):
    """A progress bar by bytes; files rejected stay on the screen above it."""

    def __init__(self, progress: Bars) -> None:
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
def bar() -> Iterator[Listener]:
    """A progress bar that is gone from the screen when done."""
    progress = Bars(
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
        yield _Bar(progress)
    finally:
        progress.stop()


@contextmanager
def _build_bar(on_terminal: bool) -> Iterator[Progress]:
    """A progress bar by dbt's steps, gone from the screen when done."""
    columns = TextColumn("[bold]building"), BarColumn(), TextColumn("{task.description}")
    with Bars(*columns, transient=True, disable=not on_terminal) as bars:
        task = bars.add_task("reading the models", total=None)
        yield lambda done, total, name: bars.update(
            task, completed=done, total=total, description=f"{done}/{total} {shorten(name, 40)}"
        )


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


def as_json(value: object) -> str:
    """Any of the loader's data as JSON; times in ISO 8601."""
    return orjson.dumps(value).decode()


def summary_line(done: Summary) -> str:
    """A push in one line."""
    counts = [f"landed {many(done.count('landed'), 'file')}"]
    for word, count in (
        ("skipped", done.count("skipped")),
        ("rejected", done.count("rejected")),
        ("unfinished", done.unfinished),
    ):
        if count:
            counts.append(f"{word} {count:,}")
    if not (done.outcomes or done.unfinished):
        return "nothing to land: no *.json or *.json.gz there"
    landed = done.landed_bytes
    speed = f" ({size(landed)}, {size(landed / done.seconds)}/s)" if landed else ""
    return f"{', '.join(counts)} in {done.seconds:.1f} s{speed}"


def build_line(outcome: str, seconds: float, log: BuildLog, before: Extent, after: Extent) -> str:
    """A build in one line: what there is now, what was added, what the tests said."""
    said = [many(after.batteries or 0, "battery", "batteries")]
    cycles = (after.cycles or 0) - (before.cycles or 0)
    said.append(f"{many(abs(cycles), 'cycle')} {'added' if cycles >= 0 else 'removed'}")
    said.append(f"{many(log.checks, 'check')} passed")
    if log.warnings:
        said.append(f"{many(len(log.warnings), 'warning')}: {', '.join(log.warnings)}")
    return f"build {outcome} in {seconds:.1f} s: {', '.join(said)}"


def status(now: Status, environment: Mapping[str, str], width: int = 10_000) -> str:
    """What the database holds, as a few lines of at most `width` characters."""
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
        *([f"not built {many(now.unbuilt, 'file')}: loader build"] if now.unbuilt else []),
        f"tables    {tables}",
        *_last_build(now.last_build),
        f"last run  {run(now.last_run) if now.last_run else 'none'}",
        f"rejected  {rejected}",
        *(f"  {_complaint(one)}" for one in now.rejections[:_SHOWN]),
    ]
    if len(now.rejections) > _SHOWN:
        lines.append(f"  and {len(now.rejections) - _SHOWN:,} more: loader rejections")
    return "\n".join(shorten(line, width) for line in lines)


def _last_build(build: Build | None) -> list[str]:
    if build is None:
        return []
    said = [f"{build.ended_at.astimezone():%Y-%m-%d %H:%M %Z}", many(build.steps, "step")]
    said += [many(len(build.failed), "failure")] if build.failed else []
    said += [many(len(build.warned), "warning")] if build.warned else []
    return [
        f"built     {', '.join(said)}",
        *(f"  failed  {name}" for name in build.failed),
        *(f"  warned  {name}" for name in build.warned),
    ]


def shorten(text: str, width: int) -> str:
    """The text, its middle left out where it is longer than `width` characters."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def rejections(rejected: Sequence[Rejection]) -> str:
    """The files turned away, a line each."""
    lines = [f"{one.rejected_at:%Y-%m-%d %H:%M}  {_complaint(one)}" for one in rejected]
    return "\n".join(lines) or "none"


def checked(files: Sequence[Checked]) -> str:
    """How landed files compare with those on disk: a line for each that is not the same, a sum."""
    lines = [
        f"{one.verdict:<10}  file {one.file_id}  {one.path}: {one.detail}"
        for one in files
        if one.verdict != "same"
    ]
    same = len(files) - len(lines)
    return "\n".join([*lines, f"{same:,} of {many(len(files), 'file')} as landed"])


def checked_json(files: Sequence[Checked]) -> str:
    """How landed files compare with those on disk, as a JSON array."""
    return as_json([asdict(one) | {"detail": one.detail} for one in files])


def superseded(file: Superseded) -> str:
    """A file that can go, in one line."""
    return (
        f"{file.file_id}  {file.name}  {size(file.size_bytes)}  superseded by {file.superseded_by}"
    )


def run(one: Run) -> str:
    """A run in one line."""
    text = f"{one.outcome or 'going on'}, began {one.started_at:%Y-%m-%d %H:%M %Z}"
    if one.ended_at:
        text += f", {(one.ended_at - one.started_at).total_seconds():.1f} s"
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


def _complaint(rejected: Outcome | Rejection) -> str:
    detail = f" ({rejected.detail})" if rejected.detail else ""
    return f"{rejected.path}: {rejected.reason}{detail}"
