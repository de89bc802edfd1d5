"""Processes that handle one document after another keep the memory between them."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Database

from loader.server.allocator import keeping_memory

glibc_only = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the settings are glibc's"
)
SIZE = 100 * 2**20
PAGES = SIZE // os.sysconf("SC_PAGE_SIZE")


def faults_of_a_second_block(environment: dict[str, str]) -> int:
    """Pages that the system clears for a block after one of that size was freed."""
    program = f"""if True:
        import resource

        def faults():
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        b"." * {SIZE}
        before = faults()
        b"." * {SIZE}
        print(faults() - before)
    """
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@glibc_only
def test_a_worker_clears_no_page_twice():
    plain = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    assert faults_of_a_second_block(plain) > PAGES // 2, "what it is good for"
    assert faults_of_a_second_block(keeping_memory(plain)) < PAGES // 100


def faults_of(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[7])  # proc(5): minflt, the tenth; ") " ends the second


@glibc_only
def test_a_backend_of_the_embedded_server_clears_no_page_twice(database: Database):
    with database.connect() as connection:
        for _ in range(2):
            before = faults_of(connection.info.backend_pid)
            connection.execute(f"select length(repeat('x', {SIZE}))")
        assert faults_of(connection.info.backend_pid) - before < PAGES // 100


def test_tunables_that_the_user_has_set_stand():
    mine = {"GLIBC_TUNABLES": "glibc.malloc.check=3", "HOME": "/"}
    assert keeping_memory(mine) == mine
