"""Many files into `raw`: which are new, and the pool of workers that lands them."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from loader import files
from loader.outcome import FileOnDisk, Limits, Listener, Outcome, Summary
from loader.pool import Job, WorkerPool
from loader.raw import place, zone
from loader.server import database


def push(
    paths: Iterable[Path],
    limits: Limits,
    listener: Listener,
    stop: Callable[[], int] = lambda: 0,
    *,
    to: str | None = None,
    follow_symlinks: bool = False,
    retry_rejected: bool = False,
) -> Summary:
    """Land every new file under `paths`; with `retry_rejected` those turned away count as new.

    They land in PostgreSQL or, for Spark, in the folder or bucket `to`.

    `stop` is asked again and again whether to end: at 1 the files at work are finished and no
    others begun, from 2 on they are rolled back. Raises FileNotFoundError for a path that does not
    exist, DatabaseUnavailable and store.Unavailable; what is lost on the way the summary tells.
    """
    started = time.monotonic()
    paths = list(paths)
    left: list[Outcome] = []

    def leave(file: Path, reason: str) -> None:
        left.append(Outcome.skipped(FileOnDisk.at(file), reason))

    sought = files.find(paths, follow_symlinks=follow_symlinks, leave=leave)
    found = [FileOnDisk.at(file) for file in sought]
    environment = {**os.environ, **({} if to else database.connection_environment())}
    summary = Summary(left)
    with place.opened(to, make=True) as raw:
        known = raw.known(found)
        if gone := list(_gone(paths, found, known)):
            raw.forget(gone)
        if retry_rejected:
            known = {path: entry for path, entry in known.items() if not entry.reason}
        fresh = list(_fresh(found, known, summary))
        ids = raw.draw_ids(len(fresh)) if fresh else []
    if fresh:
        listener.begins(len(fresh), sum(one.size_bytes for one in fresh))
        queue = deque(Job(*one, limits.settle) for one in zip(fresh, ids, strict=True))
        WorkerPool(queue, limits, environment, listener, stop, summary, to).run()
    summary.outcomes.sort(key=lambda one: one.path)
    summary.seconds = round(time.monotonic() - started, 3)
    return summary


def _fresh(
    found: Iterable[FileOnDisk], known: dict[str, zone.Known], summary: Summary
) -> Iterator[FileOnDisk]:
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
    paths: Iterable[Path], found: Iterable[FileOnDisk], known: dict[str, zone.Known]
) -> Iterator[str]:
    """The files turned away from where we look now that are there no more."""
    folders = tuple(os.path.join(os.path.abspath(path), "") for path in paths)  # noqa: PTH100, PTH118
    rejected = {path for path, entry in known.items() if entry.reason}
    for path in rejected - {one.path for one in found}:
        if path.startswith(folders) and not Path(path).is_file():
            yield path
