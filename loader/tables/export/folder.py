"""A folder of exported files: written whole or not at all, and only where something is new.

`datapackage.json` says what is in it (https://datapackage.org), for people and for the next export.
"""

from __future__ import annotations

import filecmp
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

MANIFEST = "datapackage.json"
_OURS = "battery_elt"  # marks a datapackage.json of this command


class Refused(Exception):
    """An export that cannot be; the message says why and what to do."""


@dataclass(frozen=True)
class Scope:
    """What is asked for: a format, barcodes, files landed since; None is all. `told` is in words.

    A folder holds one scope: what an earlier export left of another would be taken for its part.
    """

    format: str
    barcodes: tuple[str, ...] | None = None
    since: datetime | None = None
    told: str = "all batteries"


@dataclass(frozen=True)
class Item:
    """A file to be. `write` makes it at a path and says whether there was anything to write.

    The same `fingerprint` stands for the same content; None for content that has to be looked at.
    `resource` is what datapackage.json says of its table.
    """

    path: str
    name: str
    fingerprint: str | None
    write: Callable[[Path], bool]
    resource: dict[str, Any]


@dataclass
class Done:
    """How many files are new, as they were, and gone; the names of those that came to nothing."""

    written: int = 0
    unchanged: int = 0
    removed: int = 0
    nothing: list[str] = field(default_factory=list)


@dataclass
class _Known:
    """Fingerprints by path: of the files in the folder, and of what came to nothing."""

    files: dict[str, str | None] = field(default_factory=dict)
    nothing: dict[str, str | None] = field(default_factory=dict)


def write(target: Path, scope: Scope, wanted: Sequence[Item], step: Callable[[str], None]) -> Done:
    """Make the folder hold these files; see `loader.tables.export.write`."""
    target.mkdir(parents=True, exist_ok=True)
    before, now, done = _read(target, scope), _Known(), Done()
    try:
        for item in wanted:
            step(item.name)
            _bring(target, item, before, now, done)
    except BaseException:
        now.files = before.files | now.files
        with suppress(OSError):  # a disk that is full, perhaps
            _describe(target, scope, wanted, now)
        raise
    for path in before.files.keys() - now.files.keys():
        _remove(target, target / path)
        done.removed += 1
    _describe(target, scope, wanted, now)
    return done


def _bring(target: Path, item: Item, before: _Known, now: _Known, done: Done) -> None:
    """Write one file where it is not there as it should be."""
    path = target / item.path
    known = item.fingerprint is not None
    if known and before.nothing.get(item.path) == item.fingerprint:
        came, new = False, False
    elif known and before.files.get(item.path) == item.fingerprint and path.exists():
        came, new = True, False
    else:
        came, new = _write(target, path, item)
    if not came:
        now.nothing[item.path] = item.fingerprint
        if item.name not in done.nothing:
            done.nothing.append(item.name)
        return
    now.files[item.path] = item.fingerprint
    done.written += new
    done.unchanged += not new


def _write(target: Path, path: Path, item: Item) -> tuple[bool, bool]:
    """Write to a name of its own, then take the place at once; whether it came, and is new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _atomically(target, path) as aside:
        if not item.write(aside):
            return False, False
        if path.exists() and filecmp.cmp(aside, path, shallow=False):
            return True, False
        aside.replace(path)
        return True, True


@contextmanager
def _atomically(target: Path, path: Path) -> Iterator[Path]:
    """A name beside `path` that is gone in the end; an error names the file meant."""
    aside = path.with_name(f".{path.name}.new")
    try:
        yield aside
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        _remove(target, aside)


def _remove(target: Path, path: Path) -> None:
    path.unlink(missing_ok=True)
    if path.parent != target:
        with suppress(OSError):  # something is in it
            path.parent.rmdir()


def _read(target: Path, scope: Scope) -> _Known:
    """What an earlier export left; raises Refused where the folder is not for this one."""
    manifest = target / MANIFEST
    if not manifest.exists():
        return _Known()
    try:
        ours = json.loads(manifest.read_bytes())[_OURS]
        known, held = _Known(ours["files"], ours["nothing"]), f"{ours['format']}: {ours['told']}"
    except (ValueError, TypeError, KeyError):
        raise Refused(f"{manifest} is of another program; take another folder") from None
    asked = f"{scope.format}: {scope.told}"
    if held != asked:
        raise Refused(f"{target} holds an export of {held}; take another folder for {asked}")
    return known


def _describe(target: Path, scope: Scope, wanted: Sequence[Item], known: _Known) -> None:
    resources: dict[str, dict[str, Any]] = {}
    for item in wanted:
        if item.path in known.files:
            one = resources.setdefault(item.resource["name"], item.resource | {"path": []})
            one["path"].append(item.path)
    package = {
        "name": "battery-elt",
        "description": f"Battery-cycling data, {scope.told}.",
        "resources": list(resources.values()),
        _OURS: {
            "format": scope.format,
            "told": scope.told,
            "files": known.files,
            "nothing": known.nothing,
        },
    }
    path = target / MANIFEST
    with _atomically(target, path) as aside:
        aside.write_text(json.dumps(package, indent=1, ensure_ascii=False), encoding="utf-8")
        aside.replace(path)
