"""The command `loader`, installed or as `python -m loader`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; never returns. Ctrl-C while it is read in ends it without a word."""
    try:
        from loader.cli import main as command_line  # noqa: PLC0415  takes a tenth of a second
    except KeyboardInterrupt:
        sys.exit(130)
    command_line()


if __name__ == "__main__":
    main()
