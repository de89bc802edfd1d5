"""Runs dbt: finds the project, writes its connection profile, builds.

What dbt writes lies in the project where that is the user's own clone, else in the user's folder.
"""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NoReturn

import yaml

from loader.server import embedded

_PACKAGE = Path(__file__).resolve().parent

_POLL = 0.2  # seconds between two questions whether to stop
_AS_READ = "partial_parse.msgpack"  # where dbt keeps what it has read of the project

_DBT = "from dbt.cli.main import cli; cli(prog_name='dbt')"

# Of a build a tenth would go into looking for garbage in what dbt has read (it takes 50 MB more), a
# twentieth into code to read and write classes that no build has use for.
_DBT_BUILD = (
    "import gc; gc.disable();"
    " from mashumaro.config import BaseConfig; BaseConfig.lazy_compilation = True;"
    f" {_DBT}"
)


def project() -> Path:
    """The dbt project's folder: beside the package in a checkout, inside it in an installed wheel.

    Raises FileNotFoundError where neither is there.
    """
    for root in (_PACKAGE.parent, _PACKAGE):
        if (root / "dbt_project" / "dbt_project.yml").is_file():
            return root / "dbt_project"
    raise FileNotFoundError("The dbt project is missing; install battery-elt again.")


def folder() -> Path:
    """The folder of profiles.yml, target/ and logs/: each user of an installation has their own.

    The project itself where it is a clone that belongs to this user, so that plain `dbt` finds them
    there; else `dbt` in the folder of the embedded server.
    """
    here = project()
    clone = here.parent != _PACKAGE
    mine = not hasattr(os, "geteuid") or here.stat().st_uid == os.geteuid()
    if clone and mine and os.access(here, os.W_OK):
        return here
    return Path(os.path.abspath(embedded.home().expanduser())) / "dbt"  # noqa: PTH100 - resolves ".."


def target() -> Path:
    """The folder of what the last build left: manifest.json, run_results.json."""
    return folder() / "target"


class BrokenSeed(OSError):
    """A list that people keep cannot be read, which would stop every table; says where and why."""


def check_seeds(seeds: Path) -> None:
    """Raise BrokenSeed for a CSV file in the folder that dbt could not read."""
    for path in sorted(seeds.glob("*.csv")):
        try:
            lines = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
            header = next(lines, [])
            if len(header) < 2:
                raise BrokenSeed(f"{path}: its first line is to name columns, with commas between")
            for values in lines:
                if len(values) > len(header):
                    raise BrokenSeed(
                        f"{path}, line {lines.line_num}: {len(values)} values where the first line "
                        f"names {len(header)} columns. Two lines in one? A comma in a text asks "
                        "for double quotes around it."
                    )
        except UnicodeDecodeError:
            raise BrokenSeed(f"{path} is not UTF-8: save it as UTF-8") from None


def write_profile(environment: Mapping[str, str]) -> Path:
    """Writes profiles.yml in `folder()` from profiles.yml.example, and gives its path.

    `environment` holds the PG* variables of the server (see `database.connection_environment`): its
    host and database become the defaults of the profile, so that plain `dbt build` finds the
    embedded server. PG* variables set when dbt runs come before them, and no password is written.
    A profile of an earlier call is written anew, one that somebody edited stays as it is. For a
    build that needs no server `environment` is empty: then a profile that is there stays, too.
    """
    profile = folder() / "profiles.yml"
    example = (project().parent / "profiles.yml.example").read_text(encoding="utf-8")
    before = profile.read_text(encoding="utf-8") if profile.exists() else None
    wanted = _with_defaults(example, environment)
    ours = before is None or _with_defaults(before, environment) == wanted
    if ours and (before is None or yaml.safe_load(before) != wanted):
        remarks = "".join(re.findall(r"^#.*\n", example, re.MULTILINE))
        profile.parent.mkdir(parents=True, exist_ok=True)
        new = profile.with_name(f".profiles-{os.getpid()}.yml")
        new.write_text(remarks + yaml.safe_dump(wanted, sort_keys=False), encoding="utf-8")
        new.replace(profile)
    return profile


