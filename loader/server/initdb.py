"""Makes the data folder of a server, settings and database in it."""

from pathlib import Path

from loader.server.account import Account
from loader.server.binaries import ServerError

DATABASE = "battery"
SUPERUSER = "postgres"

# https://www.postgresql.org/docs/current/populate.html and runtime-config.html
SETTINGS = """
# battery-elt: bulk loads on a small machine
shared_buffers = 256MB          # the default of 128 MB is below one large document and its indexes
maintenance_work_mem = 256MB    # keys and indexes are built in bulk
max_wal_size = 4GB              # no checkpoint in the middle of a load
checkpoint_timeout = 15min      # the same
wal_level = minimal             # nothing is replicated, so WAL can be left out
max_wal_senders = 0             # wal_level minimal asks for it
log_checkpoints = off           # server.log tells of errors only
timezone = 'UTC'                # time stamps read alike on every machine
log_timezone = 'UTC'
"""


def initdb(account: Account, binaries: Path, folder: Path) -> None:
    """Fill an empty folder of the account's, by the programs in `binaries`. Raises ServerError."""
    command = [str(binaries / "initdb"), "-D", str(folder), "-U", SUPERUSER, "-E", "UTF8"]
    # Trust, because nobody but the server's user and root can enter the socket's folder.
    command += ["--auth=trust", "--data-checksums"]
    result = account.run([*command, "--locale=C.UTF-8"])
    if result.returncode and "locale" in result.stdout:  # older macOS has no C.UTF-8
        result = account.run([*command, "--locale=C"])
    if result.returncode == 0:
        with (folder / "postgresql.conf").open("a") as file:
            file.write(SETTINGS)
        # Made before any server runs: a data folder in its place always has the database.
        single = [str(binaries / "postgres"), "--single", "-D", str(folder), "postgres"]
        result = account.run(single, text=f"create database {DATABASE}\n")
    if result.returncode or "ERROR:" in result.stdout:
        raise ServerError(
            f"PostgreSQL could not make its data folder {folder}:\n"
            + "\n".join(result.stdout.splitlines()[-10:])
        )
