"""The memory that a push counts with is what its container may have."""

from pathlib import Path

import psutil
import pytest

from loader import memory

MACHINE = psutil.virtual_memory().total
MIB = 2**20


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/\n", {"memory.max": f"{512 * MIB}\n"}, 512 * MIB),
        ("0::/\n", {"memory.max": "max\n"}, MACHINE),
        (
            "0::/user.slice/push.scope\n",
            {"user.slice/memory.max": f"{64 * MIB}\n", "user.slice/push.scope/memory.max": "max"},
            64 * MIB,
        ),
        (
            "5:cpu:/a\n4:memory:/docker/0123\n0::/\n",
            {"memory/memory.limit_in_bytes": f"{256 * MIB}\n"},
            256 * MIB,
        ),
        ("4:memory:/a\n", {"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, MACHINE),
        ("4:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": f"{MIB}\n"}, MIB),
        ("", {}, MACHINE),
    ],
)
def test_a_container_s_limit_counts(
    tmp_path: Path, cgroup: str, limits: dict[str, str], expected: int
) -> None:
    files = {"proc/self/cgroup": cgroup} | {f"sys/fs/cgroup/{n}": t for n, t in limits.items()}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert memory.total(tmp_path) == expected


def test_this_machine_has_memory() -> None:
    assert 0 < memory.total() <= MACHINE
