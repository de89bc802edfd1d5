"""The command `loader`: what it takes, what it prints, how it exits.

Imports wait until a command needs them: a push that finds nothing new is over in half a second.
"""
# ruff: noqa: PLC0415  for that reason

from __future__ import annotations

import dataclasses
import functools
import io
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import psycopg

    from loader import push, runs
    from loader.server import embedded

REJECTED, USAGE, NO_DATABASE = 1, 2, 3
"""Exit codes beside 0; a push ended by a signal gives 128 + its number, as a shell does."""

SMALLEST_PART, LARGEST_PART = 2**20, 192 * 2**20
"""Bytes. PostgreSQL holds no JSON array or object beyond 256 MiB, and a number may take more room
there than in the file."""

DEFAULT_PART = "32MiB"
LARGEST_FILE = "4GiB"
REPORT = "report.html"

_UNITS = {unit: 1000**power for power, unit in enumerate(("b", "kb", "mb", "gb", "tb"))}
_UNITS |= {unit: 1024**power for power, unit in enumerate(("", "kib", "mib", "gib", "tib"))}

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_GRANT = """\
roles are there; in psql, grant them to those who log in:
  grant battery_loader to NAME;         may push
  grant battery_transformer to NAME;    may build, after:
  alter role NAME set role to battery_transformer;
  grant battery_reader to NAME;         may read the published tables"""

_FILES_IN_HAND = (
    "finishing the files in hand; once more rolls them back",
    "rolling back the files in hand",
)
_AWAY = "PostgreSQL does not answer: trying again for {:.0f} s"
_WAITING = "another build is going on: waiting for its end"
_BUILD_IN_HAND = ("finishing the build; once more breaks it off", "breaking off the build")

app = typer.Typer(
    name="loader",
    help="Battery-cycling JSON files into PostgreSQL, whole; dbt makes tables of them.",
    epilog="Without PG* variables or DATABASE_URL it starts a PostgreSQL of its own.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
db = typer.Typer(
    name="db",
    help="The PostgreSQL server that comes along.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(db)


def main() -> None:
    """Run the command line; never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name the terminal cannot show
    app()


def parse_size(text: str) -> int:
    """Bytes from `64MiB`, `1.5GiB`, `500MB` or a plain number; raises typer.BadParameter."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(text).lower())
    if not match or match[2] not in _UNITS:
        raise typer.BadParameter(f"{text!r} is no size; write 64MiB, 1GiB, 500MB or plain bytes")
    return int(float(match[1]) * _UNITS[match[2]])


def _part_size(text: str) -> int:
    size = parse_size(text)
    if not SMALLEST_PART <= size <= LARGEST_PART:
        raise typer.BadParameter(f"{text!r} is not between 1MiB and 192MiB")
    return size


def parse_duration(text: str) -> int:
    """Seconds from `90s`, `15m`, `1h` or `2d`; raises typer.BadParameter."""
    match = re.fullmatch(r"\s*(\d+)\s*([smhd])\s*", str(text).lower())
    if not match:
        raise typer.BadParameter(f"{text!r} is no duration; write 90s, 15m, 1h or 2d")
    return int(match[1]) * _SECONDS[match[2]]


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"loader {metadata.version('battery-elt')}")
        raise typer.Exit


@app.callback()
def _loader(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


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


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]


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
            help="Memory for the files in hand, the server's share included. One file always goes.",
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
            "Where another run is going on, leave it alone.",
        ),
    ] = False,
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
    database; 130 or 143 ended by a signal (the first lets the files or the build in hand finish,
    the second rolls them back).

    \b
    Examples:
      loader push ./data
      loader push ./data --jobs 4 --max-memory 8GiB
      loader push run1.json run2.json.gz --json
      loader push ./data --build --log-format json
    """
    if as_json and log_format is LogFormat.JSON:
        raise typer.BadParameter("give --json or --log-format json, not both")
    voice = _Object() if as_json else _Lines() if log_format is LogFormat.JSON else _Text()
    limits = _limits(jobs, part_size, max_memory, max_file_size, settle)
    summary = _run_push(
        paths,
        limits,
        voice,
        build=build,
        follow_symlinks=follow_symlinks,
        retry_rejected=retry_rejected,
    )
    if summary.count("landed") and sys.stdout.isatty() and type(voice) is _Text and not build:
        print("next: loader build")


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
    from loader.raw import roles, zone
    from loader.server import database

    with _database_errors(), database.connect(autocommit=True) as connection:
        zone.prepare(connection)
        print("schema raw is laid out")
        if with_roles:
            roles.create(connection)
            print(_GRANT)


@app.command(name="status")
def _status(
    as_json: Json = False,
    fail_if_older: Annotated[
        int | None,
        typer.Option(
            parser=parse_duration,
            metavar="DURATION",
            help="Exit with 1 where no push succeeded in the last 90s, 15m, 1h, 2d.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what is landed, what is built, what was rejected and how the last push went.

    \b
    Examples:
      loader status
      loader status --json | jq .rejections
      loader status --json --fail-if-older 1h
    """
    from loader import runs, screen
    from loader.raw import zone
    from loader.server import database

    with _database_errors(), database.connect(autocommit=True) as connection:
        zone.prepare(connection)
        status = zone.status(connection)
        fades = [] if as_json or not sys.stdout.isatty() else _fades(connection, status.batteries)
        environment = database.connection_environment()
        age = runs.since_success(connection)
    _say(screen.status_json(status) if as_json else screen.status(status, environment))
    if fades:
        _say("", *fades, sep="\n")
    if fail_if_older is not None and (age is None or age > fail_if_older):
        last = "none ever did" if age is None else f"the last one ended {age:,.0f} s ago"
        _fail(f"no push succeeded in the last {fail_if_older:,} s; {last}", REJECTED)


