"""The faults a push is put through, and how often; tests/test_faults.py does it."""

FAULTS = {
    "kill -9 of the loader at a random moment": 30,
    "kill -9 of a worker with a file in hand": 5,
    "its connection ended by the server": 3,
    "kill -9 of a server process in mid-load": 2,
    "kill -9 of the whole server in mid-load": 2,
    "server stopped in mid-load": 2,
    "server down at the start, back in a moment": 1,
    "disk full": 1,
    "statement, lock and idle timeouts set for the role": 1,
    "two loaders at once": 3,
    "eight loaders at once": 1,
    "a file gone before it is read": 1,
    "SIGINT or SIGTERM, once or twice": 4,
}
"""By what happens: trials."""


def table() -> list[str]:
    """Rows of the README's table. The tests prove both zeros, in every trial."""
    return [f"| {fault} | {trials} | 0 | 0 |" for fault, trials in FAULTS.items()]
