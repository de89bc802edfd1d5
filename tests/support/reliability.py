"""Writes docs/reliability.md (python tests/support/reliability.py); test_readme.py compares."""

import textwrap
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import bad_inputs
import faults

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
WIDTH = 96

HEAD = """\
# Reliability: what was done to it

A file is landed whole, in one transaction, or listed with its reason, whatever happens. This
page is made from the tests that show it (`python tests/support/reliability.py`), so it lists
what they do and nothing else.
"""

FAULTS = """\
## Faults

`tests/landing/test_faults.py` does these things to a push of nine files, on real servers. After
each the next push leaves exactly what an undisturbed one does: no file is lost, none is there
twice or in part. `pytest` makes one to {by_default} trials of each, `pytest -m ""` all of them.

| a push | trials | files lost | duplicates |
|---|---|---|---|
"""

BAD_INPUTS = """\
## Odd files

`tests/landing/test_bad_input.py` pushes {count} odd files in one folder, with good ones among
them. Each gets what is said here, and the good ones are published as if they were alone.
"""


def page() -> str:
    """The whole page."""
    head = FAULTS.format(by_default=max(faults.BY_DEFAULT.values()))
    kinds = BAD_INPUTS.format(count=len(bad_inputs.KINDS))
    return "\n".join([HEAD, head + "".join(_faults()), kinds, *_bad_inputs()])


def _faults() -> Iterator[str]:
    """A row a fault. The tests prove both zeros, in every trial."""
    for group, trials in faults.GROUPS.items():
        for fault, count in trials.items():
            yield f"| {group}: {fault} | {count} | 0 | 0 |\n"


def _bad_inputs() -> Iterator[str]:
    """A paragraph for each thing a file can get, with the kinds that get it."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for kind in bad_inputs.KINDS:
        gets = f"landed, named by the test `{kind.named_by}`" if kind.named_by else kind.gets
        kinds[gets].append(kind.name)
    for gets, names in sorted(kinds.items(), key=lambda row: len(row[1]), reverse=True):
        text = f"- **{gets}** ({len(names)}): {'; '.join(names)}"
        yield textwrap.fill(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False)


if __name__ == "__main__":
    PAGE.write_text(page() + "\n", encoding="utf-8")