@app.command(name="rejections")
def _rejections(as_json: Json = False) -> None:
    """List the files that were rejected, with the reason.

    A file is off the list once it has landed or is gone. `loader push --retry-rejected` reads those
    again that are as they were.

    \b
    Examples:
      loader rejections
      loader rejections --json | jq -r '.[].path'
    """
    from loader import screen
    from loader.raw import zone
    from loader.server import database

    with _database_errors(), database.connect(autocommit=True) as connection:
        zone.prepare(connection)
        rejections = zone.rejections(connection)
    print(screen.rejections_json(rejections) if as_json else screen.rejections(rejections))


@app.command(name="verify")
def _verify(as_json: Json = False) -> None:
    """Compare what is landed with the files on disk.

    Every part is there, the file on disk is the one that landed, and the document in the database
    says what it says. Exit code: 0; 1 something differs. A file that is gone from disk is no fault.

    \b
    Examples:
      loader verify
      loader verify --json | jq '.[] | select(.verdict != "same")'
    """
    from loader import screen
    from loader.raw import verify, zone
    from loader.server import database

    with _database_errors(), database.connect() as connection:
        zone.prepare(connection)
        with _steps(verify.count(connection)) as step:
            checked = []
            for one in verify.verify(connection):
                checked.append(one)
                step(one.path)
    print(screen.checked_json(checked) if as_json else screen.checked(checked))
    if any(one.verdict in verify.WRONG for one in checked):
        raise typer.Exit(REJECTED)


@app.command(name="prune")
def _prune(
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; without this they are only listed.")
    ] = False,
) -> None:
    """Remove superseded files from the raw zone.

    A later export of the same run took their place; no table shows their rows. What is removed
    comes back by deleting its row in raw.files and pushing the file again.

    \b
    Examples:
      loader prune
      loader prune --yes
    """
    from loader import screen
    from loader.raw import zone
    from loader.server import database
    from loader.tables import prune

    with _database_errors(), database.connect(autocommit=True) as connection:
        zone.prepare(connection)
        try:
            files = prune.superseded(connection)
        except prune.NotBuilt as error:
            _fail(str(error), USAGE)
        for file in files:
            if yes:
                prune.prune(connection, file)
            print(screen.superseded(file))
    size = screen.size(sum(file.size_bytes for file in files))
    done = "pruned" if yes else "would be pruned by --yes"
    print(f"{screen.many(len(files), 'file')}, {size} {done}")


@app.command(name="export")
def _export(
    file_id: Annotated[int, typer.Argument(metavar="FILE_ID", help="As raw.files has it.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Where to.", show_default="standard output"
        ),
    ] = None,
) -> None:
    """Give a landed document back as JSON.

    NaN and infinities come back as null. A large one waits for its turn in the folder for temporary
    files, not in memory.

    \b
    Examples:
      loader export 1 | jq .barcode
      loader export 1 -o document.json
    """
    from loader.parts import join
    from loader.raw import zone
    from loader.server import database

    with _database_errors(), database.connect() as connection:
        zone.prepare(connection)
        parts = zone.parts(connection, file_id)
        first = next(parts, None)
        if first is None:
            _fail(f"no file {file_id} is landed; the ids are in raw.files", USAGE)
        if zone.is_pruned(connection, file_id):
            _fail(f"file {file_id} was superseded and pruned: its content is gone", USAGE)
        pieces = join.whole(itertools.chain([first], parts))
        with _file_errors():
            if output is None:
                sys.stdout.buffer.writelines(pieces)
            else:
                with output.open("wb") as file:
                    file.writelines(pieces)


@app.command(name="sample")
def _sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")],
) -> None:
    """Write a small set of synthetic files.

    Six cells in seven files, about 15 MB, in the manner of BEEP; the same bytes every time. Files
    of the same names are overwritten.

    \b
    Example:
      loader sample ./data
    """
    _write_sample(folder)
    print(f"next: loader push {shlex.quote(str(folder))}")


@app.command(name="demo")
def _demo(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where the synthetic files go.")
    ] = Path("demo-data"),
) -> None:
    """See it all at work on synthetic files.

    Writes them, lands them, builds the tables, shows the batteries and writes the report.

    \b
    Example:
      loader demo
    """
    _write_sample(folder)
    _run_push([folder], _limits(), _Text())
    if code := _run_build([]):
        raise typer.Exit(code)
    print(_batteries())
    _write_report(Path(REPORT), [])
    print(
        "next: loader status              what is landed and built\n"
        '      eval "$(loader db env)"    lead psql, dbt and Python to the server\n'
        "      loader push YOUR_FOLDER && loader build"
    )


@app.command(
    name="build",
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
def _build(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="DBT_ARGUMENT", help="As dbt takes them.")
    ] = None,
) -> None:
    """Build and test the tables with dbt.

    Runs `dbt build` in the dbt project, on the loader's database; all arguments go to dbt. Exit
    code: that of dbt, 1 where a model or a test failed.

    \b
    Examples:
      loader build
      loader build --select batteries --full-refresh
    """
    raise typer.Exit(_run_build(arguments or []))


@app.command(name="docs")
def _docs(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 8080,
) -> None:
    """Serve dbt's pages about the tables.

    Runs `dbt docs generate` on the loader's database, then serves the pages on 127.0.0.1 until it
    is stopped.

    \b
    Example:
      loader docs --port 8081
    """
    from loader import dbt
    from loader.server import database

    with _database_errors(), _file_errors():
        try:
            dbt.docs(port, environment=database.connection_environment())
        except subprocess.CalledProcessError as error:
            raise typer.Exit(error.returncode) from None


@app.command(name="report")
def _report(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to.")
    ] = Path(REPORT),
    battery: Annotated[
        list[str] | None,
        typer.Option(
            "--battery",
            metavar="BARCODE",
            help="Only this battery; may be given several times.",
            show_default="all",
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write a page of charts from the tables.

    One HTML file that needs no network: capacity fade, cycle lives, voltage curves, a table of all
    batteries, rejected files and what the last build's tests found. A role that may read the
    published tables is enough.

    \b
    Examples:
      loader report
      loader report -o two.html --battery SYN0001A --battery SYN0002B --open
    """
    _write_report(output, battery or [])
    if open_it:
        webbrowser.open(output.resolve().as_uri())


@db.command(name="start")
def _start() -> None:
    """Start the server where it is not running."""
    with _database_errors():
        server = _own_server()
        server.start()
    print(f"running, data in {server.home}")


@db.command(name="stop")
def _stop_server() -> None:
    """Stop the server.

    Whatever it is doing is rolled back. The next push starts it again.
    """
    with _database_errors():
        server = _own_server()
        was_running = server.running()
        server.stop()
    print("stopped" if was_running else "was not running")


@db.command(name="status")
def _server_status() -> None:
    """Say which server is used and if it is running."""
    from loader import screen
    from loader.server import database, embedded

    with _database_errors():
        if not database.uses_embedded():
            place = screen.place(database.connection_environment(start=False))
            print(f"{place}, as PG* or DATABASE_URL say")
            return
        server = embedded.Server(embedded.home())
        running = server.running()
    print(f"{'running' if running else 'not running'}, data in {server.home}")


@db.command(name="env")
def _env() -> None:
    """Print settings for psql, dbt and Python.

    The server is started where it is not running. A password is not printed.

    \b
    Example:
      eval "$(loader db env)" && psql -c 'table battery.batteries'
    """
    from loader.server import database

    with _database_errors():
        environment = database.connection_environment()
    for name, value in sorted(environment.items()):
        if name != "PGPASSWORD":
            print(f"export {name}={shlex.quote(value)}")


def _run_push(
    paths: list[Path],
    limits: push.Limits,
    voice: _Text,
    *,
    build: bool = False,
    **which: bool,
) -> push.Summary:
    """Push and report; leaves with an exit code unless all went well. `which` as push takes it."""
    from loader import push, runs
    from loader.raw import zone

    stop = _Stop(voice.note)
    with _database_errors(voice.fail), stop, _connect_patiently(voice) as connection:
        zone.prepare(connection)
        try:
            with runs.recorded(connection, alone=build) as run:
                with voice.listener() as listener:
                    summary = push.push(paths, limits, listener, stop, **which)
                run.take(summary)
                voice.pushed(summary)
                code = _conclude(connection, run, summary, stop, voice if build else None)
        except runs.Busy as busy:
            voice.note(str(busy))
            raise typer.Exit from None
        except FileNotFoundError as error:
            voice.fail(str(error), USAGE)
    voice.ended(summary, run)
    if summary.lost:
        voice.fail(run.message, NO_DATABASE)
    if not stop.signal:
        _leave_profile()
    if code:
        raise typer.Exit(code)
    return summary


def _connect_patiently(voice: _Text) -> psycopg.Connection:
    """For what runs by itself: a server that starts up is waited for."""
    from loader.server import database

    database.await_server(lambda seconds: voice.note(_AWAY.format(seconds)))
    return database.connect(autocommit=True)


def _conclude(
    connection: psycopg.Connection,
    run: runs.Run,
    summary: push.Summary,
    stop: _Stop,
    voice: _Text | None,
) -> int:
    """Build where there is a `voice` to build with; notes how the run went, gives the exit code."""
    if summary.lost:
        run.message = f"the database was lost: {summary.lost}"
    elif voice and not stop.signal:
        _build_if_due(connection, run, stop, voice)
    if stop.signal and run.build is None:
        run.outcome = "interrupted"
        return 128 + stop.signal
    if summary.lost:
        return NO_DATABASE
    if run.build == "failed":
        run.message = "dbt build failed"
        return REJECTED
    run.outcome = "succeeded"
    return REJECTED if summary.count("rejected") else 0


def _build_if_due(connection: psycopg.Connection, run: runs.Run, stop: _Stop, voice: _Text) -> None:
    """Notes what became of the build; nothing where it was broken off."""
    from loader import dbt, runs
    from loader.server import database

    if not runs.build_due(connection):
        run.build = "not needed"
        return
    stop.in_hand = _BUILD_IN_HAND
    if stop() or not runs.wait_to_build(connection, lambda: voice.note(_WAITING), stop):
        return
    runs.note_build(connection, run)
    started = time.monotonic()
    with _file_errors(voice.fail):
        code = dbt.build(
            voice.dbt_arguments,
            environment=database.connection_environment(),
            lock=connection.fileno(),
            stop=stop,
            stdout=voice.dbt_output,
        )
    if code and stop() > 1:
        return
    run.build = "failed" if code else "succeeded"
    voice.built(run.build, time.monotonic() - started)


def _run_build(arguments: list[str]) -> int:
    """dbt's exit code."""
    from loader import dbt, runs
    from loader.server import database

    with _database_errors(), database.connect(autocommit=True) as connection:
        runs.wait_to_build(connection, lambda: print(_WAITING, file=sys.stderr))
        with _file_errors():
            environment = database.connection_environment()
            return dbt.build(arguments, environment=environment, lock=connection.fileno())


def _write_sample(folder: Path) -> None:
    from loader import demo, screen

    with _file_errors():
        files = demo.write_set(folder)
        size = sum(file.stat().st_size for file in files)
    print(f"wrote {screen.many(len(files), 'synthetic file')} ({screen.size(size)}) to {folder}")


def _batteries() -> str:
    """The first published table, as a taste."""
    from loader import screen
    from loader.server import database

    columns = ("barcode", "protocol", "channel_id", "cycle_life")
    with _database_errors(), database.connect() as connection:
        query = "select barcode, protocol, channel_id, cycle_life from battery.batteries"
        rows = connection.execute(f"{query} order by barcode limit 12").fetchall()
    return screen.table("battery.batteries", columns, rows)


def _write_report(output: Path, barcodes: list[str]) -> None:
    from loader import dbt, screen
    from loader.server import database
    from loader.tables import report

    with _database_errors(), database.connect() as connection, _steps(report.STEPS) as step:
        try:
            data = report.collect(connection, barcodes, step)
        except report.NothingToShow as error:
            _fail(str(error), USAGE)
    with _file_errors():
        page = report.render(data, report.last_build(dbt.project() / "target")).encode()
        output.write_bytes(page)
    many = screen.many(len(data.batteries), "battery", "batteries")
    print(f"wrote {output} ({many}, {screen.size(len(page))})")


def _fades(connection: psycopg.Connection, batteries: int | None) -> list[str]:
    """A line a battery, as far as a screen goes."""
    from loader.tables import report

    lines = report.sparklines(connection)
    if lines and batteries and batteries > len(lines):
        lines.append(f"and {batteries - len(lines):,} more: loader report")
    return lines


def _leave_profile() -> None:
    """After a push a bare `dbt build` finds the same server, or the one that PG* name."""
    from loader import dbt
    from loader.server import database

    with _database_errors(), suppress(OSError):  # a convenience: `loader build` works without
        dbt.write_profile(database.connection_environment())


def _own_server() -> embedded.Server:
    from loader.server import database, embedded

    if not database.uses_embedded():
        _fail("PG* or DATABASE_URL name another server; unset them to use this one", USAGE)
    return embedded.Server(embedded.home())


class _Stop:
    """Signals during a push: counted, not obeyed at once, as soon as something is in hand."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.signal = 0
        self.in_hand = _FILES_IN_HAND
        self._say = say
        self._count = 0
        self._told = 0
        self._working = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is KeyboardInterrupt:
            raise SystemExit(128 + self.signal)

    def __call__(self) -> int:
        """How many there were; the first time one is seen, the user is told what happens."""
        self._working = True
        if self._count > self._told:
            self._told = self._count
            self._say(self.in_hand[0 if self._count == 1 else 1])
        return self._count

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._count += 1
        if not self._working:
            raise KeyboardInterrupt  # on which psycopg cancels what it waits for


class _Text:
    """What a push says, for people: a progress bar on a terminal, a line a file elsewhere."""

    dbt_arguments: Sequence[str] = ()
    dbt_output: int | None = None

    @contextmanager
    def listener(self) -> Iterator[push.Listener]:
        from loader import screen

        if sys.stdout.isatty():
            with screen.bar() as bar:
                yield bar
        else:
            yield screen.Lines(_say)

    def pushed(self, summary: push.Summary) -> None:
        from loader import screen

        _say(screen.summary(summary))

    def built(self, outcome: str, seconds: float) -> None:
        _say(f"build {outcome} in {seconds:.1f} s")

    def ended(self, summary: push.Summary, run: runs.Run) -> None:
        """All has been said."""

    def note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def fail(self, message: str, code: int) -> NoReturn:
        _fail(message, code)


class _Lines(_Text):
    """What a push says, for a log: a line of JSON for whatever happens, as it happens."""

    dbt_arguments = ("--log-format", "json", "--log-level", "warn")

    @contextmanager
    def listener(self) -> Iterator[push.Listener]:
        from loader import screen

        yield screen.Events(_say)

    def pushed(self, summary: push.Summary) -> None:
        """The line at the end tells it."""

    def built(self, outcome: str, seconds: float) -> None:
        self._event("build", outcome=outcome, seconds=round(seconds, 3))

    def ended(self, summary: push.Summary, run: runs.Run) -> None:
        fields = dataclasses.asdict(run)
        del fields["started_at"], fields["ended_at"]
        self._event("run", **fields, seconds=summary.seconds)

    def note(self, text: str) -> None:
        self._event("note", message=text)

    def fail(self, message: str, code: int) -> NoReturn:
        self._event("error", message=message, exit_code=code)
        raise typer.Exit(code)

    def _event(self, name: str, /, **fields: object) -> None:
        from loader import screen

        _say(screen.event(name, **fields))


class _Object(_Text):
    """What a push says, for programs: one JSON object at its end."""

    dbt_output = 2  # dbt's own words go to standard error

    @contextmanager
    def listener(self) -> Iterator[push.Listener]:
        from loader import push

        yield push.Listener()

    def pushed(self, summary: push.Summary) -> None:
        """Said at the end."""

    def built(self, outcome: str, seconds: float) -> None:
        """Said at the end."""

    def ended(self, summary: push.Summary, run: runs.Run) -> None:
        from loader import screen

        _say(screen.summary_json(summary, run))


_say = functools.partial(print, flush=True)


@contextmanager
def _steps(count: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on a terminal that moves when it is told the name of the next step."""
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("[bold]reading"), BarColumn(), TextColumn("{task.description}")
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=count, completed=-1)
        yield lambda name: bar.update(task, advance=1, description=name)


def _limits(
    jobs: int | None = None,
    part_size: int = parse_size(DEFAULT_PART),
    max_memory: int | None = None,
    max_file_size: int = parse_size(LARGEST_FILE),
    settle: float = 0,
) -> push.Limits:
    from loader import push

    return push.Limits(
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
    import psutil

    return int(psutil.virtual_memory().total // 2)


@contextmanager
def _database_errors(fail: Callable[[str, int], NoReturn] | None = None) -> Iterator[None]:
    """A database that cannot be used ends the command with what to do about it."""
    import psycopg

    from loader.server import database, embedded

    fail = fail or _fail
    try:
        yield
    except (database.DatabaseUnavailable, embedded.ServerError) as error:
        fail(str(error), NO_DATABASE)
    except psycopg.Error as error:
        fail(f"the database refused: {str(error).strip()}", NO_DATABASE)


@contextmanager
def _file_errors(fail: Callable[[str, int], NoReturn] | None = None) -> Iterator[None]:
    fail = fail or _fail
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), USAGE)


def _fail(message: str, code: int) -> NoReturn:
    print(f"loader: {message}", file=sys.stderr)
    raise typer.Exit(code)
