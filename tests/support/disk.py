"""A disk of a size to choose, to fill it."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def disk(folder: Path) -> Iterator[Callable[[int], None]]:
    """A file system of its own; gives a function that sets its size in bytes."""

    def mount(options: str) -> subprocess.CompletedProcess[str]:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = mount("size=1G")
    if done.returncode:
        pytest.skip(f"a small file system needs the right to mount one: {done.stderr}")
    try:
        yield lambda size: mount(f"remount,size={size}").check_returncode()
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