def _with_defaults(profile: str, environment: Mapping[str, str]) -> object:
    """The profile's content, the server's host and database in the place of its defaults."""
    try:
        content = yaml.safe_load(profile)
        target = content["battery_elt"]["outputs"]["default"]
        for key, variable in (("host", "PGHOST"), ("dbname", "PGDATABASE")):
            if str(target[key]).startswith(f"{{{{ env_var('{variable}', "):
                default = environment.get(variable)
                if default is not None:
                    target[key] = f"{{{{ env_var('{variable}', {_jinja(default)}) }}}}"
    except (yaml.YAMLError, KeyError, TypeError):
        return None  # somebody's own
    return content


def _jinja(value: str) -> str:
    """A Jinja string: escapes are Python's, everything beyond ASCII is written as one."""
    escaped = value.encode("unicode_escape").decode().replace("'", "\\'")
    return f"'{escaped}'"


def build(
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    lock: int | None = None,
    stop: Callable[[], int] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    log: Callable[[str], None] | None = None,
) -> int:
    """Runs `dbt build` with more `arguments`; output goes to this terminal, or as told.

    With `log` nothing is shown: it is given each line of dbt's log, a JSON object, as it comes.

    `environment` holds the PG* variables of the server. `lock` is the file descriptor of the
    connection that holds the right to build: dbt keeps it open, so that the right is not free
    before dbt has ended, should this process be killed.

    With `stop` a build is let finish like a file: signals to this process group do not reach dbt,
    which is told to break off once `stop` gives more than 1.

    Returns dbt's exit code: 0, 1 where a model or a test failed, 2 where dbt could not run; where a
    signal ended it 128 + its number, as a shell does.
    """
    form = ("--log-format", "json", "--log-level", "info") if log else ()
    process = subprocess.Popen(
        _dbt(environment, "build", *form, *arguments),
        env=_environment(environment),
        pass_fds=[] if lock is None else [lock],
        stdin=subprocess.DEVNULL if stop else None,
        stdout=subprocess.PIPE if log else stdout,
        stderr=stderr,
        process_group=0 if stop else None,
    )
    with process, _read_by(log, process.stdout):
        try:
            code = _wait(process, stop) if stop else process.wait()
            return code if code >= 0 else 128 - code
        finally:
            if process.returncode is None:
                process.kill()


def docs(port: int, *, environment: Mapping[str, str]) -> NoReturn:
    """Generates dbt's docs and serves them on 127.0.0.1, this process becoming dbt.

    They have a target folder of their own, which no build writes to. Raises
    subprocess.CalledProcessError where they cannot be generated.
    """
    site = target() / "docs"
    with suppress(OSError):  # nothing is built yet: dbt reads the project itself
        site.mkdir(parents=True, exist_ok=True)
        shutil.copy(target() / _AS_READ, site)
    own = _environment(environment) | {"DBT_TARGET_PATH": str(site)}
    subprocess.run(_dbt(environment, "docs", "generate"), env=own, check=True)
    serve = ("docs", "serve", "--host", "127.0.0.1", "--port", str(port), "--no-browser")
    command = _dbt(environment, *serve)
    os.execve(command[0], command, own)


def _dbt(environment: Mapping[str, str], *words: str) -> list[str]:
    profile = write_profile(environment)
    where = ["--project-dir", str(project()), "--profiles-dir", str(profile.parent)]
    program = _DBT_BUILD if words[0] == "build" else _DBT  # pages are served for months
    return [sys.executable, "-P", "-c", program, *words, *where]


def _environment(connection: Mapping[str, str]) -> dict[str, str]:
    """This process's, but for DBT_*: those are meant for other projects."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    where = {"DBT_TARGET_PATH": str(target()), "DBT_LOG_PATH": str(folder() / "logs")}
    return {**outside, **where, **connection}


@contextmanager
def _read_by(log: Callable[[str], None] | None, output: IO[bytes] | None) -> Iterator[None]:
    """Hand on each line of a process's output while this one waits for its end."""

    def read() -> None:
        for line in output or ():
            if log:
                log(line.decode(errors="replace"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield
    finally:
        reader.join()


def _wait(process: subprocess.Popen[bytes], stop: Callable[[], int]) -> int:
    told = False
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_POLL)
        if stop() > 1 and not told:
            process.send_signal(signal.SIGINT)  # dbt cancels its queries
            told = True
