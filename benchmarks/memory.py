"""How much memory processes take at most, looked at every 50 ms.

What counts is a process's private memory: on Linux its resident set less what it shares with others
(files and PostgreSQL's shared buffers; /proc/PID/statm, which costs next to nothing to read),
elsewhere its unique set (USS).
"""

import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

EVERY = 0.05  # s
_LOOK_AROUND = 4  # new processes are looked for at every fourth sample: that costs ten times more


def private(process: psutil.Process) -> int:
    """Bytes of private memory; 0 for a process that is gone."""
    with suppress(psutil.Error):
        if psutil.LINUX:
            memory = process.memory_info()
            return int(memory.rss - memory.shared)
        return int(process.memory_full_info().uss)
    return 0


@dataclass
class Peaks:
    """Highest bytes seen; `backend` is None where the server cannot be looked at from here."""

    loader: int = 0  # the command and its workers together
    process: int = 0  # the largest one of them
    backend: int | None = None  # the largest server process


class Watch:
    """While it is open, looks at processes and their descendants, and at a server's backends."""

    def __init__(self, commands: Iterable[int], postmaster: int | None) -> None:
        """Both as process ids."""
        self._commands = list(commands)
        self._postmaster = postmaster
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peaks = Peaks(backend=None if postmaster is None else 0)

    def __enter__(self) -> Self:
        """Begin to look."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        sample = 0
        while True:
            if sample % _LOOK_AROUND == 0:
                commands = [one for pid in self._commands for one in _family(pid)]
                backends = _family(self._postmaster)[1:] if self._postmaster else []
            self._note([private(one) for one in commands], [private(one) for one in backends])
            sample += 1
            if self._done.wait(EVERY):
                return

    def _note(self, commands: list[int], backends: list[int]) -> None:
        peaks = self.peaks
        peaks.loader = max(peaks.loader, sum(commands))
        peaks.process = max(peaks.process, *commands, 0)
        if peaks.backend is not None:
            peaks.backend = max(peaks.backend, *backends, 0)


def _family(pid: int) -> list[psutil.Process]:
    """A process and what descends from it; nothing where it is gone."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []
