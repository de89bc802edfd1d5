"""One run from start to exit code: on record, files pushed, tables built, signals heeded.

Needs no terminal: what it has to say goes to an `Output`, what went wrong is raised.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import psycopg

from loader import dbt, files, push, spark
from loader.outcome import NO_DATABASE, REJECTED, Build, Limits, Listener, Run, Summary
from loader.raw import runs
from loader.raw.parquet import Folder
from loader.raw.store import Unavailable
from loader.raw.zone import Zone
from loader.server import database

_FILES = ("finishing the files begun; once more rolls them back", "rolling back the files begun")
_BUILD = ("finishing the build; once more breaks it off", "breaking off the build")
_AWAY = "PostgreSQL does not answer: trying again for {:.0f} s"
_WAITING = "another build is going on: waiting for its end"


class Output(Protocol):
    """What a run is told to: see `loader.output` for the forms there are."""

    @property
    def dbt_arguments(self) -> Sequence[str]:
        """More arguments for dbt."""

    @property
    def dbt_output(self) -> int | None:
        """Where dbt's own words go, as subprocess takes it."""

    def building(
        self, engine: spark.Engine
    ) -> AbstractContextManager[Callable[[str], None] | None]:
        """Who takes dbt's log line by line, as JSON; None where dbt is to speak for itself."""

    def listener(self) -> AbstractContextManager[Listener]:
        """Who is told how the push goes on."""

    def pushed(self, summary: Summary) -> None:
        """The push is over."""

    def built(self, engine: spark.Engine, outcome: Build, seconds: float) -> None:
        """The build is over."""

    def ended(self, summary: Summary, run: Run) -> None:
        """The run is over."""

    def note(self, text: str) -> None:
        """Something beside the run itself, such as what is waited for."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code, what the push did, and what went wrong, if anything."""

    exit_code: int
    summary: Summary
    message: str = ""


def run(
    paths: Iterable[Path],
    limits: Limits,
    output: Output,
    *,
    to: str | None = None,
    build: bool = False,
    **which: bool,
) -> Ended:
    """Push, then build where files are new; `to` and `which` as `push.push` takes them.

    Raises FileNotFoundError for a path that is not there, before anything is on record;
    runs.Busy where it is to `build` and another run on the database is going on;
    DatabaseUnavailable, psycopg.Error and store.Unavailable.
    """
    paths = list(paths)
    files.check(paths)
    stop = Stop(output.note)
    with stop, _opened(to, output) as goal, goal.recorded(alone=build) as record:
        with output.listener() as listener:
            summary = push.push(paths, limits, listener, stop, to=to, **which)
        record.note(summary)
        output.pushed(summary)
        goal.pushed(summary)
        if build and not (summary.lost or stop.signal):
            _build_if_due(goal, record, stop)
        code = _conclude(goal, record, summary, stop)
    output.ended(summary, record)
    if not (to or stop.signal):
        _leave_profile()
    return Ended(code, summary, record.message if summary.lost else "")


def build(arguments: Sequence[str], output: Output) -> int:
    """Build the tables, by `dbt build` with more `arguments`; gives dbt's exit code.

    Waits for another build's end. Raises DatabaseUnavailable, psycopg.Error, OSError.
    """
    with database.connect(autocommit=True) as connection:
        Zone(connection).prepare()
        runs.wait_to_build(connection, lambda: output.note(_WAITING))
        return _build(connection, arguments, output)


def build_on_spark(
    landing: str, arguments: Sequence[str], output: Output, stop: Stop | None = None
) -> int:
    """Build the tables of a landing on Spark, as `build` does; gives dbt's exit code.

    Raises store.Unavailable, OSError; ValueError for arguments that are not dbt's.
    """
    started = time.monotonic()
    engine = spark.find(landing)
    dbt.check_seeds(dbt.project() / "seeds")
    with output.building(engine) as log:
        words = [*output.dbt_arguments, *arguments]
        code = spark.build(engine, words, stop=stop, stdout=output.dbt_output, log=log)
    if not (code and stop and stop() > 1):
        output.built(engine, "failed" if code else "succeeded", time.monotonic() - started)
    return code


