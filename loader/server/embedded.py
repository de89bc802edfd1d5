"""The embedded PostgreSQL: make it, start it, find it running, stop it.

The server listens on a Unix socket in a folder that only its own user may enter, and outlives the
command that started it.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs
import psutil

from loader.server.account import Account
from loader.server.binaries import ServerError, fitting_binaries, shared_folder
from loader.server.initdb import DATABASE, SUPERUSER, initdb
from loader.server.listen import HBA, Address

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

PORT = 5432  # names the socket file; nothing listens on TCP unless told to

START_TIMEOUT = 1800.0  # seconds; recovery replays up to max_wal_size, minutes on a slow disk
STOP_TIMEOUT = 600.0  # seconds; the last checkpoint writes out what is still in memory
ORPHAN_TIMEOUT = 30.0  # seconds for backends of a killed server to go
NOTICE_AFTER = 3.0  # seconds of waiting after which the user is told why
SOCKET_PATH_LIMIT = 103  # bytes: sun_path on macOS; Linux has 107


def home() -> Path:
    """Give the folder of the embedded server: $BATTERY_HOME, else the user's data folder."""
    chosen = os.environ.get("BATTERY_HOME")
    return Path(chosen) if chosen else platformdirs.user_data_path("battery-elt")


@dataclass
class Server:
    """A private PostgreSQL server whose data, log and lock live in the folder `home`.

    `binaries` is a bin folder of PostgreSQL; by default the one that comes with the wheel. Several
    processes may use a Server of one home at once. Raises ServerError on Windows.
    """

    home: Path
    binaries: Path | None = None

    def __post_init__(self) -> None:
        """Make the path absolute, so that every process sees the same server."""
        if sys.platform == "win32":
            raise ServerError(
                "The embedded PostgreSQL runs on Linux and macOS only. "
                "Install PostgreSQL and set DATABASE_URL to it."
            )
        self.home = Path(os.path.abspath(self.home.expanduser()))  # noqa: PTH100 - resolves ".."

    @property
    def data(self) -> Path:
        """The data folder; `home/data` may be a link to it."""
        return (self.home / "data").resolve()

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.home / "server.log"

    @property
    def version(self) -> int | None:
        """Major version of the data folder, None where there is none yet."""
        try:
            return int((self.data / "PG_VERSION").read_text())
        except (FileNotFoundError, NotADirectoryError):
            return None

    def environment(self) -> dict[str, str]:
        """Give the PG* variables that lead psql, dbt and psycopg to this server."""
        return {
            "PGHOST": str(self._socket_folder()),
            "PGPORT": str(PORT),
            "PGUSER": SUPERUSER,
            "PGDATABASE": DATABASE,
        }

    @property
    def address(self) -> Address | None:
        """Where it listens on TCP, too, from its next start on; None by default."""
        try:
            return Address.parse(self._listen_file.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None

    def listen(self, address: Address | None) -> bool:
        """Listen there on TCP, too, or nowhere, and start again where that is new; tells if it is.

        Sessions are ended then. Raises ServerError.
        """
        if address == self.address:
            return False
        if address is not None and not address.is_free():
            raise ServerError(f"{address} is taken by another program; choose another port")
        with self._clear_errors():
            if address is None:
                self._listen_file.unlink(missing_ok=True)
            else:
                self._listen_file.write_text(f"{address}\n")
        self.stop()
        self.start()
        return True

    def pid(self) -> int | None:
        """Process id of the postmaster, also while it starts or stops; None where none is alive.

        The id that postmaster.pid names may be a zombie's, or another process may have it by now:
        only a process that was started with this data folder counts.
        """
        lines = self._pid_file()
        if not lines or not lines[0].strip().isdigit():
            return None
        try:
            command = psutil.Process(int(lines[0])).cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # a zombie is a NoSuchProcess, too
            return None
        ours = str(self.data) in command and Path(command[0]).name == "postgres"
        return int(lines[0]) if ours else None

    def running(self) -> bool:
        """Tell whether the server takes connections."""
        with self._clear_errors():
            return self._state() == "ready" and self.pid() is not None

    def start(self) -> None:
        """Start the server, or do nothing where it runs; makes the database where there is none.

        Waits up to half an hour for crash recovery. Raises ServerError.
        """
        if self.running():
            return
        with self._clear_errors(), self._lock():
            pid = self.pid()
            if pid is not None and self._state() == "stopping":
                self._wait(lambda: not _alive(pid), STOP_TIMEOUT, "stop")
            if self.pid() is None:
                self._launch()
            self._wait(self._has_started, START_TIMEOUT, "start")

    def stop(self) -> None:
        """Stop the server and wait until it is down; does nothing where it is. Raises ServerError.

        Open sessions are ended and their transactions rolled back ("fast" shutdown,
        https://www.postgresql.org/docs/current/server-shutdown.html).
        """
        if not self.home.exists():
            return
        with self._clear_errors(), self._lock():
            pid = self.pid()
            if pid is not None:
                os.kill(pid, signal.SIGINT)
                self._wait(lambda: not _alive(pid), STOP_TIMEOUT, "stop")
            socket = self._socket_folder()
            (socket / f".s.PGSQL.{PORT}").unlink(missing_ok=True)  # a link to that of another port
            if socket != self.data:
                with contextlib.suppress(OSError):  # another's, or not there
                    socket.rmdir()

    @property
    def _listen_file(self) -> Path:
        return self.home / "listen"

    def _pid_file(self) -> list[str]:
        """Lines of postmaster.pid: the first is the pid, the last (of eight) the state."""
        try:
            return (self.data / "postmaster.pid").read_text(errors="replace").splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []

    def _state(self) -> str:
        """What the postmaster last wrote about itself: starting, ready, stopping or empty."""
        lines = self._pid_file()
        return lines[-1].strip() if lines else ""

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One process at a time starts or stops; the system frees the lock of one that dies."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "lock").open("a") as file:
            self._wait(lambda: _locked(file), START_TIMEOUT, "start or stop for another process")
            yield

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn what the system refuses into a ServerError that says what to do about it."""
        try:
            yield
        except PermissionError as error:
            raise ServerError(
                f"No permission for {error.filename or self.home}: the embedded database in "
                f"{self.home} belongs to another user. Run this as the user who made it, or set "
                "BATTERY_HOME to a folder of your own."
            ) from error
        except OSError as error:
            raise ServerError(
                f"The embedded database cannot use {self.home}: {error}. "
                "Put this right, or set BATTERY_HOME to another folder."
            ) from error

    def _wait(self, done: Callable[[], bool], timeout: float, verb: str) -> None:
        begin = time.monotonic()
        told = False
        while not done():
            waited = time.monotonic() - begin
            if waited > timeout:
                raise ServerError(
                    f"PostgreSQL did not {verb} within {timeout:.0f} seconds. See {self.log}."
                )
            if waited > NOTICE_AFTER and not told:
                logger.warning("waiting for PostgreSQL to %s (%s)", verb, self.log)
                told = True
            time.sleep(0.01 if waited < 1 else 0.1)

    def _has_started(self) -> bool:
        if self.running():
            return True
        if self.pid() is None:
            raise ServerError(
                f"PostgreSQL stopped while starting. The last lines of {self.log}:\n"
                + self._last_log_lines()
            )
        return False

    def _last_log_lines(self) -> str:
        with self.log.open("rb") as file:
            file.seek(-min(4096, self.log.stat().st_size), os.SEEK_END)
            return "\n".join(file.read().decode(errors="replace").splitlines()[-10:])

    def _socket_folder(self) -> Path:
        """The data folder, or one in /tmp where its path is too long for a socket or has a comma.

        libpq splits PGHOST at commas. $XDG_RUNTIME_DIR and $TMPDIR differ between sessions.
        """
        path = str(self.data)
        if len(os.fsencode(f"{path}/.s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT and "," not in path:
            return self.data
        return Path("/tmp", self._cluster_name())

    def _cluster_name(self) -> str:
        """A name that marks this server's processes in the process list."""
        return "battery-elt-" + hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]

    @property
    def _account(self) -> Account:
        return Account.of(self.data)

    def _launch(self) -> None:
        binaries = fitting_binaries(self.binaries, self.version, self.data, self._account.can_enter)
        if self.version is None:
            self._initialise(binaries)
        self._clear_after_crash()
        socket = self._socket_folder()
        if socket != self.data:
            self._make_socket_folder(socket)
        address = self._reachable_address(socket)
        quoted = '"' + str(socket).replace('"', '""') + '"'
        settings = {
            "listen_addresses": address.host if address else "",
            "port": str(address.port if address else PORT),
            "unix_socket_directories": quoted,
            "unix_socket_permissions": "0700",
            "cluster_name": self._cluster_name(),
            "logging_collector": "off",
        }
        command = [str(binaries / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        # The shell hands the server over to init, so no zombie of ours stays; it tells the new pid.
        script = '"$@" >&2 & echo $!'
        with self.log.open("a") as log:
            shell = ["/bin/sh", "-c", script, "sh", *command]
            result = self._account.run(shell, errors=log, new_session=True)
        child = int(result.stdout)
        self._wait(lambda: self.pid() == child or not _alive(child), START_TIMEOUT, "start")

    def _reachable_address(self, socket: Path) -> Address | None:
        """Where to listen on TCP; nowhere where the port is taken: pushes and builds go first.

        PostgreSQL names its socket after the port: a link gives it the name it has without.
        """
        address = self.address
        if address is None:
            return None
        if not address.is_free():
            logger.warning("%s is taken by another program: not listening there", address)
            return None
        new, path = tempfile.mkstemp(dir=self.data)
        with open(new, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(HBA)
        self._account.give(Path(path))
        Path(path).replace(self.data / "pg_hba.conf")
        if address.port != PORT:
            (socket / f".s.PGSQL.{PORT}").symlink_to(f".s.PGSQL.{address.port}")
        return address

    def _initialise(self, binaries: Path) -> None:
        """Make the data folder aside and move it into place whole: a killed run is harmless."""
        logger.warning("making a PostgreSQL server of its own in %s", self.home)
        target = self.data
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self._account.can_enter(target.parent):
            target = shared_folder() / f"{self._cluster_name()}-{secrets.token_hex(4)}"
        prefix = f"new-{self._cluster_name()}-"
        for left in target.parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        new = Path(tempfile.mkdtemp(prefix=prefix, dir=target.parent))
        try:
            self._account.give(new)
            initdb(self._account, binaries, new)
            new.rename(target)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        if target != self.data:
            (self.home / "data").symlink_to(target)
            logger.warning(
                "PostgreSQL does not run as root and its user cannot enter %s: the data is in %s",
                self.home,
                target,
            )

    def _clear_after_crash(self) -> None:
        """Remove what a killed server left: its backends, its pid file and its socket.

        Backends of a killed server may work on for as long as their query takes, and PostgreSQL
        refuses to start meanwhile. SIGQUIT ends them at once; their work is rolled back.
        """
        title = f"postgres: {self._cluster_name()}: "
        orphans = [
            process
            for process in psutil.process_iter(["cmdline", "uids"])
            if " ".join(process.info["cmdline"] or []).startswith(title)
            and process.info["uids"].effective == self._account.user_id  # anyone may take a title
        ]
        for process in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGQUIT)
        self._wait(
            lambda: not any(_alive(p.pid) for p in orphans), ORPHAN_TIMEOUT, "end its sessions"
        )
        sockets = self._socket_folder().glob(".s.PGSQL.*")  # and their locks, and a link
        for left in (self.data / "postmaster.pid", *sockets):
            left.unlink(missing_ok=True)

    def _make_socket_folder(self, folder: Path) -> None:
        """/tmp is everybody's: take a folder there only when it is ours and closed to others."""
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            self._account.give(folder)
        found = folder.lstat()
        if folder.is_symlink() or found.st_uid != self._account.user_id or found.st_mode & 0o077:
            raise ServerError(
                f"{folder} is to hold the database's socket, but is not this user's alone. "
                "Remove it, or set BATTERY_HOME to a shorter path."
            )


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    """Tell whether a process lives; a zombie, left where nobody reaps, does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
