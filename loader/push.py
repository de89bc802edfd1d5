"""Many files into `raw`: which are new, who lands them, within which memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path

import psycopg

from loader import files
from loader.raw import zone
from loader.raw.land import Outcome, reject
from loader.server import allocator, database
from loader.worker import Lost, Message, Progress, Ready, Task

MEMORY_FACTOR = 8
"""Bytes of memory, of worker and server together, that one byte of JSON takes to land (7.4)."""

LINK = "a symbolic link, not followed without --follow-symlinks"
UNSETTLED = "still being written: left to the next push"
"""Why a file is skipped that is not in."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORKER = [sys.executable, "-P", "-c", "from loader import worker; worker.main()"]
_DYING = 10.0  # seconds a worker may take from closing its socket to its end
_POLL = 0.1  # seconds between two questions whether to stop


class Listener:
    """Told how a push goes on; does nothing of itself."""

    def begins(self, files: int, size_bytes: int) -> None:
        """So many files are to be read, of that size on disk in bytes."""

    def progresses(self, size_bytes: float) -> None:
        """So many bytes of them are done, files in hand included."""

    def ends(self, outcome: Outcome) -> None:
        """A file that had to be read is done."""


@dataclass
class Summary:
    """What a push did; `unfinished` files were found but not brought to an end."""

    outcomes: list[Outcome] = field(default_factory=list)
    unfinished: int = 0
    seconds: float = 0.0
    lost: str | None = None

    def count(self, outcome: str) -> int:
        """How many files were landed, skipped or rejected."""
        return sum(one.outcome == outcome for one in self.outcomes)

    @property
    def landed_bytes(self) -> int:
        """Size on disk of the files landed."""
        return sum(one.size_bytes for one in self.outcomes if one.outcome == "landed")


@dataclass(frozen=True)
class Limits:
    """How many workers; in bytes, decompressed: the part size, the memory, the largest file.

    A file has settled when it has not changed for `settle` seconds.
    """

    jobs: int
    part_size: int
    max_memory: int
    max_file_size: int = files.LARGEST
    settle: float = 0.0


def push(  # noqa: PLR0913  each is one thing to know
    paths: Iterable[Path],
    limits: Limits,
    listener: Listener,
    stop: Callable[[], int] = lambda: 0,
    *,
    follow_symlinks: bool = False,
    retry_rejected: bool = False,
) -> Summary:
    """Land every new file under `paths`; with `retry_rejected` those turned away count as new.

    `stop` is asked again and again whether to end: at 1 the files in hand are finished and no
    others begun, from 2 on they are rolled back. Raises FileNotFoundError for a path that does not
    exist and DatabaseUnavailable; a database lost on the way is told in the summary.
    """
    started = time.monotonic()
    paths = list(paths)
    links: list[Path] = []
    sought = files.find(paths, follow_symlinks=follow_symlinks, leave=links.append)
    found = [zone.Found.at(file) for file in sought]
    environment = {**os.environ, **database.connection_environment()}
    summary = Summary([Outcome.skipped(zone.Found.at(link), LINK) for link in links])
    with database.connect(autocommit=True) as connection:
        zone.prepare(connection)
        known = zone.known(connection, found)
        if gone := list(_gone(paths, found, known)):
            zone.forget(connection, gone)
        if retry_rejected:
            known = {path: entry for path, entry in known.items() if not entry.reason}
        fresh = list(_fresh(found, known, summary))
        ids = zone.draw_ids(connection, len(fresh)) if fresh else []
    if fresh:
        listener.begins(len(fresh), sum(one.size_bytes for one in fresh))
        queue = deque(_Job(*one, limits.settle) for one in zip(fresh, ids, strict=True))
        _Crew(queue, limits, environment, listener, stop, summary).work()
    summary.outcomes.sort(key=lambda one: one.path)
    summary.seconds = round(time.monotonic() - started, 3)
    return summary


def _fresh(
    found: Iterable[zone.Found], known: dict[str, zone.Known], summary: Summary
) -> Iterator[zone.Found]:
    """The files to be read; the others are noted as skipped."""
    for one in found:
        entry = known.get(one.path)
        if entry is None or not entry.still_holds(one):
            yield one
        elif entry.reason:
            summary.outcomes.append(Outcome.known_rejected(one, entry.reason))
        else:
            reason = "unchanged since it landed"
            summary.outcomes.append(Outcome.skipped(one, reason, entry.file_id))


def _gone(
    paths: Iterable[Path], found: Iterable[zone.Found], known: dict[str, zone.Known]
) -> Iterator[str]:
    """The files turned away from where we look now that are there no more."""
    folders = tuple(os.path.join(os.path.abspath(path), "") for path in paths)  # noqa: PTH100, PTH118
    rejected = {path for path, entry in known.items() if entry.reason}
    for path in rejected - {one.path for one in found}:
        if path.startswith(folders) and not Path(path).is_file():
            yield path


@dataclass
class _Job:
    """One file to land, and how far it got."""

    found: zone.Found
    file_id: int
    settle: float
    share: float = 0.0
    crashed: bool = False

    def __post_init__(self) -> None:
        """A file that changed lately is looked at again when it should have settled."""
        age = time.time() - self.found.modified_at.timestamp()
        wait = min(self.settle, self.settle - age)  # whatever a time stamp in the future says
        self.looked_at_again = time.monotonic() + wait if wait > 0 else None

    @property
    def waits(self) -> bool:
        """Whether it is too early to tell if the file has settled."""
        return self.looked_at_again is not None and self.looked_at_again > time.monotonic()

    @property
    def changes(self) -> bool:
        """Whether the file has changed since it was found, now that it should have settled."""
        return self.looked_at_again is not None and zone.Found.at(self.found.file) != self.found

    @cached_property
    def memory(self) -> int:
        """Bytes needed to land it."""
        return MEMORY_FACTOR * _unpacked_size(self.found)


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection
    job: _Job | None = None
    ready: bool = False

    def give(self, job: _Job, limits: Limits) -> None:
        self.job = job
        task = Task(job.found.file, job.file_id, limits.part_size, limits.max_file_size)
        with suppress(BrokenPipeError):  # its death is heard of when it is listened to
            self.pipe.send(task)


