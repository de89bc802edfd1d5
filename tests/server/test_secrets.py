"""Over the network: certificates are checked, and no password is seen anywhere."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import built
import psutil
import psycopg
import pytest
from checkout import checkout
from conftest import DEBIAN_BINARIES, Database, RunLoader, free_port, scratch_home
from pipeline import Pipeline

from loader.server import database

MODEL = "select file_id from raw.files"
PASSWORD = "Sesam-oeffne-dich-4711"
WRONG = "Ali-Baba-0815"


@dataclass
class TlsServer:
    """PostgreSQL on 127.0.0.1 with a certificate for `localhost`, and passwords (scram)."""

    folder: Path
    port: int

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PGHOST": "localhost",
            "PGPORT": str(self.port),
            "PGUSER": "admin",
            "PGDATABASE": "postgres",
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(self.folder / "ca.crt"),
        } | more

    def create_database(self, name: str) -> None:
        with psycopg.connect(
            host="localhost",
            port=self.port,
            user="admin",
            password=PASSWORD,
            dbname="postgres",
            sslmode="verify-full",
            sslrootcert=str(self.folder / "ca.crt"),
            autocommit=True,
        ) as connection:
            connection.execute(f"create database {name}")


@pytest.fixture(scope="module")
def tls_server() -> Iterator[TlsServer]:
    if not (DEBIAN_BINARIES / "postgres").exists() and os.environ.get("CI") != "true":
        pytest.skip(f"needs PostgreSQL 15 in {DEBIAN_BINARIES} (Debian: postgresql-15)")
    with scratch_home() as folder:
        port = free_port()
        data = folder / "tls"
        certificates(folder)
        (folder / "password").write_text(PASSWORD)
        owner = "postgres" if os.geteuid() == 0 else None
        if owner:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, owner)
        initdb = ["initdb", "-D", data, "-U", "admin", "--auth=scram-sha-256", "--no-sync"]
        run(owner, *initdb, f"--pwfile={folder / 'password'}")
        with (data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\nfsync = off\n"
                f"ssl_cert_file = '{folder}/server.crt'\nssl_key_file = '{folder}/server.key'\n"
                f"unix_socket_directories = ''\n"
            )
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        run(owner, "pg_ctl", "-D", data, "-w", "-l", folder / "log", "start")
        try:
            yield TlsServer(folder, port)
        finally:
            run(owner, "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def run(owner: str | None, program: str, *args: str | Path) -> None:
    command = [str(DEBIAN_BINARIES / program), *map(str, args)]
    subprocess.run(command, user=owner, cwd="/", check=True, capture_output=True)


def certificates(folder: Path) -> None:
    """A certificate authority, one of another house, and a certificate for `localhost`."""

    def openssl(*args: str) -> None:
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other"):
        openssl(
            *("req", "-new", "-x509", "-days", "2", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
        )
    openssl(
        *("req", "-new", "-nodes", "-subj", "/CN=localhost"),
        *("-keyout", "server.key", "-out", "server.csr"),
    )
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl(
        *("x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-extfile", "names", "-out", "server.crt"),
    )
    (folder / "server.key").chmod(0o600)


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Gathers those of every process of this machine meanwhile, each looked at for a second."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        since: dict[int, float] = {}
        while not done.wait(0.02):
            now = time.monotonic()
            since = {process: since.get(process, now) for process in psutil.pids()}
            for process, began in since.items():
                if now - began < 1:
                    with suppress(psutil.Error):
                        seen.add(" ".join(psutil.Process(process).cmdline()))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


@pytest.fixture(scope="module")
def with_tables(tls_server: TlsServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a database that has what a report is made of."""
    name = "with_tables"
    tls_server.create_database(name)
    environment = tls_server.environment(PGDATABASE=name, PGPASSWORD=PASSWORD)
    pipeline = Pipeline.create(Database(environment))
    pipeline.push(built.write(tmp_path_factory.mktemp("tables") / "data")[1])
    pipeline.build_tables()
    return name


@pytest.mark.parametrize("by_url", [True, False], ids=["DATABASE_URL", "PGPASSWORD"])
def test_everything_works_over_tls_and_no_password_is_seen(
    tls_server: TlsServer,
    with_tables: str,
    run_loader: RunLoader,
    call_loader: RunLoader,
    tmp_path: Path,
    by_url: bool,
) -> None:
    name = "by_url" if by_url else "by_variable"
    tls_server.create_database(name)

    def environment(name: str) -> dict[str, str]:
        if not by_url:
            return tls_server.environment(PGDATABASE=name, PGPASSWORD=PASSWORD)
        where = f"admin:{PASSWORD}@localhost:{tls_server.port}/{name}"
        of_tls = ("PGSSLMODE", "PGSSLROOTCERT")
        return {name: tls_server.environment()[name] for name in of_tls} | {
            "DATABASE_URL": f"postgresql://{where}"
        }

    mine = checkout(tmp_path / "checkout", tmp_path / "home", run_loader, model=MODEL)
    data = built.write(tmp_path / "data")[1]
    (tmp_path / "data" / "bad.json").write_text("{")
    said = ""
    with command_lines() as seen:
        for args, code in (
            (("init",), 0),
            (("push", "--settle", "0", "--build", data, tmp_path / "data" / "bad.json"), 1),
            (("build", "--select", "landed"), 0),
            (("status",), 0),
            (("status", "--json"), 0),
            (("report", "-o", tmp_path / "report.html"), 0),
            (("db", "env"), 0),
            (("db", "status"), 0),
        ):
            where = environment(with_tables if args[0] == "report" else name)
            others = args[0] in ("push", "build")  # processes that they start
            done = (mine.loader if others else call_loader)(*args, env=where)
            assert done.returncode == code, done.stdout + done.stderr
            said += done.stdout + done.stderr
    assert "build succeeded" in said
    assert PASSWORD not in said
    assert not [line for line in seen if PASSWORD in line]
    assert any("dbt" in line for line in seen)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in written if PASSWORD.encode() in path.read_bytes()] == []
    assert any(path.name == "dbt.log" for path in written)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"PGHOST": "127.0.0.1"}, "does not match host name"),
        ({"PGSSLROOTCERT": "other.crt"}, "certificate verify failed"),
        ({"PGPASSWORD": WRONG}, "password authentication failed"),
    ],
    ids=["another name", "another authority", "another password"],
)
def test_a_server_or_a_user_that_is_another_is_refused(
    tls_server: TlsServer,
    call_loader: RunLoader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    says: str,
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 1.0)  # not ten seconds; test_cli.py sees to it
    environment = tls_server.environment(PGPASSWORD=PASSWORD) | change
    if not Path(environment["PGSSLROOTCERT"]).is_absolute():
        environment["PGSSLROOTCERT"] = str(tls_server.folder / environment["PGSSLROOTCERT"])
    done = call_loader("push", tmp_path, env=environment)
    assert done.returncode == 3
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    for secret in (PASSWORD, WRONG):
        assert secret not in done.stdout + done.stderr
