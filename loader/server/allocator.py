"""How processes that handle one large document after another ask the system for memory.

glibc gives a large block back as soon as it is freed, and the system clears every page of the next
one anew: over a quarter of the time that a document takes the server. These settings keep freed
memory in the process, which ends with the push or the connection, and take it in huge pages.
Elsewhere than with glibc they mean nothing.
https://sourceware.org/glibc/manual/latest/html_node/Tunables.html
"""

from collections.abc import Mapping

_KEPT = 2**30  # bytes
_TUNABLES = f"glibc.malloc.mmap_threshold={_KEPT}:glibc.malloc.trim_threshold={_KEPT}"


def keeping_memory(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of such a process; tunables that the user has set stand."""
    return {"GLIBC_TUNABLES": f"{_TUNABLES}:glibc.malloc.hugetlb=1", **environment}
