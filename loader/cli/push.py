"""Commands that land files: `loader init` and `loader push`."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loader.cli.common import (
    Json,
    To,
    database_errors,
    fail,
    file_errors,
    note,
    opened,
    parse_size,
    say,
)

if TYPE_CHECKING:
    from loader.outcome import Limits, Summary
    from loader.output import RunOutput

app = typer.Typer()

SMALLEST_PART, LARGEST_PART = 2**20, 192 * 2**20
"""Bytes. PostgreSQL holds no JSON array or object beyond 256 MiB, and a number may take more room
there than in the file."""

DEFAULT_PART = "32MiB"
LARGEST_FILE = "4GiB"

_GRANT = """\
roles are there; in psql, grant them to those who log in:
  grant battery_loader to NAME;         may push
  grant battery_transformer to NAME;    may build, after:
  alter role NAME set role to battery_transformer;
  grant battery_reader to NAME;         may read the published tables"""

Paths = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH",
        show_default=False,
        help="Files, or folders to search for *.json and *.json.gz.",
    ),
]


class LogFormat(StrEnum):
    """How a push tells what it does."""

    TEXT = "text"
    JSON = "json"


def _part_size(text: str) -> int:
    size = parse_size(text)
    if not SMALLEST_PART <= size <= LARGEST_PART:
        raise typer.BadParameter(f"{text!r} is not between 1MiB and 192MiB")
    return size


@app.command(name="push")
def _push(  # noqa: PLR0913, PLR0917  one for each option
    paths: Paths,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            metavar="N",
            help="How many files to work on at once.",
            show_default="one per processor",
        ),
    ] = None,
    part_size: Annotated[
        int,
        typer.Option(
            parser=_part_size,
            metavar="SIZE",
            help="A larger file is stored in several parts of at most this size of JSON; "
            "1MiB to 192MiB.",
        ),
    ] = DEFAULT_PART,  # type: ignore[assignment]  # typer parses defaults too
    max_memory: Annotated[
        int | None,
        typer.Option(
            parser=parse_size,
            metavar="SIZE",
            help="Memory for the files at work, the server's share included. One always goes.",
            show_default="half of the machine's",
        ),
    ] = None,
    max_file_size: Annotated[
        int,
        typer.Option(
            parser=parse_size,
            metavar="SIZE",
            help="A larger file, decompressed, is rejected: a .gz may hold anything.",
        ),
    ] = LARGEST_FILE,  # type: ignore[assignment]
    settle: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="A file that changed in the last SECONDS is waited for; one that goes on changing "
            "is left to the next push. 0: no waiting.",
        ),
    ] = 2,
    follow_symlinks: Annotated[
        bool, typer.Option("--follow-symlinks", help="Follow symbolic links found in folders.")
    ] = False,
    retry_rejected: Annotated[
        bool,
        typer.Option(
            "--retry-rejected", help="Read files again that were rejected, changed or not."
        ),
    ] = False,
    build: Annotated[
        bool,
        typer.Option(
            "--build",
            help="Then build the tables, where files are new or the last build failed. "
            "Where another run on the database is going on, leave it alone.",
        ),
    ] = False,
    to: To = None,
    log_format: Annotated[
        LogFormat,
        typer.Option(help="json: a line of JSON, with its time, for every file and for the run."),
    ] = LogFormat.TEXT,
    as_json: Json = False,
) -> None:
    """Land every new file in the raw zone.

    A file whose path, size and modification time are known is not read; content that is in
    already is not landed twice. A file that cannot be landed is noted with its reason and never
    holds up the others.

    Exit code: 0; 1 some file was newly rejected, or the build failed; 2 wrong usage; 3 no
    database; 130 or 143 ended by a signal (the first lets the files or the build at work finish,
    the second rolls them back).

    \b
    Examples:
      loader push ./data
      loader push ./data --jobs 4 --max-memory 8GiB
      loader push run1.json run2.json.gz --json
      loader push ./data --build --log-format json
      loader push ./data --to s3://bucket/prefix --build
    """
    from loader.output import JsonLinesOutput, JsonOutput, TextOutput

    if as_json and log_format is LogFormat.JSON:
        raise typer.BadParameter("give --json or --log-format json, not both")
    output: RunOutput = TextOutput(say, note, sys.stdout.isatty())
    if as_json:
        output = JsonOutput(say, note)
    elif log_format is LogFormat.JSON:
        output = JsonLinesOutput(say)
    summary = land(
        paths,
        output,
        _limits(jobs, part_size, max_memory, max_file_size, settle),
        to=to,
        build=build,
        follow_symlinks=follow_symlinks,
        retry_rejected=retry_rejected,
    )
    if summary.count("landed") and sys.stdout.isatty() and not (as_json or build):
        print(f"next: loader build --to {shlex.quote(to)}" if to else "next: loader build")


@app.command(name="init")
def _init(
    with_roles: Annotated[
        bool,
        typer.Option(
            "--roles",
            help="Create battery_loader, battery_transformer and battery_reader, to be granted.",
        ),
    ] = False,
) -> None:
    """Lay out the raw zone, and create roles that may do no more than they must.

    Push does the first by itself where it may. Run it again after an upgrade.

    \b
    Examples:
      loader init
      loader init --roles && psql -c 'grant battery_reader to ada'
    """
    from loader.raw import roles

    with opened() as zone:
        print("schema raw is laid out")
        if with_roles:
            roles.create(zone.connection)
            print(_GRANT)


def land(
    paths: Iterable[Path],
    output: RunOutput,
    limits: Limits | None = None,
    to: str | None = None,
    **which: bool,
) -> Summary:
    """Run a push; leaves with an exit code unless all went well. `which` as `run.run` takes it."""
    from loader import run
    from loader.raw import runs

    try:
        with database_errors(output.fail), file_errors(output.fail):
            ended = run.run(paths, limits or _limits(), output, to=to, **which)
    except runs.Busy as busy:
        output.note(str(busy))
        raise typer.Exit from None
    if ended.message:
        fail(ended.message, ended.exit_code, output.fail)
    if ended.exit_code:
        raise typer.Exit(ended.exit_code)
    return ended.summary


def _limits(
    jobs: int | None = None,
    part_size: int = parse_size(DEFAULT_PART),
    max_memory: int | None = None,
    max_file_size: int = parse_size(LARGEST_FILE),
    settle: float = 0,
) -> Limits:
    from loader.outcome import Limits

    return Limits(
        jobs=jobs or _processors(),
        part_size=part_size,
        max_memory=max_memory or _half_of_memory(),
        max_file_size=max_file_size,
        settle=settle,
    )


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _half_of_memory() -> int:
    from loader import memory

    return memory.total() // 2