@dataclass
class _Crew:
    """Workers on a queue of files. A dead one costs its file one more try, alone, and no more."""

    queue: deque[_Job]
    limits: Limits
    environment: dict[str, str]
    listener: Listener
    stop: Callable[[], int]
    summary: Summary
    workers: list[_Worker] = field(default_factory=list)
    done_bytes: int = 0

    def work(self) -> None:
        try:
            while self._in_hand() or (self.queue and not self._stopping()):
                if self._stopping() > 1:
                    break
                if not self._stopping():
                    self._hand_out()
                for worker in self._heard():
                    self._hear(worker)
        finally:
            self.summary.unfinished = len(self.queue) + len(self._in_hand())
            for worker in list(self.workers):
                self._dismiss(worker)

    def _stopping(self) -> int:
        return max(self.stop(), 1 if self.summary.lost else 0)

    def _in_hand(self) -> list[_Job]:
        return [worker.job for worker in self.workers if worker.job]

    def _hand_out(self) -> None:
        """Give out files in order, as far as they have settled and there are workers and memory."""
        while (job := self._next()) and self._fits(job):
            worker = next((one for one in self.workers if one.job is None), None)
            if worker is None:
                if len(self.workers) >= self.limits.jobs:
                    return
                worker = _hire(self.environment)
                self.workers.append(worker)
            self.queue.remove(job)
            worker.give(job, self.limits)

    def _next(self) -> _Job | None:
        while job := next((one for one in self.queue if not one.waits), None):
            if not job.changes:
                return job
            self.queue.remove(job)
            self._end(Outcome.skipped(job.found, UNSETTLED))
        return None

    def _fits(self, job: _Job) -> bool:
        others = self._in_hand()
        if not others:
            return True
        if job.crashed or any(one.crashed for one in others):
            return False
        return job.memory + sum(one.memory for one in others) <= self.limits.max_memory

    def _heard(self) -> list[_Worker]:
        pipes = wait([worker.pipe for worker in self.workers], timeout=_POLL)
        return [worker for worker in self.workers if worker.pipe in pipes]

    def _hear(self, worker: _Worker) -> None:
        try:
            message: Message = worker.pipe.recv()
        except (EOFError, OSError):
            self._died(worker)
            return
        match message:
            case Ready():
                worker.ready = True
            case Lost(reason):
                self.summary.lost = reason
                self._give_back(worker)
            case Progress(share) if worker.job:
                worker.job.share = share
            case Outcome():
                worker.job = None
                self._end(message)
        in_hand = sum(job.share * job.found.size_bytes for job in self._in_hand())
        self.listener.progresses(self.done_bytes + in_hand)

    def _end(self, outcome: Outcome) -> None:
        self.done_bytes += outcome.size_bytes
        self.summary.outcomes.append(outcome)
        self.listener.ends(outcome)

    def _died(self, worker: _Worker) -> None:
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(timeout=_DYING)  # for its exit code
        job = self._give_back(worker)
        code = worker.process.returncode
        if not worker.ready:
            self.summary.lost = f"a worker could not be started (exit code {code})"
        elif job and job.crashed:
            self._reject(job, code)
        elif job:
            job.crashed = True

    def _give_back(self, worker: _Worker) -> _Job | None:
        """The file a worker had in hand goes back to the head of the queue."""
        self._dismiss(worker)
        if worker.job:
            worker.job.share = 0.0
            self.queue.appendleft(worker.job)
        return worker.job

    def _reject(self, job: _Job, code: int) -> None:
        reason = "crashed the reader"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        detail = (
            f"the process that read it died twice ({how}), the second time with no other at work; "
            "if memory was short, touch the file to have it tried again"
        )
        try:
            with database.connect(autocommit=True) as connection:
                outcome = reject(connection, job.found, reason, detail)
        except (psycopg.Error, database.DatabaseUnavailable) as error:
            self.summary.lost = str(error)
        else:
            self.queue.remove(job)
            self._end(outcome)

    def _dismiss(self, worker: _Worker) -> None:
        """An idle worker ends by itself once nobody talks to it; a busy one is rolled back."""
        self.workers.remove(worker)
        worker.pipe.close()
        if worker.job:
            worker.process.kill()
        worker.process.wait()


def _hire(environment: dict[str, str]) -> _Worker:
    ours, theirs = Pipe()
    with theirs, _signals_blocked():
        process = subprocess.Popen(
            [*_WORKER, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env=allocator.keeping_memory(environment),
            pass_fds=[theirs.fileno()],
        )
    return _Worker(process, ours)


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """A worker inherits this for good: Ctrl-C asks this process, which tells the workers."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _unpacked_size(found: zone.Found) -> int:
    """Bytes of JSON; of a gzip file what its last four bytes say (RFC 1952, ISIZE)."""
    if found.name.endswith(".gz"):
        with suppress(OSError), found.file.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            return max(found.size_bytes, int.from_bytes(file.read(), "little"))
    return found.size_bytes
