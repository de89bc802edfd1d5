"""One run from start to exit code: on record, files pushed, tables built, signals heeded.

Needs no terminal: what it has to say goes to an `Output`, what went wrong is raised.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
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
    build: bool = False,
    **which: bool,
) -> Ended:
    """Push, then build where files are new; `which` as `push.push` takes it.

    Raises FileNotFoundError for a path that is not there, before anything is on record;
    runs.Busy where it is to `build` and another run is going on; DatabaseUnavailable and
    psycopg.Error.
    """
    paths = list(paths)
    files.check(paths)
    stop = Stop(output.note)
    with stop, _connect_patiently(output) as connection:
        Zone(connection).prepare()
        with runs.recorded(connection, alone=build) as record:
            with output.listener() as listener:
                summary = push.push(paths, limits, listener, stop, to=None, **which)
            record.note(summary)
            output.pushed(summary)
            if build and not (summary.lost or stop.signal):
                _build_if_due(connection, record, stop, output)
            code = _conclude(record, summary, stop)
    output.ended(summary, record)
    if not stop.signal:
        _leave_profile()
    return Ended(code, summary, record.message if summary.lost else "")


def land(
    paths: Iterable[Path],
    limits: Limits,
    output: Output,
    to: str,
    *,
    build: bool = False,
    **which: bool,
) -> Ended:
    """Push to a folder or bucket for Spark, then build; `build` and `which` as `run` takes them.

    What is landed is folded into tables at the end, whatever the end. Raises FileNotFoundError for
    a path that is not there; store.Unavailable.
    """
    paths = list(paths)
    files.check(paths)
    stop = Stop(output.note)
    with stop:
        folder = Folder(to, make=True)
        record = Run(len(folder.runs()) + 1, datetime.now(UTC))
        with output.listener() as listener:
            summary = push.push(paths, limits, listener, stop, to=to, **which)
        record.note(summary)
        output.pushed(summary)
        of = None
        try:
            if not summary.lost:
                folder.fold()  # what a build reads
                of = folder.version()
            if build and not (summary.lost or stop.signal):
                _build_landing_if_due(folder, to, record, stop, output)
            code = _conclude(record, summary, stop, "the folder")
        except Unavailable as error:
            record.message = str(error)
            raise
        finally:
            record.ended_at = datetime.now(UTC)
            if not summary.lost:
                folder.note_run(record, of)
                folder.fold()
    output.ended(summary, record)
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


def _connect_patiently(output: Output) -> psycopg.Connection:
    """For what runs by itself: a server that starts up is waited for."""
    database.await_server(lambda seconds: output.note(_AWAY.format(seconds)))
    return database.connect(autocommit=True)


def _build_if_due(connection: psycopg.Connection, record: Run, stop: Stop, output: Output) -> None:
    """Notes what became of the build; nothing where it was broken off."""
    if not runs.build_due(connection):
        record.build = "not needed"
        return
    stop.messages = _BUILD
    if stop() or not runs.wait_to_build(connection, lambda: output.note(_WAITING), stop):
        return
    runs.note_build(connection, record)
    code = _build(connection, (), output, stop)
    if not code or stop() < 2:
        record.build = "failed" if code else "succeeded"


def _build_landing_if_due(folder: Folder, to: str, record: Run, stop: Stop, output: Output) -> None:
    """As `_build_if_due`."""
    if not folder.build_due():
        record.build = "not needed"
        return
    stop.messages = _BUILD
    code = build_on_spark(to, (), output, stop)
    if not code or stop() < 2:
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


def _conclude(record: Run, summary: Summary, stop: Stop, store: str = "the database") -> int:
    """Note how the run went; gives the exit code."""
    if summary.lost:
        record.message = f"{store} was lost: {summary.lost}"
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
