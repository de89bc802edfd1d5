"""The faults a push is put through, and how often; tests/landing/test_faults.py does it."""

GROUPS = {
    "killed with -9 in mid-load": {
        "the loader, at a random moment": 30,
        "a worker": 5,
        "a server process": 2,
        "the whole server": 2,
    },
    "told to stop in mid-load": {
        "the loader, by SIGINT or SIGTERM, once or twice": 4,
        "the server": 2,
        "one connection": 3,
    },
    "held up": {
        "by a full disk": 1,
        "by a server that is down at the start": 1,
        "by timeouts set for statements, locks and idle sessions": 1,
    },
    "not alone": {
        "two loaders on one folder": 3,
        "eight loaders on one folder": 1,
        "a file gone before it is read": 1,
    },
}

BY_DEFAULT = {
    "the loader, at a random moment": 3,
    "the loader, by SIGINT or SIGTERM, once or twice": 2,
}
"""Trials, of all other faults one; those beyond run with `pytest -m ""`, every night."""

FAULTS = {fault: trials for group in GROUPS.values() for fault, trials in group.items()}
"""By what happens: trials."""
