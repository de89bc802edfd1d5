"""The system user the server runs as, and what is done in its name: PostgreSQL refuses root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from loader.server import allocator
from loader.server.binaries import ServerError

if sys.platform != "win32":
    import pwd


@dataclass(frozen=True)
class Account:
    """User and group id; None where the server runs as this process does."""

    ids: tuple[int, int] | None

    @classmethod
    def of(cls, data: Path) -> Account:
        """Whose the server of a data folder is, there or still to be made. Raises ServerError."""
        if os.geteuid() != 0:
            return cls(None)
        if (data / "PG_VERSION").exists():
            owner = data.stat()
            if owner.st_uid != 0:  # an ordinary user's database stays that user's
                return cls((owner.st_uid, owner.st_gid))
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(name)
                return cls((user.pw_uid, user.pw_gid))
        raise ServerError(
            "PostgreSQL does not run as root, and there is neither a user postgres nor a user "
            "nobody to run it as. Make one, run this as an ordinary user, or set DATABASE_URL."
        )

    @property
    def user_id(self) -> int:
        """The user's number."""
        return os.geteuid() if self.ids is None else self.ids[0]

    def run(
        self,
        command: list[str],
        *,
        text: str = "",
        errors: IO[str] | int = subprocess.STDOUT,
        new_session: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, `text` its input; none of the caller's PG* reaches it."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "LC_"))}
        return subprocess.run(
            command,
            cwd="/",
            env=allocator.keeping_memory(environment)
            | {"LC_ALL": "C"},  # messages in English; macOS needs some locale
            input=text,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            errors="replace",
            check=False,
            start_new_session=new_session,
            user=self.ids and self.ids[0],
            group=self.ids and self.ids[1],
            extra_groups=self.ids and [],
        )

    def give(self, path: Path) -> None:
        """Make a file or folder the user's own."""
        if self.ids is not None:
            os.chown(path, *self.ids)

    def can_enter(self, folder: Path) -> bool:
        """Tell whether the user can reach a folder; only as root may the answer be no."""
        if self.ids is None:
            return True
        script = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
        return self.run(script).returncode == 0