class Stop:
    """Signals during a run: counted, not obeyed at once, as soon as work has begun."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` is told what happens now, once a signal."""
        self.signal = 0
        self.messages = _FILES
        self._say = say
        self._count = 0
        self._told = 0
        self._working = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        """Catch SIGINT and SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave them to whoever had them; a signal before work had begun ends the process."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is KeyboardInterrupt:
            raise SystemExit(128 + self.signal)

    def __call__(self) -> int:
        """How many there were; the first time one is seen, the user is told what happens."""
        self._working = True
        if self._count > self._told:
            self._told = self._count
            self._say(self.messages[0 if self._count == 1 else 1])
        return self._count

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._count += 1
        if not self._working:
            raise KeyboardInterrupt  # on which psycopg cancels what it waits for


@dataclass(frozen=True)
class _Database:
    """A run into PostgreSQL: on record there, its tables built there."""

    connection: psycopg.Connection
    output: Output
    name: str = "the database"

    def recorded(self, *, alone: bool) -> AbstractContextManager[Run]:
        return runs.recorded(self.connection, alone=alone)

    def pushed(self, summary: Summary) -> None:
        """What has landed can be read as it is."""

    def build_due(self) -> bool:
        return runs.build_due(self.connection)

    def build(self, record: Run, stop: Stop) -> int | None:
        """dbt's exit code; None where it was stopped before it began."""
        if not runs.wait_to_build(self.connection, lambda: self.output.note(_WAITING), stop):
            return None
        runs.note_build(self.connection, record)
        return _build(self.connection, (), self.output, stop)


@dataclass
class _Landing:
    """A run into a folder or bucket for Spark; others may go on at the same time."""

    folder: Folder
    place: str
    output: Output
    name: str = "the folder"
    _version: int | None = None

    @contextmanager
    def recorded(self, *, alone: bool) -> Iterator[Run]:
        run = Run(len(self.folder.runs()) + 1, datetime.now(UTC))
        try:
            yield run
        except Unavailable as error:
            run.message = str(error)
            raise
        finally:
            run.ended_at = datetime.now(UTC)
            if self._version is not None:
                self.folder.note_run(run, self._version)
                self.folder.fold()

    def pushed(self, summary: Summary) -> None:
        """What has landed is folded into the tables that a build reads."""
        if not summary.lost:
            self.folder.fold()
            self._version = self.folder.version()

    def build_due(self) -> bool:
        return self.folder.build_due()

    def build(self, record: Run, stop: Stop) -> int:
        return build_on_spark(self.place, (), self.output, stop)


@contextmanager
def _opened(to: str | None, output: Output) -> Iterator[_Database | _Landing]:
    """Where a run goes; a server that starts up is waited for, for it may have begun by itself."""
    if to is not None:
        yield _Landing(Folder(to, make=True), to, output)
        return
    database.await_server(lambda seconds: output.note(_AWAY.format(seconds)))
    with database.connect(autocommit=True) as connection:
        Zone(connection).prepare()
        yield _Database(connection, output)


def _build_if_due(goal: _Database | _Landing, record: Run, stop: Stop) -> None:
    """Notes what became of the build; nothing where it was broken off."""
    if not goal.build_due():
        record.build = "not needed"
        return
    stop.messages = _BUILD
    code = None if stop() else goal.build(record, stop)
    if code is not None and (not code or stop() < 2):
        record.build = "failed" if code else "succeeded"


def _build(
    connection: psycopg.Connection,
    arguments: Sequence[str],
    output: Output,
    stop: Stop | None = None,
) -> int:
    started = time.monotonic()
    database.require_temporary_tables(connection)
    dbt.check_seeds(dbt.project() / "seeds")
    with output.building(connection) as log:
        code = dbt.build(
            [*output.dbt_arguments, *arguments],
            environment=database.environment_of_dbt(connection),
            lock=connection.fileno(),
            stop=stop,
            stdout=output.dbt_output,
            log=log,
        )
    if not (code and stop and stop() > 1):
        output.built(connection, "failed" if code else "succeeded", time.monotonic() - started)
    return code


def _conclude(goal: _Database | _Landing, record: Run, summary: Summary, stop: Stop) -> int:
    """Note how the run went; gives the exit code."""
    if summary.lost:
        record.message = f"{goal.name} was lost: {summary.lost}"
    if stop.signal and record.build is None:
        record.outcome = "interrupted"
        return 128 + stop.signal
    if summary.lost:
        return NO_DATABASE
    if record.build == "failed":
        record.message = "dbt build failed"
        return REJECTED
    record.outcome = "succeeded"
    return REJECTED if summary.count("rejected") else 0


def _leave_profile() -> None:
    """After a push a bare `dbt build` finds the same server, or the one that PG* name."""
    with suppress(OSError):  # a convenience: `loader build` works without
        dbt.write_profile(database.connection_environment())
