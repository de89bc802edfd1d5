"""Workers, each a process, on a queue of files: dispatched in order, within a memory budget."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection, Pipe, wait

import psycopg

from loader.messages import Lost, Message, Progress, Ready, Task
from loader.outcome import FileOnDisk, Limits, Listener, Outcome, Summary
from loader.raw import place
from loader.raw.store import Unavailable
from loader.server import allocator, database

MEMORY_FACTOR = 4
"""Bytes of memory, of worker and server together, to land one byte of JSON; measured 2.7 with files
of 137 MB, 4.2 where all numbers are of a digit or two."""

UNSETTLED = "still being written: left to the next push"
"""Why a file that goes on changing is skipped."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORKER = [sys.executable, "-P", "-c", "from loader import worker; worker.main()"]
_DYING = 10.0  # seconds a worker may take from closing its socket to its end
_POLL = 0.1  # seconds between two questions whether to stop


@dataclass
class Job:
    """One file to land, and how far it got."""

    found: FileOnDisk
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
        return self.looked_at_again is not None and FileOnDisk.at(self.found.file) != self.found

    @cached_property
    def memory(self) -> int:
        """Bytes needed to land it."""
        return MEMORY_FACTOR * _unpacked_size(self.found)


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    pipe: Connection
    job: Job | None = None
    ready: bool = False

    def start(self, job: Job, limits: Limits) -> None:
        self.job = job
        task = Task(job.found.file, job.file_id, limits.part_size, limits.max_file_size)
        with suppress(BrokenPipeError):  # its death is noticed when its messages are read
            self.pipe.send(task)


@dataclass
class WorkerPool:
    """Workers on a queue of files. A dead one costs its file one more try, alone, and no more."""

    queue: deque[Job]
    limits: Limits
    environment: dict[str, str]
    listener: Listener
    stop: Callable[[], int]
    summary: Summary
    to: str | None = None
    workers: list[_Worker] = field(default_factory=list)
    done_bytes: int = 0

    def run(self) -> None:
        """Land the queue; `stop` and the summary are those of `loader.push.push`."""
        try:
            while self._active() or (self.queue and not self._stopping()):
                if self._stopping() > 1:
                    break
                if not self._stopping():
                    self._dispatch()
                for worker in self._with_messages():
                    self._handle(worker)
        finally:
            self.summary.unfinished = len(self.queue) + len(self._active())
            for worker in list(self.workers):
                self._stop_worker(worker)

    def _stopping(self) -> int:
        return max(self.stop(), 1 if self.summary.lost else 0)

    def _active(self) -> list[Job]:
        return [worker.job for worker in self.workers if worker.job]

    def _dispatch(self) -> None:
        """Start files in order, as far as they have settled and there are workers and memory."""
        while (job := self._next()) and self._fits(job):
            worker = next((one for one in self.workers if one.job is None), None)
            if worker is None:
                if len(self.workers) >= self.limits.jobs:
                    return
                worker = _start_worker(self.environment, self.to)
                self.workers.append(worker)
            self.queue.remove(job)
            worker.start(job, self.limits)

    def _next(self) -> Job | None:
        while job := next((one for one in self.queue if not one.waits), None):
            if not job.changes:
                return job
            self.queue.remove(job)
            self._end(Outcome.skipped(job.found, UNSETTLED))
        return None

    def _fits(self, job: Job) -> bool:
        others = self._active()
        if not others:
            return True
        if job.crashed or any(one.crashed for one in others):
            return False
        return job.memory + sum(one.memory for one in others) <= self.limits.max_memory

    def _with_messages(self) -> list[_Worker]:
        pipes = wait([worker.pipe for worker in self.workers], timeout=_POLL)
        return [worker for worker in self.workers if worker.pipe in pipes]

    def _handle(self, worker: _Worker) -> None:
        try:
            message: Message = worker.pipe.recv()
        except (EOFError, OSError):
            self._handle_death(worker)
            return
        match message:
            case Ready():
                worker.ready = True
            case Lost(reason):
                self.summary.lost = reason
                self._requeue(worker)
            case Progress(share) if worker.job:
                worker.job.share = share
            case Outcome():
                worker.job = None
                self._end(message)
        active = sum(job.share * job.found.size_bytes for job in self._active())
        self.listener.progresses(self.done_bytes + active)

    def _end(self, outcome: Outcome) -> None:
        self.done_bytes += outcome.size_bytes
        self.summary.outcomes.append(outcome)
        self.listener.ends(outcome)

    def _handle_death(self, worker: _Worker) -> None:
        with suppress(subprocess.TimeoutExpired):
            worker.process.wait(timeout=_DYING)  # for its exit code
        job = self._requeue(worker)
        code = worker.process.returncode
        if not worker.ready:
            self.summary.lost = f"a worker could not be started (exit code {code})"
        elif job and job.crashed:
            self._reject(job, code)
        elif job:
            job.crashed = True

    def _requeue(self, worker: _Worker) -> Job | None:
        """Stop a worker; its file goes back to the head of the queue."""
        self._stop_worker(worker)
        if worker.job:
            worker.job.share = 0.0
            self.queue.appendleft(worker.job)
        return worker.job

    def _reject(self, job: Job, code: int) -> None:
        reason = "crashed the reader"
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        detail = (
            f"the process that read it died twice ({how}), the second time with no other at work; "
            "if memory was short, touch the file to have it tried again"
        )
        try:
            with place.opened(self.to) as raw:
                outcome = place.reject(raw, job.found, reason, detail)
        except (psycopg.Error, database.DatabaseUnavailable, Unavailable) as error:
            self.summary.lost = str(error)
        else:
            self.queue.remove(job)
            self._end(outcome)

    def _stop_worker(self, worker: _Worker) -> None:
        """An idle worker ends by itself once its pipe closes; a busy one is rolled back."""
        self.workers.remove(worker)
        worker.pipe.close()
        if worker.job:
            worker.process.kill()
        worker.process.wait()
        if worker.process.stdin:
            worker.process.stdin.close()


def _start_worker(environment: dict[str, str], to: str | None) -> _Worker:
    ours, theirs = Pipe()
    with theirs, _signals_blocked():
        process = subprocess.Popen(
            [*_WORKER, str(theirs.fileno()), *([to] if to else [])],
            stdin=subprocess.PIPE,  # closes when this process is gone, however it went
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


def _unpacked_size(found: FileOnDisk) -> int:
    """Bytes of JSON; of a gzip file what its last four bytes say (RFC 1952, ISIZE)."""
    if found.name.endswith(".gz"):
        with suppress(OSError), found.file.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            return max(found.size_bytes, int.from_bytes(file.read(), "little"))
    return found.size_bytes
