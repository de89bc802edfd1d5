"""Workers of a push as threads of the tests' process: one of its own takes 0.4 CPU s to start."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection, Pipe
from threading import Thread
from typing import Any

import pytest

from loader import pool, worker


class Here(Thread):
    """Like a process, as far as a pool asks one that does not crash."""

    stdin = None
    returncode = 0

    def __init__(self, pipe: Connection, to: str | None) -> None:
        super().__init__(target=self.land, args=(pipe, to))
        self.start()

    @staticmethod
    def land(pipe: Connection, to: str | None) -> None:
        with pipe:
            worker.serve(pipe, to)

    def wait(self, timeout: float | None = None) -> None:
        self.join(timeout)

    def kill(self) -> None:
        """Its pipe is closed by now: it rolls back at its next message."""


def start(environment: Mapping[str, str], to: str | None) -> Any:
    ours, theirs = Pipe()
    return pool._Worker(Here(theirs, to), ours)  # type: ignore[arg-type]


@contextmanager
def workers_here() -> Iterator[None]:
    """Meanwhile; what tests of crashes, signals and memory start is as users have it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "_start_worker", start)
        yield
