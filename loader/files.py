"""Files on disk: which there are to read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from loader import formats

LINK = "a symbolic link, not followed without --follow-symlinks"
SIDE_FILE = "a side file of macOS"
THROWN_AWAY = "in a folder of deleted or earlier files"
"""Why files in a folder are left aside."""

_THROWN_AWAY = re.compile(r"\.Trash(es|-\d+)?|\$RECYCLE\.BIN|\.ipynb_checkpoints", re.IGNORECASE)


def find(
    paths: Iterable[Path],
    *,
    follow_symlinks: bool = False,
    leave: Callable[[Path, str], None] = lambda path, reason: None,
) -> Iterator[Path]:
    """Give the files to read: absolute paths, sorted as text, each once.

    A folder stands for the `*.json` and `*.json.gz` below it; a file named directly is taken
    whatever its ending. Symbolic links in a folder are followed where `follow_symlinks` (a folder
    is walked once, however many links lead to it). What is left aside in a folder, `leave` is told
    with the reason: else the links that have such an ending or lead to a folder, side files of
    macOS, and folders of deleted files. A folder that cannot be listed is given as if it were a
    file, so that `source.read` says so. Raises `FileNotFoundError`, before anything is given, for a
    path named directly that is not there.
    """
    paths = list(paths)
    check(paths)
    found: set[str] = set()
    for path in paths:
        name = os.path.abspath(path)  # noqa: PTH100  pathlib has no lexical twin
        if os.path.isdir(name):  # noqa: PTH112  text all along: a large folder is walked fast
            found.update(_below(name, follow_symlinks, leave))
        else:
            found.add(name)
    return map(Path, sorted(found))


def check(paths: Iterable[Path]) -> None:
    """Raise `FileNotFoundError` for a path that is not there."""
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")


def _below(folder: str, follow: bool, leave: Callable[[Path, str], None]) -> Iterator[str]:
    unlisted: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    for parent, folders, names in os.walk(folder, onerror=unlisted.append, followlinks=follow):
        status = os.stat(parent)  # noqa: PTH116
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()  # a link led here again
            continue
        seen.add((status.st_dev, status.st_ino))
        for name in filter(_THROWN_AWAY.fullmatch, list(folders)):
            folders.remove(name)
            leave(Path(parent, name), THROWN_AWAY)
        files = [os.path.join(parent, name) for name in names if _is_json(name)]  # noqa: PTH118
        inner = [os.path.join(parent, name) for name in folders]  # noqa: PTH118
        links = set() if follow else set(filter(os.path.islink, files + inner))
        for path in links:
            leave(Path(path), LINK)
        for path in files:
            if path not in links and _is_side_file(path):
                leave(Path(path), SIDE_FILE)
            elif path not in links:
                yield path
    yield from (str(error.filename) for error in unlisted)


def _is_side_file(path: str) -> bool:
    """Whether macOS put it beside a file that it could not write all it knows to."""
    named = os.path.basename(path).startswith("._")  # noqa: PTH119
    if not named or not os.path.isfile(path):  # noqa: PTH113
        return False
    try:
        with Path(path).open("rb") as file:
            return file.read(len(formats.APPLE_DOUBLE)) == formats.APPLE_DOUBLE
    except OSError:
        return False  # `source.read` says why


def _is_json(name: str) -> bool:
    return name.lower().endswith((".json", ".json.gz"))
