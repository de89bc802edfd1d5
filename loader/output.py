"""What a run says: for people, as lines of JSON, as one JSON object.

Text only: the commands in loader/cli print it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from loader.build_log import BuildLog, Progress
from loader.outcome import Listener, Outcome, Run, Summary
from loader.spark import Engine
from loader.tables.status import Extent, extent
from loader.texts import as_json, build_line, line, many, shorten, size, summary_line

Say = Callable[[str], None]


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
    def building(self, engine: Engine) -> Iterator[Callable[[str], None] | None]:
        """Give what reads dbt's log, and shows how far the build is."""
        if self.verbose:
            yield None
            return
        self._before = extent(engine)
        with _build_bar(self.on_terminal) as progress:
            self._log = BuildLog(progress)
            yield self._log.take

    def built(self, engine: Engine, outcome: str, seconds: float) -> None:
        """Say what failed, then what the build came to."""
        if self._log is None:
            self.say(f"build {outcome} in {seconds:.1f} s")
            return
        if outcome == "failed":
            self.say("\n".join(self._log.failures))
        self.say(build_line(outcome, seconds, self._log, self._before, extent(engine)))

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

    def building(self, engine: Engine) -> AbstractContextManager[None]:
        """Leave it to dbt: its log is lines of JSON, too."""
        return nullcontext()

    def built(self, engine: Engine, outcome: str, seconds: float) -> None:
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

    def building(self, engine: Engine) -> AbstractContextManager[None]:
        """Leave it to dbt."""
        return nullcontext()

    def built(self, engine: Engine, outcome: str, seconds: float) -> None:
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
