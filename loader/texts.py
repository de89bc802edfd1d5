"""Files, runs and tables as people read them, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from loader.build_log import BuildLog
from loader.outcome import Checked, Outcome, Rejection, Run, Summary
from loader.tables.prune import Superseded
from loader.tables.status import Build, Extent, FolderStatus, Status

_SHOWN = 10  # rejected files in a status


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
    said = []
    if after.batteries is not None:
        cycles = (after.cycles or 0) - (before.cycles or 0)
        said.append(many(after.batteries, "battery", "batteries"))
        said.append(f"{many(abs(cycles), 'cycle')} {'added' if cycles >= 0 else 'removed'}")
    said.append(f"{many(log.checks, 'check')} passed")
    if log.warnings:
        said.append(f"{many(len(log.warnings), 'warning')}: {', '.join(log.warnings)}")
    return f"build {outcome} in {seconds:.1f} s: {', '.join(said)}"


def status(now: Status, environment: Mapping[str, str], width: int = 10_000) -> str:
    """What the database holds, as a few lines of at most `width` characters."""
    tables = "none built yet that you may read"
    if now.mart_bytes is None:
        tables = "locked by another session"
    elif now.batteries is not None:
        tables = f"{many(now.batteries, 'battery', 'batteries')}, {size(now.mart_bytes)}"
    lines = [
        f"database  {place(environment)}",
        f"raw       {_raw(now)}",
        *([f"not built {many(now.unbuilt, 'file')}: loader build"] if now.unbuilt else []),
        f"tables    {tables}",
        *_last_build(now.last_build),
        *_last_run(now),
    ]
    return "\n".join(shorten(line, width) for line in lines)


def folder_status(now: FolderStatus) -> str:
    """What a landing for Spark holds, as a few lines."""
    return "\n".join([f"folder    {now.place}", f"raw       {_raw(now)}", *_last_run(now)])


def _raw(now: Status | FolderStatus) -> str:
    raw = f"{many(now.files, 'file')} in {many(now.parts, 'part')}, {size(now.raw_bytes)}"
    return f"{raw}, {_nulls(now.non_finite)}" if now.non_finite else raw


def _last_run(now: Status | FolderStatus) -> list[str]:
    rejected = many(len(now.rejections), "file") if now.rejections else "none"
    more = len(now.rejections) - _SHOWN
    return [
        f"last run  {run(now.last_run) if now.last_run else 'none'}",
        f"rejected  {rejected}",
        *(f"  {_complaint(one)}" for one in now.rejections[:_SHOWN]),
        *([f"  and {more:,} more: loader rejections"] if more > 0 else []),
    ]


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
    landed = [one for one in files if one.verdict != "left over"]
    same = sum(one.verdict == "same" for one in landed)
    return "\n".join([*lines, f"{same:,} of {many(len(landed), 'file')} as landed"])


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
