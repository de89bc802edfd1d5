"""How much memory there is for a push."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil


def total(root: Path = Path("/")) -> int:
    """Bytes of memory of the machine, or what a container (cgroup v2 or v1) may have of it.

    `root` is where `proc` and `sys` are.
    """
    return min([psutil.virtual_memory().total, *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    """The limits of the control groups this process is in, and of those around them.

    https://docs.kernel.org/admin-guide/cgroup-v2.html: `0::/path`, `memory.max`;
    https://docs.kernel.org/admin-guide/cgroup-v1/memory.html: `4:memory:/path`.
    """
    groups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            home, file = groups, "memory.max"
        elif "memory" in controllers.split(","):
            home, file = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = home / path.strip("/")  # within a container it may be the host's: not there
        for folder in [group, *group.parents[: len(group.parts) - len(home.parts)]]:
            limit = _text(folder / file).strip()
            if limit.isdecimal():  # "max" is none
                yield int(limit)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
