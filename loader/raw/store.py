"""A folder or an S3 bucket as one kind of store: objects by name, each whole or not there.

https://developmentseed.org/obstore
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

S3 = "s3://"

_NEEDS = "{} needs obstore and pyarrow: pip install 'battery-elt[lake]'"
_PATIENCE = timedelta(seconds=10)  # with a store that does not answer


class Unavailable(Exception):
    """The store cannot be worked with; the message says which, why and what to do."""


@dataclass(frozen=True)
class Store:
    """Objects below a folder or a prefix of a bucket; every error is `Unavailable`."""

    place: str
    store: Any
    is_local: bool

    @classmethod
    def at(cls, place: str, *, make: bool = False) -> Self:
        """The store at a folder, made where asked for and missing, or at `s3://bucket/prefix`."""
        try:
            from obstore.store import LocalStore, S3Store  # noqa: PLC0415  an extra
        except ImportError as error:
            raise Unavailable(_NEEDS.format(place)) from error
        if place.startswith(S3):
            store = S3Store.from_url(
                place,
                client_options={"connect_timeout": "5s", "allow_http": True},
                retry_config={"max_retries": 2, "retry_timeout": _PATIENCE},
            )
            return cls(place, store, is_local=False)
        folder = Path(place).absolute()
        try:
            if make:
                folder.mkdir(parents=True, exist_ok=True)
            if not folder.is_dir():
                raise Unavailable(f"{folder}: no such folder; loader push --to {place} makes it")
        except OSError as error:
            raise Unavailable(f"{folder} cannot be used: {error.strerror}") from error
        return cls(str(folder), LocalStore(folder), is_local=True)

    def read(self, name: str) -> bytes | None:
        """The content of an object; None where there is none of that name."""
        import obstore  # noqa: PLC0415
        from obstore.exceptions import NotFoundError  # noqa: PLC0415

        with self._errors():
            try:
                return bytes(obstore.get(self.store, name).bytes())
            except (FileNotFoundError, NotFoundError) as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def write(self, name: str, data: bytes) -> None:
        """Put an object there, in the place of one of that name.

        In a folder it is written elsewhere first: what a killed process leaves, no reader sees.
        """
        import obstore  # noqa: PLC0415

        with self._errors():
            if not self.is_local:
                obstore.put(self.store, name, data)
                return
            hidden = f"_staging/{uuid.uuid4().hex}"
            obstore.put(self.store, hidden, data)
            obstore.rename(self.store, hidden, name)

    def create(self, name: str, data: bytes) -> bool:
        """Put an object there unless there is one of that name, which gives `False`."""
        import obstore  # noqa: PLC0415
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415

        with self._errors():
            try:
                obstore.put(self.store, name, data, mode="create")
            except (FileExistsError, AlreadyExistsError):
                return False
            return True

    def sizes(self, folder: str, after: str = "") -> dict[str, int]:
        """Names of the objects below a folder, only those after a name, and sizes in bytes."""
        import obstore  # noqa: PLC0415

        with self._errors():
            listed = obstore.list(self.store, prefix=folder, offset=after or None)
            return {one["path"]: one["size"] for some in listed for one in some}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            yield
        except (BaseError, OSError) as error:
            raise Unavailable(f"{self.place} cannot be used: {_said(error)}") from error


_KNOWN = {
    "NoSuchBucket": "there is no bucket of that name; make it first",
    "169.254.169.254": "no credentials; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION",
    "No space left on device": "No space left on device",
    "Permission denied": "Permission denied",
    "Read-only file system": "Read-only file system",
}


def _said(error: Exception) -> str:
    """One sentence of what may be a page."""
    text = str(error)
    known = next((said for mark, said in _KNOWN.items() if mark in text), None)
    return known or text.strip().partition("\n")[0]
